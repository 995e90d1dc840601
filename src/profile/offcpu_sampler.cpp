/// The draining thread, and the target's life.

#include "profile/offcpu_sampler.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <deque>
#include <optional>
#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "base/file_descriptor.hpp"
#include "profile/process_watch.hpp"

namespace aiopt {
namespace {

constexpr std::chrono::milliseconds kDrainInterval{50};
/// A CPU that is itself kept from running (a virtual machine's) may finish a record that late.
constexpr std::uint64_t kSettledNs = 10'000'000;
constexpr std::uint64_t kSettledInHasteNs = 500'000;
/// More would tell no more of where the time goes, and a stack costs the target six times what the switch does.
constexpr double kStacksPerSecond = 4000;
constexpr double kStacksAtOnce = 400;
/// Short windows with stacks, often, where not all are taken.
constexpr std::chrono::milliseconds kShortDrainInterval{10};
constexpr std::chrono::seconds kGrace{2};
/// Looks at sleeping threads per round, where the kernel does not tell what they wait for: under 2 % of a CPU.
constexpr std::size_t kLooksPerRound = 64;

std::string_view source_of(SamplerLevel level) {
  switch (level) {
    case SamplerLevel::full:
      return "sampler";
    case SamplerLevel::kernel:
      return "sampler (no wake-ups)";
    case SamplerLevel::user:
      return "sampler (no kernel events)";
    case SamplerLevel::nothing:
      return "sampler (no perf events: a ratio alone)";
  }
  return "sampler";
}

std::uint64_t thread_cpu_ns() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(used.tv_nsec);
}

void block_all_signals() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

bool thread_exists(std::uint32_t tid) {
  return ::kill(static_cast<pid_t>(tid), 0) == 0 || errno == EPERM;
}

}  // namespace

// ---- recording ------------------------------------------------------------------------------------------------------

class OffCpuSampler::Recorder {
 public:
  /// @param rings  none: schedstat alone
  Recorder(pid_t pid, std::optional<PerfRings> rings, const SamplerOptions& options)
      : rings_(std::move(rings)),
        fold_({options.events.period_ns, options.stacks, options.most_waits}),
        schedstat_(pid, options.events.period_ns) {}

  SamplerLevel level() const { return rings_ ? rings_->level() : SamplerLevel::nothing; }

  void tell_of(pid_t pid) {
    if (rings_) tell_of_process(pid, [&](const PerfRecord& record) { fold_.add(record); });
  }

  void start() {
    thread_ = std::jthread([this](const std::stop_token& stop) {
      block_all_signals();
      // Where more threads want to run than there are CPUs, records would be lost before its turn came. As root only.
      ::setpriority(PRIO_PROCESS, 0, -20);
      while (!stop.stop_requested()) round();
      drain_cpu_ns_ = thread_cpu_ns();
    });
  }

  OffCpuRecording finish() {
    thread_.request_stop();
    thread_.join();
    return rings_ ? finish_rings() : finish_schedstat();
  }

 private:
  struct Seen {
    std::uint32_t pid = 0;
    std::uint32_t tid = 0;
    SleepLook look;
  };

  void round() {
    if (!rings_) {
      schedstat_.look(monotonic_ns());
      std::this_thread::sleep_for(kDrainInterval);
      return;
    }
    rings_->wait(takes_all_stacks_ ? kDrainInterval : kShortDrainInterval);
    limit_stacks(monotonic_ns());
    drain(monotonic_ns() - kSettledNs);
    if (rings_->fullness() > 0.5) drain(monotonic_ns() - kSettledInHasteNs);
    if (rings_->level() == SamplerLevel::user) look_at_sleepers();
  }

  void drain(std::uint64_t until_ns) {
    rings_->drain(until_ns, [this](const PerfRecord& record) {
      tell_what_was_seen(record.time_ns);
      if (std::holds_alternative<SwitchSample>(record.event)) ++stacks_;
      fold_.add(record);
    });
  }

  /// A bucket that leaks. Where there are more switches, stacks are taken in windows of time: whichever waits begin in
  /// one, long or short.
  void limit_stacks(std::uint64_t now_ns) {
    const double seconds = static_cast<double>(now_ns - stacks_since_ns_) / 1e9;
    const double left = seconds * kStacksPerSecond - static_cast<double>(stacks_);
    if (takes_stacks_ && left < -kStacksAtOnce) {
      takes_all_stacks_ = takes_stacks_ = false;
      rings_->take_stacks(false);
    } else if (!takes_stacks_ && left >= 0.0) {
      takes_stacks_ = true;
      rings_->take_stacks(true);
      start_counting_stacks(now_ns);
    } else if (takes_stacks_ && seconds > 1.0) {
      takes_all_stacks_ = true;
      start_counting_stacks(now_ns);
    }
  }

  void start_counting_stacks(std::uint64_t now_ns) {
    stacks_since_ns_ = now_ns;
    stacks_ = 0;
  }

  /// What was seen lies ahead of what has been drained: it waits for its time.
  void tell_what_was_seen(std::uint64_t until_ns) {
    while (!seen_.empty() && seen_.front().look.time_ns <= until_ns) {
      const Seen& seen = seen_.front();
      fold_.add(
          {seen.look.time_ns, seen.pid, seen.tid, WaitSeen{seen.look.kernel_function, seen.look.program_counter}});
      seen_.pop_front();
    }
  }

  void look_at_sleepers() {
    auto sleepers = fold_.sleeping();
    std::sort(sleepers.begin(), sleepers.end());
    // In turns, if there are many.
    const auto next = std::upper_bound(sleepers.begin(), sleepers.end(), last_looked_at_);
    std::rotate(sleepers.begin(), next, sleepers.end());
    sleepers.resize(std::min(sleepers.size(), kLooksPerRound));
    for (const auto& [pid, tid] : sleepers) {
      if (auto look = look_at_sleep(pid, tid)) seen_.push_back({pid, tid, *std::move(look)});
    }
    if (!sleepers.empty()) last_looked_at_ = sleepers.back();
  }

  OffCpuRecording finish_rings() {
    rings_->stop();
    drain(~std::uint64_t{0});
    OffCpuRecording recording = fold_.finish(monotonic_ns(), thread_exists);
    recording.records = rings_->records();
    recording.lost = rings_->lost();
    recording.throttled = rings_->throttled();
    recording.source = source_of(rings_->level());
    recording.sees_kernel = rings_->level() == SamplerLevel::full || rings_->level() == SamplerLevel::kernel;
    recording.drain_cpu_ns = drain_cpu_ns_;
    return recording;
  }

  OffCpuRecording finish_schedstat() {
    schedstat_.look(monotonic_ns());
    OffCpuRecording recording = schedstat_.finish();
    recording.source = source_of(SamplerLevel::nothing);
    recording.drain_cpu_ns = drain_cpu_ns_;
    return recording;
  }

  std::optional<PerfRings> rings_;
  BlockedSamples fold_;
  SchedstatWatch schedstat_;
  std::deque<Seen> seen_;
  std::pair<std::uint32_t, std::uint32_t> last_looked_at_;
  std::uint64_t drain_cpu_ns_ = 0;
  std::uint64_t stacks_ = 0;  ///< Since then.
  std::uint64_t stacks_since_ns_ = monotonic_ns();
  bool takes_stacks_ = true;
  bool takes_all_stacks_ = true;  ///< For the last second at least.
  std::jthread thread_;           ///< Last: it uses all of the above.
};

OffCpuSampler::OffCpuSampler(std::unique_ptr<Recorder> recorder) : recorder_(std::move(recorder)) {}
OffCpuSampler::OffCpuSampler(OffCpuSampler&&) noexcept = default;
OffCpuSampler& OffCpuSampler::operator=(OffCpuSampler&&) noexcept = default;
OffCpuSampler::~OffCpuSampler() = default;

Result<OffCpuSampler> OffCpuSampler::attach_before_exec(pid_t pid, const SamplerOptions& options) {
  auto rings = PerfRings::open_before_exec(pid, options.events);
  std::optional<PerfRings> opened;
  if (rings) opened = *std::move(rings);
  auto recorder = std::make_unique<Recorder>(pid, std::move(opened), options);
  recorder->start();
  return OffCpuSampler(std::move(recorder));
}

Result<OffCpuSampler> OffCpuSampler::attach(pid_t pid, const SamplerOptions& options) {
  auto rings = PerfRings::attach(pid, options.events);
  if (!rings && rings.error().code == Error::Code::not_found) return rings.error();
  std::optional<PerfRings> opened;
  if (rings) opened = *std::move(rings);
  auto recorder = std::make_unique<Recorder>(pid, std::move(opened), options);
  recorder->tell_of(pid);
  recorder->start();
  return OffCpuSampler(std::move(recorder));
}

SamplerLevel OffCpuSampler::level() const {
  return recorder_->level();
}

OffCpuRecording OffCpuSampler::finish() {
  return recorder_->finish();
}

// ---- a command ------------------------------------------------------------------------------------------------------

namespace {

/// A child that waits before its execve(2) until it is let go.
class WaitingChild {
 public:
  static Result<WaitingChild> start(const SampledCommand& command);

  pid_t pid() const { return pid_; }
  /// Errors: not_found (no such program), unavailable.
  Result<void> let_go();

 private:
  [[noreturn]] static void run(const SampledCommand& command, char* const* arguments, int gate, int report);

  std::string name_;
  pid_t pid_ = -1;
  FileDescriptor gate_;
  FileDescriptor report_;  ///< Gives the errno of a failed start, or its end.
};

void WaitingChild::run(const SampledCommand& command, char* const* arguments, int gate, int report) {
  ::setpgid(0, 0);
  char go = 0;
  if (::read(gate, &go, 1) != 1) ::_exit(127);  // The parent is gone, or has given up.
  if (command.directory.empty() || ::chdir(command.directory.c_str()) == 0) {
    sigset_t none;
    sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    ::execvp(arguments[0], arguments);
  }
  const int number = errno;
  [[maybe_unused]] const ssize_t written = ::write(report, &number, sizeof number);
  ::_exit(127);
}

Result<WaitingChild> WaitingChild::start(const SampledCommand& command) {
  if (command.arguments.empty()) return Error{Error::Code::invalid_argument, "cannot profile an empty command"};
  std::array<int, 2> gate{-1, -1};
  std::array<int, 2> report{-1, -1};
  WaitingChild child;
  child.name_ = command.arguments.front();
  if (::pipe2(gate.data(), O_CLOEXEC) != 0 || ::pipe2(report.data(), O_CLOEXEC) != 0) {
    return Error{Error::Code::unavailable, fmt::format("cannot start {}: {}", child.name_, std::strerror(errno))};
  }
  const FileDescriptor gate_end(gate[0]);
  const FileDescriptor report_end(report[1]);
  child.gate_ = FileDescriptor(gate[1]);
  child.report_ = FileDescriptor(report[0]);
  std::vector<std::string> texts = command.arguments;
  std::vector<char*> arguments;
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  child.pid_ = ::fork();
  if (child.pid_ == 0) {
    ::close(gate[1]);
    run(command, arguments.data(), gate[0], report[1]);
  }
  if (child.pid_ < 0) {
    return Error{Error::Code::unavailable, fmt::format("cannot start {}: {}", child.name_, std::strerror(errno))};
  }
  return child;
}

Result<void> WaitingChild::let_go() {
  const char go = 1;
  [[maybe_unused]] const ssize_t written = ::write(gate_.get(), &go, 1);
  int number = 0;
  ssize_t got = 0;
  while ((got = ::read(report_.get(), &number, sizeof number)) < 0 && errno == EINTR) {
  }
  if (got != sizeof number) return {};
  ::waitpid(pid_, nullptr, 0);
  return Error{number == ENOENT ? Error::Code::not_found : Error::Code::unavailable,
               fmt::format("cannot start {}: {}", name_, std::strerror(number))};
}

/// Waits for a process, a child or not.
class ProcessEnd {
 public:
  explicit ProcessEnd(pid_t pid) : fd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))), pid_(pid) {}

  /// @return Whether it has ended by then.
  bool wait_until(std::chrono::steady_clock::time_point deadline, const std::stop_token& stop) const {
    constexpr int kLookAtTokenMs = 20;
    while (!stop.stop_requested() && monotonic_now() < deadline) {
      pollfd ended{fd_.get(), POLLIN, 0};
      ::poll(&ended, 1, kLookAtTokenMs);
      if (fd_.is_open() ? ended.revents != 0 : ::kill(pid_, 0) != 0) return true;
    }
    return false;
  }

 private:
  FileDescriptor fd_;
  pid_t pid_;
};

std::chrono::steady_clock::time_point deadline_after(std::chrono::milliseconds limit) {
  return limit.count() > 0 ? monotonic_now() + limit : std::chrono::steady_clock::time_point::max();
}

/// @return Its wait status.
int end_command(pid_t pid, const ProcessEnd& end) {
  ::kill(-pid, SIGTERM);
  end.wait_until(monotonic_now() + kGrace, {});
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

Result<SampledRun> sample_command(const SamplerOptions& options, const SampledCommand& command,
                                  const std::stop_token& stop) {
  auto child = WaitingChild::start(command);
  if (!child) return child.error();
  auto sampler = OffCpuSampler::attach_before_exec(child->pid(), options);
  const auto started = child->let_go();
  if (!started) return started.error();
  const ProcessEnd end(child->pid());
  SampledRun run;
  run.was_cut = !end.wait_until(deadline_after(options.time_limit), stop);
  // Before it is told to end: what it does then is no part of its work.
  run.recording = sampler->finish();
  run.status = end_command(child->pid(), end);
  return run;
}

Result<SampledRun> sample_process(const SamplerOptions& options, pid_t pid, const std::stop_token& stop) {
  const ProcessEnd end(pid);
  auto sampler = OffCpuSampler::attach(pid, options);
  if (!sampler) return sampler.error();
  SampledRun run;
  run.was_cut = !end.wait_until(deadline_after(options.time_limit), stop);
  run.recording = sampler->finish();
  return run;
}

}  // namespace

Result<SampledRun> sample_off_cpu(const SamplerOptions& options, const std::variant<SampledCommand, pid_t>& target,
                                  std::stop_token stop) {
  if (const auto* command = std::get_if<SampledCommand>(&target)) return sample_command(options, *command, stop);
  return sample_process(options, std::get<pid_t>(target), stop);
}

}  // namespace aiopt
