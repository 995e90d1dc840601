/// Tests of commands that do not want to end, with real processes. None may leave anything behind.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "base/commands.hpp"
#include "base/containment.hpp"
#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "base/tree_cgroup.hpp"

using namespace aiopt;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// Half of the minute that these commands would sleep.
constexpr auto kNobodyWaited = 30s;

using SteadyClock = std::chrono::steady_clock;

constexpr const char* kMark = "AIOPT_TEST_MARK";

/// Folders that this process or another made for commands, in the groups that this process is in.
std::vector<fs::path> group_folders(pid_t maker) {
  const auto cgroup = read_file("/proc/self/cgroup");
  const auto mounts = read_file("/proc/self/mountinfo");
  std::vector<fs::path> found;
  for (const char* controller : {"memory", "pids", ""}) {
    const auto base = cgroup && mounts ? cgroup_folder(controller, *cgroup, *mounts) : std::nullopt;
    std::error_code error;
    for (fs::directory_iterator entry(base.value_or("/nowhere"), error), end; !error && entry != end;
         entry.increment(error)) {
      if (entry->path().filename().string().starts_with("aiopt-" + std::to_string(maker) + "-")) {
        found.push_back(entry->path());
      }
    }
  }
  return found;
}

/// Runs commands that carry a mark in their environment, and looks for whatever carries it still.
class Watched {
 public:
  Watched() : mark_(std::to_string(::getpid()) + "." + std::to_string(SteadyClock::now().time_since_epoch().count())) {}

  CommandResult run(Command command) {
    command.variables[kMark] = mark_;
    const auto start = SteadyClock::now();
    const CommandResult result = aiopt::run(command);
    took_ = SteadyClock::now() - start;
    check_nothing_is_left();
    return result;
  }

  SteadyClock::duration took() const { return took_; }

 private:
  void check_nothing_is_left() const {
    int alive = 0;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string pid = entry.path().filename().string();
      if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
      const auto environment = read_file(entry.path() / "environ");
      const bool is_ours = environment && environment->find(std::string(kMark) + "=" + mark_) != std::string::npos;
      if (is_ours && is_alive(std::atoi(pid.c_str()))) ++alive;
    }
    CHECK(alive == 0);
    CHECK(group_folders(::getpid()).empty());
    CHECK((::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD));
  }

  std::string mark_;
  SteadyClock::duration took_{};
};

}  // namespace

TEST_CASE("child: forks for ever" * doctest::skip()) {
  while (std::getenv(kMark) != nullptr) ::fork();  // Not for who runs all that is skipped.
}

TEST_CASE("child: forks for ever in sessions of their own, deaf to what it may be deaf to" * doctest::skip()) {
  for (int signal = 1; signal < NSIG; ++signal) std::signal(signal, SIG_IGN);
  while (std::getenv(kMark) != nullptr) {
    if (::fork() == 0) ::setsid();
  }
}

TEST_CASE("child: runs a command in groups of its own" * doctest::skip()) {
  Command command = shell(std::getenv("AIOPT_TEST_LINE"));
  command.limits.tree_processes = 100;
  command.limits.tree_memory_bytes = 1'000'000'000;
  (void)run_command(command);
}

TEST_CASE("an endless loop ends in time") {
  Watched watched;
  CHECK(std::holds_alternative<TimedOut>(watched.run(shell("while :; do :; done", 300ms)).end));
  CHECK(watched.took() < 1500ms);
}

TEST_CASE("a fork bomb in a control group ends in time") {
  if (!probe_containment().tree_processes) return;
  Watched watched;
  for (const char* bomb : {"child: forks for ever", "child: forks for ever in sessions*"}) {
    Command command = shell(child_program(bomb) + " > /dev/null 2>&1", 500ms);
    command.limits.tree_processes = 200;
    CHECK(std::holds_alternative<TimedOut>(watched.run(command).end));
    CHECK(watched.took() < kNobodyWaited);
  }
}

TEST_CASE("a fork bomb of an ordinary user ends in time without a control group") {
  Watched watched;
  for (const char* bomb : {"while(1) { fork }", "$SIG{CHLD} = 'IGNORE'; use POSIX; while(1) { fork or setsid }"}) {
    Command command = shell(std::string("exec perl -e \"") + (bomb[0] == '$' ? "\\" : "") + bomb + "\"", 500ms);
    // A user whom nobody else is; the tests may run as one themselves.
    const std::string user = std::to_string(700'000 + ::getpid() % 100'000);
    if (::getuid() == 0) command.wrapper = {"setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups", "--"};
    command.limits.processes = 200;
    CHECK(std::holds_alternative<TimedOut>(watched.run(command).end));
    CHECK(watched.took() < kNobodyWaited);
  }
}

TEST_CASE("ten gigabytes of output neither fill memory nor delay the end") {
  Watched watched;
  Command command = shell("head -c 10000000000 /dev/zero; sleep 60", 1s);
  command.output_limit_bytes = 10'000;
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  const CommandResult result = watched.run(command);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  CHECK(std::holds_alternative<TimedOut>(result.end));
  CHECK(result.output.size() <= 10'000);
  CHECK(after.ru_maxrss - before.ru_maxrss < 20'000);
  CHECK(watched.took() < kNobodyWaited);
}

TEST_CASE("a daemon that was left is told of and is dead") {
  const TemporaryFolder folder;
  Watched watched;
  const CommandResult result = watched.run(shell(start_daemons(folder.path(), 1) + "exit 3"));
  CHECK(result.exit_code() == 3);
  // The shell that ignores SIGTERM, and its sleep, if that has been started.
  CHECK(result.processes_left >= 1);
  CHECK(result.processes_left <= 2);
  REQUIRE(daemons_of(folder.path()).size() == 1);
  CHECK(count_alive(daemons_of(folder.path())) == 0);
  CHECK(watched.run(shell("setsid sleep 60 > /dev/null 2>&1 & sleep 0.1")).processes_left == 1);
  CHECK(watched.run(shell("sleep 0.01 & sleep 0.01 & wait")).processes_left == 0);
  CHECK(watched.run(shell("sleep 60", 100ms)).processes_left == 0);
}

TEST_CASE("the CPU time of what works on after the command's end is told apart from what it used before") {
  Watched watched;
  const CommandResult result = watched.run(shell("( setsid sh -c 'while :; do :; done' & ) ; sleep 1"));
  CHECK(result.processes_left == 1);
  CHECK(result.cpu_time > 50ms);  // On a busy machine it gets its share only.
  CHECK(result.cpu_after_end < result.cpu_time / 2);
}

TEST_CASE("a command that stops its supervisor gains nothing") {
  Watched watched;
  const CommandResult ended = watched.run(shell("kill -STOP $PPID; exit 4"));
  CHECK(ended.exit_code() == 4);
  CHECK(watched.took() < kNobodyWaited);
  const CommandResult cut = watched.run(shell("kill -STOP $PPID; sleep 60", 1s));
  CHECK(std::holds_alternative<TimedOut>(cut.end));
  CHECK(watched.took() < kNobodyWaited);
}

TEST_CASE("a command that stops its supervisor again and again is ended with its daemons") {
  const TemporaryFolder folder;
  Watched watched;
  const std::string stop_for_ever = "while :; do kill -STOP $PPID; done";
  const CommandResult result = watched.run(shell(start_daemons(folder.path(), 5) + stop_for_ever, 2s));
  CHECK(std::holds_alternative<TimedOut>(result.end));
  CHECK(watched.took() < kNobodyWaited);
  CHECK(daemons_of(folder.path()).size() == 5);
}

TEST_CASE("a command that takes all descriptors from its supervisor is ended by aiopt") {
  const TemporaryFolder folder;
  Watched watched;
  // Without them it finds nobody to kill.
  const CommandResult result =
      watched.run(shell(start_daemons(folder.path(), 5) + "prlimit --pid $PPID --nofile=0:0 && sleep 60", 2s));
  CHECK(std::holds_alternative<TimedOut>(result.end));
  CHECK(watched.took() < kNobodyWaited);
  CHECK(daemons_of(folder.path()).size() == 5);
  CHECK(count_alive(daemons_of(folder.path())) == 0);
}

TEST_CASE("a command that kills its supervisor leaves no daemon") {
  const TemporaryFolder folder;
  Watched watched;
  const std::string line = start_daemons(folder.path(), 10) + "kill -KILL $PPID; sleep 60";
  CHECK(watched.run(shell(line)).how_it_ended() == "killed by SIGKILL");
  CHECK(watched.took() < kNobodyWaited);
  CHECK(daemons_of(folder.path()).size() == 10);
  CHECK(count_alive(daemons_of(folder.path())) == 0);
}

TEST_CASE("a daemon that kills the supervisor spoils the result") {
  Watched watched;
  const CommandResult result =
      watched.run(shell("supervisor=$PPID; ( setsid sh -c \"sleep 0.2; kill -KILL $supervisor\" & ); sleep 60"));
  CHECK(result.how_it_ended() == "killed by SIGKILL");
  CHECK_FALSE(result.succeeded());
}

TEST_CASE("a fork bomb that kills its supervisor first is ended by aiopt itself") {
  if (!probe_containment().tree_processes) return;
  Watched watched;
  Command command = shell("kill -KILL $PPID & setsid " + child_program("child: forks for ever") + " > /dev/null 2>&1");
  command.limits.tree_processes = 200;
  CHECK_FALSE(watched.run(command).succeeded());
  CHECK(watched.took() < kNobodyWaited);
}

TEST_CASE("other commands and this program's own children live on when a supervisor is killed") {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  std::string out;
  std::jthread other([&] {
    const auto result = run_command(shell("sleep 1; echo whole"));
    if (result) out = result->out;
  });
  std::this_thread::sleep_for(200ms);
  CHECK(run(shell("( setsid sleep 60 & ) ; kill -KILL $PPID; sleep 60")).how_it_ended() == "killed by SIGKILL");
  other.join();
  CHECK(out == "whole\n");
  CHECK(is_alive(child));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("a tree that wants more memory than the limit is told from one that fails by itself") {
  if (!probe_containment().tree_memory) return;
  Watched watched;
  Command command = shell("for i in 1 2 3 4; do head -c 100000000 /dev/zero | tail > /dev/null & done; wait", 20s);
  command.limits.tree_memory_bytes = 200'000'000;
  const CommandResult hog = watched.run(command);
  CHECK(hog.hit_memory_limit);
  CHECK(hog.tree_peak_bytes > 150'000'000);
  CHECK(hog.tree_peak_bytes <= 200'000'000);
  command.line = "head -c 50000000 /dev/zero | tail > /dev/null";
  const CommandResult modest = watched.run(command);
  CHECK(modest.succeeded());
  CHECK_FALSE(modest.hit_memory_limit);
  CHECK(modest.tree_peak_bytes > 50'000'000);
  CHECK(modest.tree_peak_bytes < 100'000'000);
}

TEST_CASE("control groups of an aiopt that was killed are removed by the next one") {
  if (!probe_containment().tree_processes) return;
  const TemporaryFolder folder;
  ::setenv("AIOPT_TEST_LINE", ("touch " + (folder.path() / "begun").string() + "; sleep 60").c_str(), 1);
  const pid_t aiopt = ::fork();
  if (aiopt == 0) {
    const std::string program = this_program();
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(null, STDOUT_FILENO);
    ::execl(program.c_str(), program.c_str(), "--no-skip=1", "--test-case=child: runs a command in groups of its own",
            nullptr);
    ::_exit(127);
  }
  for (int i = 0; i < 1000 && !fs::exists(folder.path() / "begun"); ++i) std::this_thread::sleep_for(10ms);
  REQUIRE(fs::exists(folder.path() / "begun"));
  CHECK_FALSE(group_folders(aiopt).empty());
  ::kill(aiopt, SIGKILL);
  ::waitpid(aiopt, nullptr, 0);
  CHECK_FALSE(group_folders(aiopt).empty());
  ::setenv("AIOPT_TEST_LINE", "true", 1);
  CHECK(run(shell(child_program("child: runs a command in groups*") + " > /dev/null")).succeeded());
  CHECK(group_folders(aiopt).empty());
}
