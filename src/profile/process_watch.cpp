/// Readers of proc(5).

#include "profile/process_watch.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "base/text.hpp"
#include "profile/mapping.hpp"
#include "profile/perf_rings.hpp"

namespace aiopt {
namespace {

std::string proc_text(const std::string& file) {
  auto text = read_file(file);
  return text ? *std::move(text) : std::string();
}

std::vector<std::string_view> proc_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = text.find_first_not_of(" \n"); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(" \n", end);
  }
  return words;
}

std::uint64_t number_at(std::string_view text, int base) {
  std::uint64_t number = 0;
  if (text.starts_with("0x")) text.remove_prefix(2);
  std::from_chars(text.data(), text.data() + text.size(), number, base);
  return number;
}

std::vector<std::uint32_t> thread_numbers(pid_t pid) {
  std::vector<std::uint32_t> threads;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), failed)) {
    threads.push_back(static_cast<std::uint32_t>(number_at(entry.path().filename().native(), 10)));
  }
  return threads;
}

/// 'S', 'D', 'R'...; what is before it is the name in brackets, of any characters.
char state_in(std::string_view stat) {
  const std::size_t bracket = stat.rfind(')');
  return bracket == std::string_view::npos || bracket + 2 >= stat.size() ? '?' : stat[bracket + 2];
}

}  // namespace

void tell_of_process(pid_t pid, const std::function<void(const PerfRecord&)>& sink) {
  PerfRecord record;
  record.pid = static_cast<std::uint32_t>(pid);
  record.tid = record.pid;
  record.time_ns = monotonic_ns();
  const std::string maps = proc_text(fmt::format("/proc/{}/maps", pid));
  for (Mapping& mapping : parse_maps(maps)) {
    record.event = Mapped{std::move(mapping)};
    sink(record);
  }
  for (const std::uint32_t tid : thread_numbers(pid)) {
    const std::string folder = fmt::format("/proc/{}/task/{}", pid, tid);
    const std::string name = proc_text(folder + "/comm");
    const char state = state_in(proc_text(folder + "/stat"));
    record.tid = tid;
    record.event = Named{trim(name), false};
    sink(record);
    record.event = Found{state == 'S' || state == 'D'};
    sink(record);
    const auto look = look_at_sleep(record.pid, tid);
    if (!look) continue;
    record.event = WaitSeen{look->kernel_function, look->program_counter};
    sink(record);
  }
}

std::optional<SleepLook> look_at_sleep(std::uint32_t pid, std::uint32_t tid) {
  SleepLook look;
  look.time_ns = monotonic_ns();
  const std::string folder = fmt::format("/proc/{}/task/{}", pid, tid);
  look.kernel_function = proc_text(folder + "/wchan");
  // "0" is what a running thread, or a kernel that hides it, gives.
  if (look.kernel_function.empty() || look.kernel_function == "0") return std::nullopt;
  // "202 0x7f.. 0x80 ... <stack pointer> <program counter>", or "running".
  const std::string call = proc_text(folder + "/syscall");
  const std::vector<std::string_view> words = proc_words(call);
  if (words.size() == 9) look.program_counter = number_at(words[8], 16);
  return look;
}

// ---- schedstat ------------------------------------------------------------------------------------------------------

SchedstatWatch::SchedstatWatch(pid_t root, std::uint64_t period_ns) : root_(root), period_ns_(period_ns) {}

void SchedstatWatch::look(std::uint64_t now_ns) {
  std::vector<pid_t> below{root_};
  for (std::size_t i = 0; i < below.size(); ++i) {
    look_at(below[i], now_ns);
    for (const std::uint32_t tid : thread_numbers(below[i])) {
      const std::string children = proc_text(fmt::format("/proc/{}/task/{}/children", below[i], tid));
      for (const std::string_view child : proc_words(children)) {
        below.push_back(static_cast<pid_t>(number_at(child, 10)));
      }
    }
  }
}

void SchedstatWatch::look_at(pid_t pid, std::uint64_t now_ns) {
  for (const std::uint32_t tid : thread_numbers(pid)) {
    const std::string folder = fmt::format("/proc/{}/task/{}", pid, tid);
    const std::string stat = proc_text(folder + "/schedstat");  // Nanoseconds it ran, nanoseconds runnable, slices.
    const std::vector<std::string_view> words = proc_words(stat);
    if (words.size() < 2) continue;
    const auto [at, is_new] = lives_.try_emplace({static_cast<std::uint32_t>(pid), tid});
    Life& life = at->second;
    const std::array<std::uint64_t, 2> now{number_at(words[0], 10), number_at(words[1], 10)};
    if (is_new) {
      life.pid = static_cast<std::uint32_t>(pid);
      life.first_ns = now_ns;
      life.running_ns[0] = now[0];
      life.runnable_ns[0] = now[1];
    }
    life.name = trim(proc_text(folder + "/comm"));
    life.last_ns = now_ns;
    life.running_ns[1] = now[0];
    life.runnable_ns[1] = now[1];
  }
}

OffCpuRecording SchedstatWatch::finish() {
  OffCpuRecording recording;
  recording.period_ns = period_ns_;
  recording.threads.emplace_back();
  recording.stacks.emplace_back();
  for (const auto& [key, life] : lives_) {
    const std::uint64_t all_ns = life.last_ns - life.first_ns;
    const std::uint64_t running_ns = std::min(life.running_ns[1] - life.running_ns[0], all_ns);
    const std::uint64_t scheduling_ns = std::min(life.runnable_ns[1] - life.runnable_ns[0], all_ns - running_ns);
    const std::uint64_t blocked_ns = all_ns - running_ns - scheduling_ns;
    recording.running_ns += running_ns;
    recording.scheduling_ns += scheduling_ns;
    recording.blocked_ns += blocked_ns;
    const auto thread = static_cast<std::uint32_t>(recording.threads.size());
    recording.threads.push_back({life.pid, key.second, life.name});
    const auto add = [&](ThreadActivity activity, std::uint64_t ns) {
      RecordedWait wait;
      wait.thread = thread;
      wait.activity = activity;
      wait.samples = ns / period_ns_;
      if (activity == ThreadActivity::blocked) wait.wakes.unknown = wait.samples;
      if (wait.samples != 0) recording.waits.push_back(wait);
    };
    add(ThreadActivity::running, running_ns);
    add(ThreadActivity::blocked, blocked_ns);
    add(ThreadActivity::scheduling, scheduling_ns);
  }
  return recording;
}

}  // namespace aiopt
