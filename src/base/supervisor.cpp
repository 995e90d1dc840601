/// The supervisor. It runs between fork and _exit of a process with threads: system calls only, no allocation.

#include "base/supervisor.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <ctime>

namespace aiopt {
namespace {

constexpr int kControl = 3;
constexpr int kReport = 4;
constexpr int kFirstUnused = 5;

std::int64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

void send(const SupervisorReport& report) {
  while (::write(kReport, &report, sizeof report) < 0 && errno == EINTR) {
  }
}

void close_from(unsigned first) {
  if (::syscall(SYS_close_range, first, UINT_MAX, 0) == 0) return;
  rlimit files{};  // Kernels before 5.9.
  ::getrlimit(RLIMIT_NOFILE, &files);
  for (rlim_t fd = first; fd < files.rlim_cur; ++fd) ::close(static_cast<int>(fd));
}

/// Standard streams to 0 to 2, control and report to 3 and 4, and nothing else stays open: a descriptor of
/// another command's control pipe, kept here, would hide from its supervisor that aiopt is gone.
void arrange_descriptors(const Launch& launch) {
  std::array<int, kFirstUnused> sources{launch.input, launch.output, launch.errors, launch.control, launch.report};
  // First out of the way of the targets.
  for (int& source : sources) source = ::fcntl(source, F_DUPFD, kFirstUnused);
  for (int target = 0; target < kFirstUnused; ++target) {
    ::dup3(sources[static_cast<std::size_t>(target)], target, target < kControl ? 0 : O_CLOEXEC);
  }
  close_from(kFirstUnused);
}

void reset_signal_handlers() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
}

[[noreturn]] void fail(SupervisorReport::Kind kind, int number) {
  SupervisorReport report;
  report.kind = kind;
  report.value = number;
  send(report);
  ::_exit(127);
}

[[noreturn]] void become_command(const Launch& launch, pid_t supervisor) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(127);
  // A session of its own, so that kill(0, ...) in the command does not reach the supervisor.
  ::setsid();
  if (launch.directory != nullptr && ::chdir(launch.directory) != 0) fail(SupervisorReport::Kind::no_directory, errno);
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
  fail(SupervisorReport::Kind::no_program, number);
}

/// Kills every process of a list as /proc/<pid>/task/<tid>/children has it: numbers with spaces between.
bool kill_listed_children() {
  const int fd = ::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, 4096> chunk;
  pid_t pid = 0;
  ssize_t got = 0;
  while ((got = ::read(fd, chunk.data(), chunk.size())) > 0) {
    for (ssize_t i = 0; i < got; ++i) {
      const char c = chunk[static_cast<std::size_t>(i)];
      if (c >= '0' && c <= '9') {
        pid = pid * 10 + (c - '0');
        continue;
      }
      if (pid > 1) ::kill(pid, SIGKILL);
      pid = 0;
    }
  }
  ::close(fd);
  return got == 0;
}

/// The parent's number, the fourth field of /proc/<pid>/stat; -1 if the process is gone.
pid_t parent_of(int proc, const char* name) {
  const int folder = ::openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return -1;
  const int fd = ::openat(folder, "stat", O_RDONLY | O_CLOEXEC);
  ::close(folder);
  if (fd < 0) return -1;
  std::array<char, 512> text;
  const ssize_t got = ::read(fd, text.data(), text.size());
  ::close(fd);
  // The second field is a name in brackets, in which anything may stand: the last bracket ends it.
  ssize_t at = got - 1;
  while (at >= 0 && text[static_cast<std::size_t>(at)] != ')') --at;
  pid_t parent = 0;
  for (at += 4; at > 3 && at < got; ++at) {
    const char c = text[static_cast<std::size_t>(at)];
    if (c < '0' || c > '9') return parent;
    parent = parent * 10 + (c - '0');
  }
  return -1;
}

/// For kernels without CONFIG_PROC_CHILDREN: looks at every process there is.
void kill_children_by_scan() {
  struct Entry {  // struct linux_dirent64, see getdents64(2); readdir(3) would allocate.
    std::uint64_t inode;
    std::int64_t offset;
    std::uint16_t size;
    std::uint8_t type;
    char name[256];
  };
  const int proc = ::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0) return;
  const pid_t self = ::getpid();
  alignas(Entry) std::array<char, 8192> entries;
  long got = 0;
  while ((got = ::syscall(SYS_getdents64, proc, entries.data(), entries.size())) > 0) {
    for (long at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const Entry*>(entries.data() + at);
      at += entry->size;
      if (entry->name[0] < '1' || entry->name[0] > '9') continue;
      if (parent_of(proc, entry->name) == self) ::kill(static_cast<pid_t>(std::atoi(entry->name)), SIGKILL);
    }
  }
  ::close(proc);
}

class Supervisor {
 public:
  [[noreturn]] void run(const Launch& launch) {
    ::setsid();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::prctl(PR_SET_NAME, "aiopt-superv");
    arrange_descriptors(launch);
    reset_signal_handlers();
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    sigset_t child_ended;
    sigemptyset(&child_ended);
    sigaddset(&child_ended, SIGCHLD);
    signals_ = ::signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
    start(launch);
    wait_for_command();
    end_tree();
    ::_exit(0);
  }

 private:
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
  }

  void wait_for_command() {
    while (!ended_ && !report_.was_asked) {
      std::array<pollfd, 2> events{{{kControl, POLLIN, 0}, {signals_, POLLIN, 0}}};
      ::poll(events.data(), events.size(), -1);
      reap();  // First: a command that ended by itself did so, even if the wish came in the same moment.
      if (!ended_ && events[0].revents != 0) report_.was_asked = true;
    }
  }

  /// Takes leave of all the dead, orphans given to the subreaper too. @return Whether nobody is left.
  bool reap() {
    std::array<signalfd_siginfo, 16> ignored;
    while (::read(signals_, ignored.data(), sizeof ignored) > 0) {
    }
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
    send(report_);
  }

  /// Who dies leaves its children to the subreaper, where the next round finds them: so all go, however deep, and
  /// only when no child is left has every descendant been reached.
  void end_tree() {
    for (int round = 0; !reap(); ++round) {
      if (!kill_listed_children()) kill_children_by_scan();
      // New orphans send no signal. What outlives a hundred rounds hangs in the kernel or is not ours to kill.
      pollfd event{signals_, POLLIN, 0};
      ::poll(&event, 1, round < 100 ? 5 : 500);
    }
    rusage children{};
    ::getrusage(RUSAGE_CHILDREN, &children);
    report_.kind = SupervisorReport::Kind::tree_ended;
    report_.cpu_us = (std::int64_t{children.ru_utime.tv_sec} + children.ru_stime.tv_sec) * 1'000'000 +
                     children.ru_utime.tv_usec + children.ru_stime.tv_usec;
    report_.peak_rss_bytes = children.ru_maxrss * 1024;
    send(report_);
  }

  SupervisorReport report_;
  std::int64_t started_ns_ = 0;
  pid_t command_ = -1;
  int signals_ = -1;
  bool ended_ = false;
};

}  // namespace

void supervise(const Launch& launch) {
  Supervisor().run(launch);
}

}  // namespace aiopt
