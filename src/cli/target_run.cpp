/// Spawning, waiting and ending: see the header.

#include "cli/target_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <optional>
#include <thread>

#include "base/clock.hpp"
#include "base/subprocess.hpp"

namespace aiopt {

namespace {

constexpr std::chrono::milliseconds kLook{20};
constexpr std::chrono::seconds kTimeToEnd{2};

using Deadline = std::chrono::steady_clock::time_point;

/// @return Its status, if it has ended by then.
std::optional<int> wait_until(pid_t pid, Deadline deadline, const std::stop_token& stop) {
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(pid, &status, WNOHANG);
    if (ended == pid || (ended < 0 && errno != EINTR)) return status;
    if (stop.stop_requested() || monotonic_now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(kLook);
  }
}

int end_group(pid_t pid) {
  ::kill(-pid, SIGTERM);
  const std::optional<int> ended = wait_until(pid, monotonic_now() + kTimeToEnd, {});
  ::kill(-pid, SIGKILL);
  if (ended) return *ended;
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// A group of its own, no signal blocked. @return errno, 0 where it runs.
int spawn(const std::vector<std::string>& arguments, pid_t& pid) {
  std::vector<std::string> texts = arguments;
  std::vector<char*> words;
  for (std::string& text : texts) words.push_back(text.data());
  words.push_back(nullptr);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  const int failed = ::posix_spawnp(&pid, words[0], nullptr, &attributes, words.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  return failed;
}

}  // namespace

TargetStreams::TargetStreams(bool stdout_is_ours) : on_broken_pipe_(std::signal(SIGPIPE, SIG_DFL)) {
  if (!stdout_is_ours) return;
  std::fflush(stdout);
  stdout_ = FileDescriptor(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  if (stdout_.is_open()) ::dup2(STDERR_FILENO, STDOUT_FILENO);
}

TargetStreams::~TargetStreams() {
  if (stdout_.is_open()) ::dup2(stdout_.get(), STDOUT_FILENO);
  std::signal(SIGPIPE, on_broken_pipe_);
}

Result<TargetEnd> run_target(const std::vector<std::string>& arguments, std::chrono::milliseconds limit,
                             const std::stop_token& stop) {
  pid_t pid = -1;
  if (const int failed = spawn(arguments, pid); failed != 0) {
    return Error{failed == ENOENT ? Error::Code::not_found : Error::Code::unavailable,
                 fmt::format("cannot start {}: {}", arguments.front(), std::strerror(failed))};
  }
  const Deadline deadline = limit.count() > 0 ? monotonic_now() + limit : Deadline::max();
  const std::optional<int> ended = wait_until(pid, deadline, stop);
  // What it left behind in its group is ended too.
  const int status = end_group(pid);
  return ended ? TargetEnd{*ended, false} : TargetEnd{status, true};
}

std::string failure_of(int status) {
  CommandResult result;
  result.end = Exited{WEXITSTATUS(status)};
  if (WIFSIGNALED(status)) result.end = Signalled{WTERMSIG(status)};
  return result.succeeded() ? "" : result.how_it_ended();
}

}  // namespace aiopt
