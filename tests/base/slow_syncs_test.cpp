/// Tests of delayed syncs, on real ones.

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "commands.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

namespace {

constexpr auto kDelay = 40ms;

std::chrono::nanoseconds took(const std::function<void()>& call) {
  const auto started = std::chrono::steady_clock::now();
  call();
  return std::chrono::steady_clock::now() - started;
}

FileDescriptor open_for_writing(const char* name, int flags) {
  const auto path = std::filesystem::path(std::getenv("AIOPT_TEST_FOLDER")) / name;
  return FileDescriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600));
}

}  // namespace

TEST_CASE("child: its syncs take long, its other calls do not" * doctest::skip()) {
  const FileDescriptor plain = open_for_writing("plain", 0);
  const FileDescriptor durable = open_for_writing("durable", O_DSYNC);
  CHECK(took([&] { REQUIRE(::write(durable.get(), "x", 1) == 1); }) >= kDelay);
  CHECK(took([&] { REQUIRE(::pwrite(durable.get(), "x", 1, 7) == 1); }) >= kDelay);
  CHECK(took([&] { REQUIRE(::fsync(plain.get()) == 0); }) >= kDelay);
  CHECK(took([&] { REQUIRE(::fdatasync(plain.get()) == 0); }) >= kDelay);
  int undelayed = 0;
  for (int i = 0; i < 20; ++i) {
    undelayed += took([&] { REQUIRE(::write(plain.get(), "x", 1) == 1); }) < kDelay ? 1 : 0;
  }
  CHECK(undelayed >= 15);  // The disk itself may be slow.
}

TEST_CASE("child: four syncs at once" * doctest::skip()) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] { ::fsync(open_for_writing("file", 0).get()); });
  }
}

TEST_CASE("each sync begins later by the delay, and only syncs do") {
  const TemporaryFolder folder;
  Command command = shell(child_program("child: its syncs take long*"));
  command.variables["AIOPT_TEST_FOLDER"] = folder.path().string();
  CHECK_FALSE(run(command).succeeded());  // Undelayed, they take less.
  CHECK_FALSE(run(command).delayed_syncs);
  command.sync_delay = kDelay;
  const CommandResult result = run(command);
  CHECK_MESSAGE(result.succeeded(), result.output);
  CHECK(result.delayed_syncs == 4U);
}

TEST_CASE("syncs of several threads wait side by side") {
  const TemporaryFolder folder;
  Command command = shell(child_program("child: four syncs*"));
  command.variables["AIOPT_TEST_FOLDER"] = folder.path().string();
  command.sync_delay = 1s;
  const CommandResult result = run(command);
  CHECK(result.succeeded());
  CHECK(result.delayed_syncs == 4U);
  CHECK(result.wall_time >= 1s);
  CHECK(result.wall_time < 3s);
}

TEST_CASE("syncs are delayed within a sandbox, and their wait ends with a time-out") {
  const TemporaryFolder folder;
  Command command = shell("sync -d /proc/self/exe; echo done", 1s);
  command.sync_delay = 10min;
  CHECK(std::holds_alternative<TimedOut>(run(command).end));
  command.sync_delay = 10ms;
  command.wrapper = {"bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--"};
  const auto enclosed = run_command(command);
  if (!enclosed || !enclosed->succeeded()) return;  // No bubblewrap, or it may not.
  CHECK(enclosed->out == "done\n");
  CHECK(enclosed->delayed_syncs == 1U);
}
