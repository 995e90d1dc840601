/// What is left to aiopt itself when a command killed its own supervisor.

#include "base/orphans.hpp"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/process_stat.hpp"

namespace aiopt {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause = 2ms;

/// A supervisor is forked, waited for, and told from an orphan with this locked.
struct Supervisors {
  std::mutex mutex;
  std::set<pid_t> pids;  ///< Of those that were not waited for yet.
  int was_subreaper = 0;
};

Supervisors& supervisors() {
  static Supervisors all;
  return all;
}

/// The start of a process that is younger than all that were started before `moment`, see ProcessStat::start_ticks.
std::uint64_t ticks_at(SteadyClock::time_point moment) {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto since_boot = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  const double seconds = std::chrono::duration<double>(since_boot - (SteadyClock::now() - moment)).count();
  const double ticks = seconds * static_cast<double>(::sysconf(_SC_CLK_TCK)) - 1.0;
  return static_cast<std::uint64_t>(std::max(ticks, 0.0));
}

struct Process {
  pid_t pid = 0;
  ProcessStat stat;
  bool is_orphan = false;
};

/// The orphans and all below them, dead ones too.
std::vector<Process> find_orphans(std::uint64_t since_ticks, const std::set<pid_t>& supervisors) {
  std::vector<Process> processes;
  for_each_process(
      [](void* all, pid_t pid) {
        Process process{pid, {}, false};
        if (read_process_stat(pid, process.stat)) static_cast<std::vector<Process>*>(all)->push_back(process);
      },
      &processes);
  const pid_t self = ::getpid();
  const pid_t session = ::getsid(0);
  std::set<pid_t> orphans;
  for (bool found_more = true; found_more;) {
    found_more = false;
    for (Process& process : processes) {
      const ProcessStat& stat = process.stat;
      const bool came_to_us = stat.parent == self && stat.session != session && stat.start_ticks >= since_ticks &&
                              !supervisors.contains(process.pid);
      if (!process.is_orphan && (came_to_us || orphans.contains(stat.parent))) {
        process.is_orphan = true;
        orphans.insert(process.pid);
        found_more = true;
      }
    }
  }
  processes.erase(std::remove_if(processes.begin(), processes.end(), [](const Process& p) { return !p.is_orphan; }),
                  processes.end());
  return processes;
}

/// Through a descriptor, so that nobody else is hit who got the number meanwhile.
void kill_process(const Process& process) {
  const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0));
  if (fd < 0 && errno == ENOSYS) ::kill(process.pid, SIGKILL);  // Kernels before 5.3.
  if (fd < 0) return;
  ProcessStat now;
  if (read_process_stat(process.pid, now) && now.start_ticks == process.stat.start_ticks) {
    ::syscall(SYS_pidfd_send_signal, fd, SIGKILL, nullptr, 0);
  }
  ::close(fd);
}

/// @return Whether there were none.
bool kill_orphans(std::uint64_t since_ticks) {
  Supervisors& all = supervisors();
  const std::lock_guard lock(all.mutex);
  const std::vector<Process> orphans = find_orphans(since_ticks, all.pids);
  bool are_dead = true;
  for (const Process& orphan : orphans) {
    if (!orphan.stat.is_alive()) continue;
    are_dead = false;
    kill_process(orphan);
  }
  // As in the supervisor, the dead keep their places until all are dead.
  for (const Process& orphan : orphans) {
    if (are_dead && orphan.stat.parent == ::getpid()) ::waitpid(orphan.pid, nullptr, WNOHANG | __WALL);
  }
  return orphans.empty();
}

}  // namespace

pid_t fork_supervisor() {
  Supervisors& all = supervisors();
  const std::lock_guard lock(all.mutex);
  if (all.pids.empty()) {
    ::prctl(PR_GET_CHILD_SUBREAPER, &all.was_subreaper);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  }
  const pid_t pid = ::fork();
  if (pid > 0) all.pids.insert(pid);
  return pid;
}

bool wait_for_supervisor(pid_t supervisor, std::chrono::milliseconds patience) {
  const auto until = SteadyClock::now() + patience;
  for (std::chrono::microseconds pause = 50us;; pause = std::min<std::chrono::microseconds>(2 * pause, kPause)) {
    siginfo_t ended{};
    const int failed = ::waitid(P_PID, static_cast<id_t>(supervisor), &ended, WEXITED | WNOWAIT | WNOHANG);
    if ((failed != 0 && errno != EINTR) || (failed == 0 && ended.si_pid == supervisor)) return true;
    if (SteadyClock::now() >= until) return false;
    std::this_thread::sleep_for(pause);
  }
}

bool end_orphans(SteadyClock::time_point command_started, std::chrono::milliseconds patience) {
  const std::uint64_t since_ticks = ticks_at(command_started);
  const auto until = SteadyClock::now() + patience;
  while (!kill_orphans(since_ticks)) {
    if (SteadyClock::now() >= until) return false;
    std::this_thread::sleep_for(kPause);
  }
  return true;
}

void forget_supervisor(pid_t supervisor) {
  Supervisors& all = supervisors();
  // Locked, for once it is waited for its number may be given to the next one.
  const std::lock_guard lock(all.mutex);
  ::waitpid(supervisor, nullptr, WNOHANG);
  all.pids.erase(supervisor);
  if (all.pids.empty()) ::prctl(PR_SET_CHILD_SUBREAPER, all.was_subreaper);
}

}  // namespace aiopt
