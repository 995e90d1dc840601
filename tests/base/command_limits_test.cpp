/// Tests of what bounds, wraps and observes a command, with real processes.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "base/commands.hpp"
#include "base/containment.hpp"
#include "base/cpu_set.hpp"
#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "base/sync_counter.hpp"

using namespace aiopt;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMegabyte = 1'000'000;

FileDescriptor file_with(std::string_view text) {
  FileDescriptor file(::memfd_create("test", MFD_CLOEXEC));
  REQUIRE(file.is_open());
  REQUIRE(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  REQUIRE(::lseek(file.get(), 0, SEEK_SET) == 0);
  return file;
}

bool can_sandbox() {
  const auto result = run_program({"bwrap", "--unshare-all", "--ro-bind", "/", "/", "--", "/bin/true"}, Command{});
  return result && result->succeeded();
}

void sync_times(const fs::path& file, int times) {
  const FileDescriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  for (int i = 0; i < times; ++i) {
    if (::write(fd.get(), "x", 1) == 1) (void)(i % 2 == 0 ? ::fsync(fd.get()) : ::fdatasync(fd.get()));
  }
}

void write_durably(const fs::path& file, int times) {
  const FileDescriptor fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_DSYNC | O_CLOEXEC, 0600));
  for (int i = 0; i < times; ++i) (void)!::write(fd.get(), "x", 1);
}

void sync_mapping(const fs::path& file, int times, int flags) {
  const FileDescriptor fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (::ftruncate(fd.get(), 4096) != 0) return;
  void* const mapping = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  for (int i = 0; i < times; ++i) {
    static_cast<char*>(mapping)[i] = 1;
    (void)::msync(mapping, 4096, flags);
  }
  ::munmap(mapping, 4096);
}

}  // namespace

TEST_CASE("child: 70 syncs of three threads in each of two processes" * doctest::skip()) {
  const fs::path folder = std::getenv("AIOPT_TEST_FOLDER");
  const pid_t child = ::fork();
  const std::string name = child == 0 ? "child" : "parent";
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back(sync_times, folder / (name + std::to_string(i)), 20);
    }
  }
  sync_mapping(folder / (name + "-mapped"), 10, MS_SYNC);
  sync_mapping(folder / (name + "-mapped"), 10, MS_ASYNC);
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
}

TEST_CASE("child: 30 writes to a file opened with O_DSYNC" * doctest::skip()) {
  write_durably(fs::path(std::getenv("AIOPT_TEST_FOLDER")) / "durable", 30);
}

TEST_CASE("child: 5 syncs and then it waits for its end" * doctest::skip()) {
  sync_times(fs::path(std::getenv("AIOPT_TEST_FOLDER")) / "file", 5);
  std::this_thread::sleep_for(60s);
}

TEST_CASE("a file grows no larger than the limit") {
  const TemporaryFolder folder;
  Command command = shell("exec head -c 50000000 /dev/zero > " + (folder.path() / "file").string());
  command.limits.file_bytes = kMegabyte;
  CHECK(run(command).how_it_ended() == "killed by SIGXFSZ");
  CHECK(fs::file_size(folder.path() / "file") == kMegabyte);
  command.line = "trap '' XFSZ; " + command.line;
  CHECK(run(command).exit_code() == 1);  // head's own report of EFBIG.
}

TEST_CASE("a process uses no more CPU time than the limit") {
  Command command = shell("while :; do :; done");
  command.limits.cpu_seconds = 1;
  CHECK(run(command).how_it_ended() == "killed by SIGXCPU");
  command.line = "trap '' XCPU; while :; do :; done";
  CHECK(run(command).how_it_ended() == "killed by SIGKILL");
}

TEST_CASE("each limit is where the command sees it, and in its children") {
  Command command = shell("sh -c 'ulimit -n; ulimit -v; ulimit -Hn'; cat /proc/self/limits | grep 'Max processes'");
  command.limits.open_files = 50;
  command.limits.address_space_bytes = 4'096'000'000;
  command.limits.processes = 4000;
  const std::string out = run(command).out;
  CHECK(out.starts_with("50\n4000000\n50\n"));
  CHECK(out.find(" 4000 ") != std::string::npos);
}

TEST_CASE("a limit above what may be had is what may be had") {
  Command command = shell("ulimit -Hn");
  command.limits.open_files = 500;
  Command within = shell("ulimit -Hn");
  within.limits.open_files = std::uint64_t{1} << 40;
  CHECK(run(within).out == run(shell("ulimit -Hn")).out);
  CHECK(run(command).out == "500\n");
}

TEST_CASE("a command runs on the CPUs it is given") {
  const std::vector<int> usable = usable_cpus();
  REQUIRE_FALSE(usable.empty());
  Command command = shell("grep Cpus_allowed_list /proc/self/status");
  command.cpus = {usable.back()};
  CHECK(run(command).out == "Cpus_allowed_list:\t" + std::to_string(usable.back()) + "\n");
  command.cpus = {-1};
  CHECK_FALSE(run_command(command));
}

TEST_CASE("a command without new privileges can't signal its supervisor or aiopt") {
  Command command = shell("grep NoNewPrivs /proc/self/status");
  CHECK(run(command).out == "NoNewPrivs:\t0\n");
  command.no_new_privileges = true;
  CHECK(run(command).out == "NoNewPrivs:\t1\n");
  if (!probe_containment().keeps_signals_within) return;
  command.line = "kill -KILL $PPID || kill -KILL " + std::to_string(::getpid()) +
                 " || echo refused; sleep 60 & kill $!; wait $!; echo $?";
  const CommandResult result = run(command);
  CHECK(result.out == "refused\n143\n");
  CHECK(result.succeeded());
}

TEST_CASE("a wrapper is put before the command and found in PATH") {
  Command command = shell("echo \"$AIOPT_TEST_WRAPPED\" '$x'");
  command.wrapper = {"env", "AIOPT_TEST_WRAPPED=a b"};
  CHECK(run(command).out == "a b $x\n");
  const auto program = run_program({"printenv", "AIOPT_TEST_WRAPPED"}, command);
  REQUIRE(program);
  CHECK(program->out == "a b\n");
  command.wrapper = {"no-such-wrapper"};
  command.line = "make";
  const auto missing = run_command(command);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().message == "cannot start 'no-such-wrapper' around 'make': No such file or directory");
  command.wrapper = {""};
  CHECK_FALSE(run_command(command));
}

TEST_CASE("passed descriptors are open under the numbers asked for, and no others") {
  const FileDescriptor first = file_with("first ");
  const FileDescriptor second = file_with("second ");
  const FileDescriptor third = file_with("third ");
  Command command = shell("cat <&4; cat <&3; cat /proc/self/fd/9; ls /proc/self/fd | wc -l");
  // One is wanted where another is now; 9 is a number of the supervisor's own.
  command.passed_descriptors = {{first.get(), 4}, {second.get(), 3}, {third.get(), 9}};
  command.limits.tree_processes = 100;
  // Standard streams, the three, and the folder that ls reads.
  CHECK(run(command).out == "first second third 7\n");
  command.passed_descriptors = {{first.get(), 2}};
  CHECK_FALSE(run_command(command));
  command.passed_descriptors = {{-1, 3}};
  CHECK_FALSE(run_command(command));
  command.passed_descriptors.assign(17, {first.get(), 3});
  CHECK_FALSE(run_command(command));
}

TEST_CASE("syncs of all threads and child processes are counted") {
  const ContainmentLayers layers = probe_containment();
  const TemporaryFolder folder;
  Command command = shell(child_program("child: 70 syncs of three threads*") + " > /dev/null");
  command.variables["AIOPT_TEST_FOLDER"] = folder.path().string();
  REQUIRE(layers.counts_syncs != sync_events().empty());
  CHECK_FALSE(run(command).syncs);
  command.count_syncs = true;
  const CommandResult result = run(command);
  CHECK(result.succeeded());
  REQUIRE(result.syncs.has_value() == layers.counts_syncs);
  if (!layers.counts_syncs) return;
  CHECK(*result.syncs == 140);
  CHECK(run(shell("true")).syncs.has_value() == false);
  command.line = "true";
  CHECK(*run(command).syncs == 0);
}

TEST_CASE("writes to a file opened with O_DSYNC are counted as syncs") {
  const TemporaryFolder folder;
  struct statfs file_system {};
  REQUIRE(::statfs(folder.path().c_str(), &file_system) == 0);
  constexpr long kExt4 = 0xef53;
  if (!probe_containment().counts_sync_writes || static_cast<long>(file_system.f_type) != kExt4) return;
  Command command = shell(child_program("child: 30 writes*") + " > /dev/null");
  command.variables["AIOPT_TEST_FOLDER"] = folder.path().string();
  command.count_syncs = true;
  CHECK(run(command).syncs == 30U);
}

TEST_CASE("syncs are counted in a sandbox, and if the time-out ends it") {
  const ContainmentLayers layers = probe_containment();
  if (!layers.counts_syncs) return;
  const TemporaryFolder folder;
  Command command = shell(child_program("child: 5 syncs and then*"), 1500ms);
  command.variables["AIOPT_TEST_FOLDER"] = folder.path().string();
  command.count_syncs = true;
  const CommandResult plain = run(command);
  CHECK(std::holds_alternative<TimedOut>(plain.end));
  CHECK(plain.syncs == 5U);
  if (!can_sandbox()) return;
  const std::string place = folder.path().string();
  command.wrapper = {"bwrap",
                     "--unshare-all",
                     "--die-with-parent",
                     "--cap-drop",
                     "ALL",
                     "--ro-bind",
                     "/",
                     "/",
                     "--dev",
                     "/dev",
                     "--proc",
                     "/proc",
                     "--bind",
                     place,
                     place,
                     "--"};
  const CommandResult cut = run(command);
  CHECK(std::holds_alternative<TimedOut>(cut.end));
  CHECK(cut.syncs == 5U);
  command.timeout = 30s;
  command.line = child_program("child: 70 syncs of three threads*") + " > /dev/null";
  const CommandResult whole = run(command);
  CHECK(whole.succeeded());
  CHECK(whole.syncs == 140U);
}

TEST_CASE("the wrapper's own process in a sandbox is not taken for one that was left") {
  if (!can_sandbox()) return;
  Command command = shell("true");
  command.wrapper = {"bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--"};
  for (int i = 0; i < 20; ++i) CHECK(run(command).processes_left == 0);
}

TEST_CASE("what a tree writes to disk is told") {
  const TemporaryFolder folder;
  struct statfs file_system {};
  REQUIRE(::statfs(folder.path().c_str(), &file_system) == 0);
  constexpr long kTmpfs = 0x01021994;
  if (static_cast<long>(file_system.f_type) == kTmpfs) return;
  const std::string file = (folder.path() / "file").string();
  const CommandResult result = run(shell("sh -c 'head -c 8192000 /dev/zero > " + file + "'; true"));
  CHECK(result.bytes_written >= 8'192'000);
  CHECK(result.bytes_written < 9'000'000);
  CHECK(run(shell("true")).bytes_written == 0);
}
