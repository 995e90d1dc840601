/// Tests of running commands, with real processes.

#include "base/subprocess.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "base/clock.hpp"
#include "base/commands.hpp"
#include "base/files.hpp"

using namespace aiopt;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using SteadyClock = std::chrono::steady_clock;

std::size_t count_open_files() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

/// The thread sanitizer makes aiopt itself too slow to look at each thread as often as it has to.
#if defined(__SANITIZE_THREAD__)
constexpr bool kLooksSlowly = true;
#elif defined(__has_feature)
constexpr bool kLooksSlowly = __has_feature(thread_sanitizer);
#else
constexpr bool kLooksSlowly = false;
#endif

/// Once more, up to three times, where it is not `wanted`: a machine that others use too keeps threads from running,
/// and aiopt from looking.
CommandResult run_counted(const std::string& line, double wanted, double tolerance) {
  Command command = shell(line);
  command.count_threads = true;
  CommandResult result;
  for (int attempt = 0; attempt < 3; ++attempt) {
    result = run(command);
    const double seconds = std::chrono::duration<double>(result.thread_time).count();
    if (!result.succeeded() || std::abs(seconds - wanted) <= tolerance * wanted) break;
  }
  return result;
}

std::string thread_program(const std::string& what) {
  return (fs::canonical("/proc/self/exe").parent_path() / "base" / "thread_program").string() + " " + what;
}

}  // namespace

TEST_CASE("child: runs the command in AIOPT_TEST_LINE" * doctest::skip()) {
  CHECK(run_command(shell(std::getenv("AIOPT_TEST_LINE"))).has_value());
}

TEST_CASE("a command's outputs and exit code come back") {
  const CommandResult result = run(shell("echo out; echo err >&2; exit 3"));
  CHECK(result.out == "out\n");
  CHECK(result.output.find("err\n") != std::string::npos);
  CHECK(result.output.size() == 8);
  CHECK(result.exit_code() == 3);
  CHECK_FALSE(result.succeeded());
  CHECK(result.how_it_ended() == "exit code 3");
  CHECK(run(shell("true")).succeeded());
}

TEST_CASE("a signal that ended the command is named") {
  const CommandResult result = run(shell("kill -SEGV $$"));
  CHECK(result.exit_code() == 128 + SIGSEGV);
  CHECK(result.how_it_ended() == "killed by SIGSEGV");
  CHECK(run(shell("sh -c 'kill -SEGV $$'; exit $?")).how_it_ended() == "exit code 139 (SIGSEGV)");
  CHECK(run(shell("exit 200")).how_it_ended() == "exit code 200");
}

TEST_CASE("a command that takes too long is ended") {
  const CommandResult result = run(shell("echo begun; sleep 60", 300ms));
  CHECK(std::holds_alternative<TimedOut>(result.end));
  CHECK(result.exit_code() == 124);
  CHECK(result.how_it_ended() == "timed out after 0.3 s");
  CHECK(result.out == "begun\n");
  CHECK(result.wall_time >= 200ms);  // The time-out began before the command did.
  CHECK(result.wall_time < 1300ms);
}

TEST_CASE("a command runs in its directory, a relative program is found from there") {
  const TemporaryFolder folder;
  REQUIRE(write_file_atomic(folder.path() / "program", "#!/bin/sh\npwd -P; echo \"$1\"\n"));
  fs::permissions(folder.path() / "program", fs::perms(0700));
  Command command;
  command.directory = folder.path();
  const auto result = run_program({"./program", "a b"}, command);
  REQUIRE(result);
  CHECK(result->out == fs::canonical(folder.path()).string() + "\na b\n");
}

TEST_CASE("a missing directory or program is an error that names it") {
  Command command = shell("make\n-j2");
  command.directory = "/no/such/dir";
  const auto in_nowhere = run_command(command);
  REQUIRE_FALSE(in_nowhere);
  CHECK(in_nowhere.error().code == Error::Code::not_found);
  CHECK(in_nowhere.error().message == "cannot start 'make' in /no/such/dir: No such file or directory");
  const auto no_program = run_program({"no-such-program-1"}, Command{});
  REQUIRE_FALSE(no_program);
  CHECK(no_program.error().code == Error::Code::not_found);
  CHECK(no_program.error().message == "cannot start 'no-such-program-1': No such file or directory");
  CHECK_FALSE(run_program({}, Command{}));
  CHECK_FALSE(run_program({""}, Command{}));
  CHECK_FALSE(run_command(shell(std::string("echo a\0b", 8))));
  const auto not_to_be_run = run_program({"/etc/passwd"}, Command{});
  REQUIRE_FALSE(not_to_be_run);
  CHECK(not_to_be_run.error().message == "cannot start '/etc/passwd': Permission denied");
}

TEST_CASE("a program that is nowhere is not found, even if a folder of PATH may not be looked into") {
  Command command;
  // As root may look everywhere, a name that is too long stands for the folder.
  command.variables["PATH"] = "/" + std::string(300, 'x') + ":/bin";
  const auto result = run_program({"no-such-program-1"}, command);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == Error::Code::not_found);
}

TEST_CASE("a program is looked for in the PATH that it will have") {
  const TemporaryFolder folder;
  REQUIRE(write_file_atomic(folder.path() / "own-program", "#!/bin/sh\necho found\n"));
  fs::permissions(folder.path() / "own-program", fs::perms(0700));
  Command command;
  command.variables["PATH"] = "/nowhere::" + folder.path().string() + ":/bin:/usr/bin";
  const auto result = run_program({"own-program"}, command);
  REQUIRE(result);
  CHECK(result->out == "found\n");
}

TEST_CASE("hidden variables are gone from the command's environment and set ones are there") {
  ::setenv("AIOPT_TEST_KEY", "hush", 1);
  ::setenv("AIOPT_TEST_KEY_2", "kept", 1);
  ::setenv("AIOPT_TEST_OTHER", "old", 1);
  Command command = shell("env");
  command.hidden_variables = {"AIOPT_TEST_KEY"};
  command.variables = {{"AIOPT_TEST_OTHER", "new"}};
  const std::string out = run(command).out;
  CHECK(out.find("hush") == std::string::npos);
  CHECK(out.find("AIOPT_TEST_KEY_2=kept\n") != std::string::npos);
  CHECK(out.find("AIOPT_TEST_OTHER=new\n") != std::string::npos);
  CHECK(out.find("AIOPT_TEST_OTHER=old\n") == std::string::npos);
}

TEST_CASE("a command reads its input, however much, and may leave it unread") {
  Command command = shell("wc -c");
  command.input = std::string(5'000'000, 'x');
  CHECK(run(command).out == "5000000\n");
  command.line = "exec <&-; echo done";
  CHECK(run(command).out == "done\n");
  command.line = "cat";
  command.input.clear();
  CHECK(run(command).out.empty());
}

TEST_CASE("endless output fills neither memory nor stops the time-out") {
  Command command = shell("yes a-line-of-output", 500ms);
  command.output_limit_bytes = 10'000;
  const auto start = SteadyClock::now();
  const CommandResult result = run(command);
  CHECK(SteadyClock::now() - start < 2s);
  CHECK(std::holds_alternative<TimedOut>(result.end));
  CHECK(result.output.size() <= 10'000);
  CHECK(result.output.find("bytes left out") != std::string::npos);
  CHECK(result.out.starts_with("a-line-of-output\n"));
}

TEST_CASE("a gigabyte of output passes through") {
  Command command = shell("head -c 1000000000 /dev/zero; echo end");
  command.output_limit_bytes = 1000;
  const CommandResult result = run(command);
  CHECK(result.succeeded());
  CHECK(result.out.ends_with("end\n"));
}

TEST_CASE("a command that closes its output goes on and is waited for") {
  const CommandResult result = run(shell("echo a; exec >&- 2>&-; sleep 0.2; exit 5"));
  CHECK(result.exit_code() == 5);
  CHECK(result.out == "a\n");
  CHECK(result.wall_time >= 200ms);
}

TEST_CASE("twenty daemons that a command leaves behind are gone when it has ended") {
  const TemporaryFolder folder;
  const CommandResult result = run(shell(start_daemons(folder.path())));
  CHECK(result.out == "started\n");
  const std::vector<pid_t> daemons = daemons_of(folder.path());
  CHECK(daemons.size() == 20);
  CHECK(count_alive(daemons) == 0);
}

TEST_CASE("a time-out ends a tree of daemons within a second") {
  const TemporaryFolder folder;
  const auto start = SteadyClock::now();
  const CommandResult result = run(shell(start_daemons(folder.path()) + "sleep 60", 2s));
  CHECK(SteadyClock::now() - start < 3s);
  CHECK(std::holds_alternative<TimedOut>(result.end));
  CHECK(daemons_of(folder.path()).size() == 20);
  CHECK(count_alive(daemons_of(folder.path())) == 0);
}

TEST_CASE("a stop request from another thread ends the command and its daemons") {
  const TemporaryFolder folder;
  std::stop_source source;
  SteadyClock::time_point asked;
  std::jthread stopper([&] {
    for (int i = 0; i < 1000 && daemons_of(folder.path()).size() < 20; ++i) std::this_thread::sleep_for(10ms);
    asked = SteadyClock::now();
    source.request_stop();
  });
  const CommandResult result = run(shell(start_daemons(folder.path()) + "sleep 60"), source.get_token());
  stopper.join();
  CHECK(SteadyClock::now() - asked < 1s);
  CHECK(std::holds_alternative<Cancelled>(result.end));
  CHECK(result.how_it_ended() == "stopped");
  CHECK(daemons_of(folder.path()).size() == 20);
  CHECK(count_alive(daemons_of(folder.path())) == 0);
}

TEST_CASE("a command is not started after a stop request") {
  const TemporaryFolder folder;
  std::stop_source source;
  source.request_stop();
  const CommandResult result = run(shell("touch " + (folder.path() / "file").string()), source.get_token());
  CHECK(std::holds_alternative<Cancelled>(result.end));
  CHECK_FALSE(fs::exists(folder.path() / "file"));
}

TEST_CASE("a child that was stopped does not outlive the command") {
  const TemporaryFolder folder;
  const std::string pid_file = (folder.path() / "pid.1").string();
  const auto start = SteadyClock::now();
  run(shell("sleep 60 & echo $! > " + pid_file + "; kill -STOP $!"));
  CHECK(SteadyClock::now() - start < 1s);
  REQUIRE(daemons_of(folder.path()).size() == 1);
  CHECK(count_alive(daemons_of(folder.path())) == 0);
}

TEST_CASE("a command that stops itself is ended by the time-out") {
  CHECK(std::holds_alternative<TimedOut>(run(shell("kill -STOP $$", 200ms)).end));
}

TEST_CASE("a program that forks and leaves, again and again, is caught") {
  const TemporaryFolder folder;
  // Each link of the chain writes a byte, so that a chain that goes on shows.
  const std::string script = (folder.path() / "link").string();
  const std::string trace = (folder.path() / "trace").string();
  REQUIRE(write_file_atomic(script, "printf . >> " + trace + "\nsh " + script + " &\n"));
  const CommandResult result = run(shell("sh " + script + "; sleep 0.3"));
  CHECK(result.succeeded());
  const auto length = fs::file_size(trace);
  CHECK(length > 3);
  std::this_thread::sleep_for(100ms);
  CHECK(fs::file_size(trace) == length);
}

TEST_CASE("a command that kills its own process group ends, and its report comes") {
  const CommandResult result = run(shell("kill -KILL 0"));
  CHECK(result.how_it_ended() == "killed by SIGKILL");
}

TEST_CASE("a command that kills its supervisor is taken for killed and leaves no zombie") {
  const CommandResult result = run(shell("kill -KILL $PPID; sleep 5"));
  CHECK(result.how_it_ended() == "killed by SIGKILL");
  CHECK((::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD));
}

TEST_CASE("nothing survives when aiopt itself is killed") {
  const TemporaryFolder folder;
  const std::string line = start_daemons(folder.path()) + "sleep 60";
  ::setenv("AIOPT_TEST_LINE", line.c_str(), 1);
  const pid_t aiopt = ::fork();
  if (aiopt == 0) {
    const std::string program = this_program();
    const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ::dup2(null, STDOUT_FILENO);
    ::execl(program.c_str(), program.c_str(), "--no-skip=1", "--test-case=child: runs the command in AIOPT_TEST_LINE",
            nullptr);
    ::_exit(127);
  }
  REQUIRE(aiopt > 0);
  for (int i = 0; i < 1000 && daemons_of(folder.path()).size() < 20; ++i) std::this_thread::sleep_for(10ms);
  const std::vector<pid_t> daemons = daemons_of(folder.path());
  REQUIRE(daemons.size() == 20);
  CHECK(count_alive(daemons) == 20);
  ::kill(aiopt, SIGKILL);
  ::waitpid(aiopt, nullptr, 0);
  const auto killed = SteadyClock::now();
  while (count_alive(daemons) > 0 && SteadyClock::now() - killed < 5s) std::this_thread::sleep_for(5ms);
  CHECK(SteadyClock::now() - killed < 1s);
  CHECK(count_alive(daemons) == 0);
}

TEST_CASE("sixteen commands at once each get their own output and no other's descriptors") {
  const std::size_t open_before = count_open_files();
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([i, &right] {
        for (int turn = 0; turn < 5; ++turn) {
          Command command = shell("cat; ls -l /proc/self/fd | grep -c -e pipe: -e eventfd -e signalfd");
          command.input = "command " + std::to_string(i) + "\n";
          const auto result = run_command(command);
          // Of ls's own pipes there is one, to grep, and standard error.
          if (result && result->out == command.input + "2\n") ++right;
        }
      });
    }
  }
  CHECK(right == 80);
  CHECK(count_open_files() == open_before);
  CHECK((::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD));
}

TEST_CASE("a command starts with no signal blocked or ignored, whatever aiopt does with them, and leaves no core") {
  const auto handler = std::signal(SIGPIPE, SIG_IGN);
  const std::string out = run(shell("grep -E 'Sig(Blk|Ign)' /proc/self/status; ulimit -c")).out;
  std::signal(SIGPIPE, handler);
  CHECK(out == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n0\n");
}

TEST_CASE("CPU time is that of the whole tree, and the wall time that of the command") {
  const CommandResult result = run(shell(thread_program("uses_300_ms") + " >&2 & wait; sleep 0.2"));
  CHECK(result.cpu_time >= 300ms);
  CHECK(result.cpu_time < 600ms);
  CHECK(result.wall_time >= 500ms);
  CHECK(result.thread_time == 0us);
}

TEST_CASE("the thread time of two busy threads is that of two, their waiting main left out" *
          doctest::skip(kLooksSlowly)) {
  const CommandResult result = run_counted(thread_program("two_busy"), 1.0, 0.15);
  REQUIRE(result.succeeded());
  CHECK(std::chrono::duration<double>(result.thread_time).count() == doctest::Approx(1.0).epsilon(0.15));
}

TEST_CASE("a sleeping main and idle threads of a pool are left out of the thread time" * doctest::skip(kLooksSlowly)) {
  const CommandResult result = run_counted(thread_program("one_busy") + "; true", 0.6, 0.15);
  REQUIRE(result.succeeded());
  CHECK(std::chrono::duration<double>(result.thread_time).count() == doctest::Approx(0.6).epsilon(0.15));
}

TEST_CASE("a thread that waits again and again is in the thread time, and not in the CPU time" *
          doctest::skip(kLooksSlowly)) {
  const CommandResult result = run_counted(thread_program("one_waits"), 0.5, 0.2);
  REQUIRE(result.succeeded());
  CHECK(std::chrono::duration<double>(result.thread_time).count() == doctest::Approx(0.5).epsilon(0.2));
  CHECK(result.cpu_time < 200ms);
}

TEST_CASE("counting 16 threads costs aiopt less than a twentieth of a processor") {
  Command command = shell(thread_program("sixteen_wait"));
  command.count_threads = true;
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  const CommandResult result = run(command);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  const auto micros = [](const timeval& time) { return time.tv_sec * 1'000'000 + time.tv_usec; };
  const auto used = micros(after.ru_utime) + micros(after.ru_stime) - micros(before.ru_utime) - micros(before.ru_stime);
  const double share = static_cast<double>(used) / static_cast<double>(result.wall_time.count());
  MESSAGE("share of one processor: ", share, "; thread time: ", result.thread_time.count(), " us");
  CHECK(share < 0.05);
}

TEST_CASE("the peak of memory is that of the largest process") {
  Command command = shell("head -c 100000000 /dev/zero | tail | wc -c; true");
  command.count_threads = true;
  const CommandResult result = run(command);
  CHECK(result.peak_rss_bytes > 100'000'000);
  CHECK(result.peak_rss_bytes < 250'000'000);
}

TEST_CASE("before a command starts, its supervisor is there to be looked at, and then it goes on") {
  const TemporaryFolder folder;
  const auto started = folder.path() / "started";
  Command command = shell("touch " + started.string() + "; echo $PPID");
  pid_t told = -1;
  bool had_started = true;
  command.before_start = [&](pid_t supervisor) {
    told = supervisor;
    std::this_thread::sleep_for(100ms);
    had_started = std::filesystem::exists(started);
  };
  const CommandResult result = run(command);
  CHECK(result.succeeded());
  CHECK_FALSE(had_started);
  CHECK(std::filesystem::exists(started));
  CHECK(result.out == std::to_string(told) + "\n");
  CHECK(result.wall_time < 90ms);  // Of the command alone.
}
