/// Sampling of /proc/<pid>/task: one small read or two per thread, so as not to disturb what is measured.

#include "base/thread_sampler.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace aiopt {
namespace {

/// New processes are rarer than new threads, and looking for them costs as much as all the rest.
constexpr std::uint64_t kSamplesPerLookForChildren = 4;

/// A schedstat that stays open costs a quarter of one that is opened for each look.
constexpr std::size_t kMostOpenFiles = 64;

/// The start of a small file below `folder`, read into `buffer`; empty if it is gone.
template <std::size_t N>
std::string_view read_small(int folder, const char* path, std::array<char, N>& buffer) {
  const FileDescriptor fd(::openat(folder, path, O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) return {};
  const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
  return got > 0 ? std::string_view(buffer.data(), static_cast<std::size_t>(got)) : std::string_view();
}

/// The number at the start of `text`, which it is taken off with the space before it.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\n"), text.size()));
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

/// The number after "name:" in a file as /proc/<pid>/status is.
std::uint64_t number_after(std::string_view text, std::string_view name) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return 0;
  text.remove_prefix(at + name.size());
  return take_number(text).value_or(0);
}

struct Usage {
  std::chrono::nanoseconds run_time{0};
  std::uint64_t switches = 0;
};

/// For kernels without CONFIG_SCHED_INFO: ticks from stat, switches from status.
std::optional<Usage> usage_from_stat(int task, const std::string& tid) {
  std::array<char, 4096> buffer;
  std::string_view stat = read_small(task, (tid + "/stat").c_str(), buffer);
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  stat.remove_prefix(std::min(name_end + 3, stat.size()));
  std::uint64_t ticks = 0;
  for (int field = 3; field <= 15; ++field) {  // utime and stime are 14 and 15, see proc(5).
    const std::size_t end = std::min(stat.find(' '), stat.size());
    std::string_view value = stat.substr(0, end);
    if (field >= 14) ticks += take_number(value).value_or(0);
    stat.remove_prefix(std::min(end + 1, stat.size()));
  }
  const long ticks_per_second = std::max(1L, ::sysconf(_SC_CLK_TCK));
  Usage usage;
  usage.run_time = std::chrono::nanoseconds(ticks * 1'000'000'000 / static_cast<std::uint64_t>(ticks_per_second));
  const std::string_view status = read_small(task, (tid + "/status").c_str(), buffer);
  usage.switches =
      number_after(status, "\nvoluntary_ctxt_switches:") + number_after(status, "\nnonvoluntary_ctxt_switches:");
  return usage;
}

/// What schedstat says: run time, time in the run queue, and how often the thread was given the CPU.
std::optional<Usage> usage_from_schedstat(int schedstat) {
  std::array<char, 128> buffer;
  const ssize_t got = ::pread(schedstat, buffer.data(), buffer.size(), 0);
  if (got <= 0) return std::nullopt;
  std::string_view text(buffer.data(), static_cast<std::size_t>(got));
  const auto run_time = take_number(text);
  const auto waited = take_number(text);
  const auto turns = take_number(text);
  if (!run_time || !waited || !turns) return std::nullopt;
  return Usage{std::chrono::nanoseconds(*run_time), *turns};
}

}  // namespace

ThreadSampler::ThreadSampler(pid_t root, std::string proc) : proc_(std::move(proc)), root_(root) {}

void ThreadSampler::sample(std::chrono::steady_clock::time_point now) {
  looks_for_children_ = samples_ % kSamplesPerLookForChildren == 0;
  ++samples_;
  if (looks_for_children_) processes_.assign(1, root_);
  for (std::size_t i = 0; i < processes_.size(); ++i) sample_process(processes_[i], now);
  std::erase_if(threads_, [&](const auto& entry) { return entry.second.seen_in_sample != samples_; });
}

std::chrono::microseconds ThreadSampler::thread_time() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(thread_time_);
}

void ThreadSampler::sample_process(pid_t pid, std::chrono::steady_clock::time_point now) {
  const std::unique_ptr<DIR, int (*)(DIR*)> task(::opendir(fmt::format("{}/{}/task", proc_, pid).c_str()), &::closedir);
  if (!task) return;
  while (const dirent* entry = ::readdir(task.get())) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    if (pid != root_) sample_thread(::dirfd(task.get()), entry->d_name, now);
    if (looks_for_children_) add_children(::dirfd(task.get()), entry->d_name);
  }
  if (pid != root_ && looks_for_children_) note_peak(pid);
}

void ThreadSampler::sample_thread(int task, const std::string& tid, std::chrono::steady_clock::time_point now) {
  std::string_view digits = tid;
  const auto number = take_number(digits);
  if (!number) return;
  const auto [at, is_new] = threads_.try_emplace(static_cast<pid_t>(*number));
  Thread& thread = at->second;

  if (!thread.schedstat.is_open()) {
    thread.schedstat = FileDescriptor(::openat(task, (tid + "/schedstat").c_str(), O_RDONLY | O_CLOEXEC));
  }
  const auto usage =
      thread.schedstat.is_open() ? usage_from_schedstat(thread.schedstat.get()) : usage_from_stat(task, tid);
  if (threads_.size() > kMostOpenFiles) thread.schedstat.close();
  if (!usage) return;  // Gone: sample() forgets it.
  thread.seen_in_sample = samples_;
  if (!is_new && usage->run_time == thread.run_time && usage->switches == thread.switches) return;

  const std::chrono::nanoseconds used = usage->run_time - thread.run_time;
  const std::chrono::nanoseconds gap = now - thread.last_active;
  thread_time_ += is_new || gap > kLongestGap ? used : gap;
  thread.run_time = usage->run_time;
  thread.switches = usage->switches;
  thread.last_active = now;
}

void ThreadSampler::add_children(int task, const char* tid) {
  const FileDescriptor fd(::openat(task, fmt::format("{}/children", tid).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) return;
  std::string list;
  std::array<char, 4096> chunk;
  ssize_t got = 0;
  while ((got = ::read(fd.get(), chunk.data(), chunk.size())) > 0) {
    list.append(chunk.data(), static_cast<std::size_t>(got));
  }
  std::string_view rest = list;
  while (const auto child = take_number(rest)) processes_.push_back(static_cast<pid_t>(*child));
}

void ThreadSampler::note_peak(pid_t pid) {
  // Read before its memory, so that a program that begins in between is passed over, not taken for what it was.
  const std::string program = program_of(pid);
  if (!program.empty() && program == program_of(root_)) return;
  std::array<char, 4096> buffer;
  const std::string_view status = read_small(AT_FDCWD, fmt::format("{}/{}/status", proc_, pid).c_str(), buffer);
  peak_rss_bytes_ = std::max(peak_rss_bytes_, number_after(status, "\nVmHWM:") * 1024);
}

std::string ThreadSampler::program_of(pid_t pid) const {
  std::array<char, 4096> path;
  const ssize_t size = ::readlink(fmt::format("{}/{}/exe", proc_, pid).c_str(), path.data(), path.size());
  return std::string(path.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
}

}  // namespace aiopt
