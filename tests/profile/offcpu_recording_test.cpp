/// What of a recording is of the target, and what of that which started it.

#include <doctest/doctest.h>

#include <string_view>

#include "profile/offcpu_recording.hpp"

using namespace aiopt;

namespace {

/// Of that thread, in a process with that address space; 0: without a stack.
RecordedWait wait_of(std::uint32_t thread, StackId stack) {
  RecordedWait wait;
  wait.thread = thread;
  wait.stack = stack;
  wait.samples = 1;
  return wait;
}

}  // namespace

TEST_CASE(
    "what a starter's processes did is left out, and what the command did is not, though the one became the other") {
  OffCpuRecording recording;
  recording.threads = {{}, {1, 1, "starter", 0}, {2, 2, "command", 1}, {3, 3, "silent"}, {4, 4, "starter", 0}};
  recording.program_lists = {{"/bin/starter"}, {"/bin/starter", "/bin/command"}};
  recording.stacks.resize(3);
  const std::vector<RecordedWait> of_command = {wait_of(2, 2), wait_of(2, kNoStack), wait_of(3, kNoStack)};
  // The last is of one that nobody may look into: it has no stack at all.
  recording.waits = {wait_of(1, 1), wait_of(1, kNoStack), wait_of(4, kNoStack)};
  recording.waits.insert(recording.waits.end(), of_command.begin(), of_command.end());
  leave_out(recording, [](std::string_view path) { return path == "/bin/starter"; });
  REQUIRE(recording.waits.size() == of_command.size());
  for (std::size_t i = 0; i < of_command.size(); ++i) {
    CHECK(recording.waits[i].thread == of_command[i].thread);
    CHECK(recording.waits[i].stack == of_command[i].stack);
  }
  leave_out(recording, [](std::string_view) { return false; });
  CHECK(recording.waits.size() == of_command.size());
}

TEST_CASE("a command that runs, or maps, its starter's program does not hide by that") {
  OffCpuRecording recording;
  recording.threads = {{}, {1, 1, "starter", 0}, {2, 2, "mapper", 1}, {3, 3, "old process, of unknown program"}};
  recording.program_lists = {{"/bin/starter", "/bin/command"}, {"/bin/command"}};
  recording.address_spaces[2].push_back({0, 1, 0, "/bin/starter", ""});
  recording.stacks.resize(4);
  for (StackId stack = 1; stack <= 3; ++stack) {
    recording.stacks[stack].address_space = stack;
    recording.waits.push_back(wait_of(stack, stack));
  }
  leave_out(recording, [](std::string_view path) { return path == "/bin/starter"; });
  CHECK(recording.waits.size() == 3);
}

TEST_CASE("where records were lost everything stays: the beginning of a process may be among them") {
  OffCpuRecording recording;
  recording.threads = {{}, {1, 1, "starter", 0}};
  recording.program_lists = {{"/bin/starter"}};
  recording.stacks.resize(2);
  recording.waits = {wait_of(1, 1)};
  const auto is_starter = [](std::string_view path) { return path == "/bin/starter"; };
  recording.lost = 1;
  leave_out(recording, is_starter);
  CHECK(recording.waits.size() == 1);
  recording.lost = 0;
  leave_out(recording, is_starter);
  CHECK(recording.waits.empty());
}
