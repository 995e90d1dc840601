/// The supervisor. It runs between fork and _exit of a process with threads: system calls only, no allocation.

#include "base/supervisor.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>

#include "base/process_stat.hpp"
#include "base/slow_syncs.hpp"

namespace aiopt {
namespace {

// Where the supervisor's own descriptors are; after them come those of the groups, and those that the command gets.
constexpr int kControl = 3;
constexpr int kReport = 4;
constexpr int kStopForks = 5;
constexpr int kKillGroup = 6;
constexpr int kSlowSyncs = 7;
constexpr int kGo = 8;
constexpr int kFirstGroup = 9;
constexpr int kFirstPassed = kFirstGroup + static_cast<int>(Launch::kMostGroups);
constexpr std::size_t kMostDescriptors = static_cast<std::size_t>(kFirstPassed) + Launch::kMostPassed;

/// More than these are ended in several rounds.
constexpr std::size_t kMostDescendants = 32'768;

std::int64_t nanoseconds_of(clockid_t clock) {
  timespec now{};
  if (::clock_gettime(clock, &now) != 0) return 0;
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::int64_t monotonic_ns() {
  return nanoseconds_of(CLOCK_MONOTONIC);
}

/// The clock of the CPU time that all threads of a process have used, dead ones too: what clock_getcpuclockid(3) makes.
clockid_t cpu_clock_of(pid_t pid) {
  constexpr unsigned kScheduler = 2;
  return static_cast<clockid_t>((~static_cast<unsigned>(pid) << 3U) | kScheduler);
}

std::int64_t cpu_us_of(const rusage& usage) {
  return (std::int64_t{usage.ru_utime.tv_sec} + usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec +
         usage.ru_stime.tv_usec;
}

void send(const SupervisorReport& report, int to = kReport) {
  while (::write(to, &report, sizeof report) < 0 && errno == EINTR) {
  }
}

void close_from(unsigned first) {
  if (::syscall(SYS_close_range, first, UINT_MAX, 0) == 0) return;
  rlimit files{};  // Kernels before 5.9.
  ::getrlimit(RLIMIT_NOFILE, &files);
  for (rlim_t fd = first; fd < files.rlim_cur; ++fd) ::close(static_cast<int>(fd));
}

/// Puts all that is needed into its place, and nothing else stays open: a descriptor of another command's control
/// pipe, kept here, would hide from its supervisor that aiopt is gone.
void arrange_descriptors(const Launch& launch) {
  std::array<int, kMostDescriptors> sources;
  sources.fill(-1);
  sources[0] = launch.input;
  sources[1] = launch.output;
  sources[2] = launch.errors;
  sources[kControl] = launch.control;
  sources[kReport] = launch.report;
  sources[kStopForks] = launch.stop_forks;
  sources[kKillGroup] = launch.kill_group;
  sources[kSlowSyncs] = launch.slow_syncs;
  sources[kGo] = launch.go;
  std::size_t at = kFirstGroup;
  for (const int group : launch.groups) sources[at++] = group;
  at = kFirstPassed;
  for (const DescriptorMove& move : launch.passed) sources[at++] = move.descriptor;
  // First out of the way of the targets.
  for (int& source : sources) {
    if (source >= 0) source = ::fcntl(source, F_DUPFD, kMostDescriptors);
  }
  for (std::size_t target = 0; target < sources.size(); ++target) {
    const int fd = static_cast<int>(target);
    if (sources[target] < 0) {
      ::close(fd);
    } else {
      ::dup3(sources[target], fd, fd < kControl ? 0 : O_CLOEXEC);
    }
  }
  close_from(kMostDescriptors);
}

void reset_signal_handlers() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
}

[[noreturn]] void fail(SupervisorReport::Kind kind, int number, int report_to = kReport) {
  SupervisorReport report;
  report.kind = kind;
  report.value = number;
  send(report, report_to);
  ::_exit(127);
}

/// The passed descriptors to their targets. @return Where the report's descriptor is now.
int place_passed(std::span<const DescriptorMove> passed) {
  int above = static_cast<int>(kMostDescriptors);
  for (const DescriptorMove& move : passed) above = std::max(above, move.target + 1);
  std::array<int, Launch::kMostPassed> sources;
  for (std::size_t i = 0; i < passed.size(); ++i) {
    sources[i] = ::fcntl(kFirstPassed + static_cast<int>(i), F_DUPFD_CLOEXEC, above);
  }
  const int report = ::fcntl(kReport, F_DUPFD_CLOEXEC, above);
  for (std::size_t i = 0; i < passed.size(); ++i) ::dup2(sources[i], passed[i].target);
  return report;
}

/// Landlock of Linux 6.12: no process of the tree can stop or kill its supervisor, aiopt, or another command.
void keep_signals_within() {
  struct Ruleset {  // struct landlock_ruleset_attr of a newer header than Debian 12's.
    std::uint64_t files;
    std::uint64_t network;
    std::uint64_t scoped;
  };
  constexpr std::uint64_t kSignal = 2;  // LANDLOCK_SCOPE_SIGNAL
  const Ruleset ruleset{0, 0, kSignal};
  const long fd = ::syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
  if (fd < 0) return;
  ::syscall(SYS_landlock_restrict_self, fd, 0);
  ::close(static_cast<int>(fd));
}

void join_groups(const Launch& launch) {
  for (std::size_t i = 0; i < launch.groups.size(); ++i) {
    [[maybe_unused]] const ssize_t joined = ::write(kFirstGroup + static_cast<int>(i), "0", 1);
  }
}

void limit(const Launch& launch) {
  if (launch.cpus != nullptr) ::sched_setaffinity(0, launch.cpus_bytes, launch.cpus);
  for (const LimitToSet& wanted : launch.limits) {
    rlimit now{};
    ::getrlimit(static_cast<__rlimit_resource>(wanted.resource), &now);
    const rlimit bounded{std::min(wanted.limit.rlim_cur, now.rlim_max), std::min(wanted.limit.rlim_max, now.rlim_max)};
    ::setrlimit(static_cast<__rlimit_resource>(wanted.resource), &bounded);
  }
  if (launch.no_new_privileges) {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    keep_signals_within();
  }
}

[[noreturn]] void become_command(const Launch& launch, pid_t supervisor) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(127);
  // A session of its own, so that kill(0, ...) in the command does not reach the supervisor.
  ::setsid();
  // First: what is passed may be put in the place of these descriptors.
  join_groups(launch);
  if (launch.slow_syncs >= 0) hand_over_syncs(kSlowSyncs);
  const int report = place_passed(launch.passed);
  if (launch.directory != nullptr && ::chdir(launch.directory) != 0) {
    fail(SupervisorReport::Kind::no_directory, errno, report);
  }
  limit(launch);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  int number = ENOENT;
  for (const char* const* program = launch.programs; *program != nullptr; ++program) {
    ::execve(*program, launch.arguments, launch.environment);
    // One that is there and may not be run is worth telling, more than all the places where there is none, some of
    // which (another user's home in PATH) may not be looked into.
    const int failed = errno;
    if (failed != ENOENT && failed != ENOTDIR && ::access(*program, F_OK) == 0) number = failed;
  }
  fail(SupervisorReport::Kind::no_program, number, report);
}

/// "/proc/<pid>/task/<pid>/children"; snprintf(3) may allocate.
class ChildrenPath {
 public:
  explicit ChildrenPath(pid_t pid) {
    add("/proc/");
    add(pid);
    add("/task/");
    add(pid);
    add("/children");
  }
  const char* get() const { return text_.data(); }

 private:
  void add(const char* text) {
    while (*text != '\0') text_[size_++] = *text++;
  }
  void add(pid_t number) {
    std::array<char, 12> digits{};
    std::size_t count = 0;
    for (; number > 0; number /= 10) digits[count++] = static_cast<char>('0' + number % 10);
    while (count > 0) text_[size_++] = digits[--count];
  }

  std::array<char, 64> text_{};
  std::size_t size_ = 0;
};

struct Descendant {
  pid_t pid = 0;
  pid_t parent = 0;
};

/// Whether it still is what it was when it was listed, and what it looks like. Its parent may have died since.
bool look_at(const Descendant& one, ProcessStat& stat) {
  return read_process_stat(one.pid, stat) && (stat.parent == one.parent || stat.parent == ::getpid());
}

/// The processes below this one, parents first.
class Descendants {
 public:
  /// Calls `visit` for each; a process is visited before it is looked who its children are.
  template <typename Visit>
  void each(Visit visit) {
    size_ = 0;
    if (!add_children(::getpid())) for_each_process(&add_if_child, this);
    for (std::size_t i = 0; i < size_; ++i) {
      visit(found_[i]);
      add_children(found_[i].pid);
    }
  }

 private:
  /// From a list of numbers with spaces between. @return Whether the kernel has such lists (CONFIG_PROC_CHILDREN).
  bool add_children(pid_t parent) {
    const int fd = ::open(ChildrenPath(parent).get(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    std::array<char, 4096> chunk;
    pid_t child = 0;
    ssize_t got = 0;
    while ((got = ::read(fd, chunk.data(), chunk.size())) > 0) {
      for (ssize_t i = 0; i < got; ++i) {
        const char c = chunk[static_cast<std::size_t>(i)];
        if (c >= '0' && c <= '9') {
          child = child * 10 + (c - '0');
          continue;
        }
        add({child, parent});
        child = 0;
      }
    }
    ::close(fd);
    return true;
  }

  /// Without the lists only the children are found. Those of who dies become the supervisor's.
  static void add_if_child(void* self, pid_t pid) {
    ProcessStat stat;
    if (read_process_stat(pid, stat) && stat.parent == ::getpid())
      static_cast<Descendants*>(self)->add({pid, stat.parent});
  }

  void add(const Descendant& one) {
    if (one.pid > 1 && size_ < found_.size()) found_[size_++] = one;
  }

  std::array<Descendant, kMostDescendants> found_{};
  std::size_t size_ = 0;
};

/// Not on the stack: that may be one of aiopt's threads'. Only a supervisor uses it, in its own copy.
constinit Descendants descendants;

/// Through a descriptor, so that nobody else is hit who got the number meanwhile. @return Whether it was alive.
bool kill_if_alive(const Descendant& one) {
  const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, one.pid, 0));
  const bool is_too_old_a_kernel = fd < 0 && errno == ENOSYS;
  ProcessStat stat;
  const bool is_alive = (fd >= 0 || is_too_old_a_kernel) && look_at(one, stat) && stat.is_alive();
  if (is_alive && fd >= 0) ::syscall(SYS_pidfd_send_signal, fd, SIGKILL, nullptr, 0);
  if (is_alive && fd < 0) ::kill(one.pid, SIGKILL);
  if (fd >= 0) ::close(fd);
  return is_alive;
}

class Supervisor {
 public:
  [[noreturn]] void run(const Launch& launch) {
    ::setsid();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::prctl(PR_SET_NAME, "aiopt-superv");
    arrange_descriptors(launch);
    // While it waits an unprivileged aiopt may attach perf events to it. Nothing of the command's is there yet.
    if (launch.go >= 0) wait_for_go();
    // Nobody of the same user may trace it or open its report pipe through /proc. The command's execve undoes it there.
    ::prctl(PR_SET_DUMPABLE, 0);
    reset_signal_handlers();
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    sigset_t child_ended;
    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    signals_ = ::signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
    if (!launch.sync_events.empty()) syncs_.open(launch.sync_events);
    start(launch);
    wait_for_command();
    end_tree();
    ::_exit(0);
  }

 private:
  static void wait_for_go() {
    char ignored = 0;
    while (::read(kGo, &ignored, 1) < 0 && errno == EINTR) {
    }
    ::close(kGo);
  }

  void start(const Launch& launch) {
    rusage own{};
    ::getrusage(RUSAGE_SELF, &own);
    report_.rss_floor_bytes = own.ru_maxrss * 1024;
    const pid_t self = ::getpid();
    started_ns_ = monotonic_ns();
    command_ = ::fork();
    if (command_ == 0) become_command(launch, self);
    if (command_ < 0) fail(SupervisorReport::Kind::no_program, errno);
    for (int fd = 0; fd < kControl; ++fd) ::close(fd);
    if (launch.slow_syncs >= 0) ::close(kSlowSyncs);
    for (std::size_t i = 0; i < launch.groups.size(); ++i) ::close(kFirstGroup + static_cast<int>(i));
    for (std::size_t i = 0; i < launch.passed.size(); ++i) ::close(kFirstPassed + static_cast<int>(i));
  }

  void wait_for_command() {
    while (!ended_ && !report_.was_asked) {
      std::array<pollfd, 2> events{{{kControl, POLLIN, 0}, {signals_, POLLIN, 0}}};
      ::poll(events.data(), events.size(), -1);
      reap();  // First: a command that ended by itself did so, even if the wish came in the same moment.
      if (!ended_ && events[0].revents != 0) report_.was_asked = true;
    }
  }

  void forget_signals() const {
    std::array<signalfd_siginfo, 16> ignored;
    while (::read(signals_, ignored.data(), sizeof ignored) > 0) {
    }
  }

  /// Takes leave of all the dead, orphans given to the subreaper too. @return Whether nobody is left.
  bool reap() {
    forget_signals();
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG | __WALL);
      if (pid < 0 && errno == EINTR) continue;
      if (pid <= 0) return pid < 0;
      if (pid == command_ && !ended_) note_end(status);
    }
  }

  void note_end(int status) {
    ended_ = true;
    report_.kind = SupervisorReport::Kind::command_ended;
    report_.value = status;
    report_.wall_ns = monotonic_ns() - started_ns_;
    if (!report_.was_asked) look_at_those_left();
    send(report_);
  }

  void look_at_those_left() {
    const std::int64_t tick_us = 1'000'000 / std::max(::sysconf(_SC_CLK_TCK), 1L);
    cpu_at_end_us_ = 0;
    descendants.each([&](const Descendant& one) {
      ProcessStat stat;
      if (!look_at(one, stat)) return;
      if (stat.is_alive() && !is_first_of_namespace(one.pid)) ++report_.processes_left;
      cpu_at_end_us_ += nanoseconds_of(cpu_clock_of(one.pid)) / 1000;
      cpu_at_end_us_ += static_cast<std::int64_t>(stat.children_cpu_ticks) * tick_us;
    });
    rusage children{};
    ::getrusage(RUSAGE_CHILDREN, &children);
    cpu_at_end_us_ += cpu_us_of(children);
  }

  /// The dead are waited for only when all are dead: until then they take up room under RLIMIT_NPROC and pids.max, so
  /// that a program that forks faster than it is killed runs out of room.
  void end_tree() {
    for (int round = 0;; ++round) {
      forget_signals();
      if (kill_all() == 0 && reap()) break;
      if (round == 0) hurry();
      // New orphans send no signal. What outlives a thousand rounds hangs in the kernel or is not ours to kill.
      pollfd event{signals_, POLLIN, 0};
      ::poll(&event, 1, round < 1000 ? 2 : 500);
    }
    tell_end();
  }

  /// There is something to kill. Each of these needs a right or a group that may not be there.
  static void hurry() {
    // A thousand busy processes must not keep their end from its turn.
    const sched_param first{1};
    ::sched_setscheduler(0, SCHED_FIFO, &first);
    [[maybe_unused]] ssize_t written = ::write(kStopForks, "0", 1);
    written = ::write(kKillGroup, "1", 1);
  }

  /// @return How many were alive.
  static int kill_all() {
    int alive = 0;
    descendants.each([&](const Descendant& one) { alive += kill_if_alive(one) ? 1 : 0; });
    return alive;
  }

  void tell_end() {
    rusage children{};
    ::getrusage(RUSAGE_CHILDREN, &children);
    report_.kind = SupervisorReport::Kind::tree_ended;
    report_.cpu_us = cpu_us_of(children);
    if (cpu_at_end_us_ >= 0) report_.cpu_after_end_us = std::max<std::int64_t>(report_.cpu_us - cpu_at_end_us_, 0);
    report_.peak_rss_bytes = children.ru_maxrss * 1024;
    report_.bytes_written = std::int64_t{children.ru_oublock} * 512;
    report_.syncs = syncs_.count();
    send(report_);
  }

  SupervisorReport report_;
  SyncCounter syncs_;
  std::int64_t started_ns_ = 0;
  std::int64_t cpu_at_end_us_ = -1;  ///< What the tree had used when the command had ended by itself; -1: it has not.
  pid_t command_ = -1;
  int signals_ = -1;
  bool ended_ = false;
};

}  // namespace

void supervise(const Launch& launch) {
  Supervisor().run(launch);
}

}  // namespace aiopt
