/// From a program that waits in a known way to the names, classes and idleness of its waits.

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "profile/offcpu_stacks.hpp"
#include "profile/waiting_program.hpp"

using namespace aiopt;

namespace {

/// Empty where the kernel does not show what is needed.
std::optional<NamedRecording> name_run(const std::string& mode, int n, const IdleRules& rules = {}) {
  const auto kernel = KernelSymbols::load();
  const auto run = sample_off_cpu({}, waiting().command(mode, n));
  REQUIRE(run.has_value());
  if (!kernel || !run->recording.source.starts_with("sampler") || run->recording.source.ends_with("events)")) {
    MESSAGE("skipped: no kernel events, or no kernel addresses here");
    return std::nullopt;
  }
  return name_stacks(run->recording, *kernel, rules);
}

bool has_function(const SampledStack& stack, std::string_view name) {
  return std::any_of(stack.frames.begin(), stack.frames.end(),
                     [&](const StackFrame& frame) { return frame.place.function.find(name) != std::string::npos; });
}

std::uint64_t all_samples(const NamedRecording& recording) {
  std::uint64_t samples = 0;
  for (const SampledStack& stack : recording.stacks.stacks) samples += stack.samples;
  return samples;
}

std::uint64_t samples_in(const NamedRecording& recording, std::string_view function, std::optional<WaitClass> kind,
                         bool is_idle = false) {
  std::uint64_t samples = 0;
  for (const SampledStack& stack : recording.stacks.stacks) {
    const bool is_it = stack.wait == kind && stack.is_idle == is_idle && has_function(stack, function);
    samples += is_it ? stack.samples : 0;
  }
  return samples;
}

std::uint64_t idle_in(const NamedRecording& recording, IdleReason reason) {
  const auto found = recording.idle_samples.find(reason);
  return found == recording.idle_samples.end() ? 0 : found->second;
}

}  // namespace

TEST_CASE("a sleeper sleeps in the function that calls sleep, on its line") {
  const auto named = name_run("sleeper", 100);
  if (!named) return;
  CHECK(samples_in(*named, "nap", WaitClass::other) > 800);
  CHECK(samples_in(*named, "nap", WaitClass::lock) + samples_in(*named, "nap", WaitClass::io) == 0);
  const auto& stacks = named->stacks.stacks;
  const auto most = std::max_element(stacks.begin(), stacks.end(),
                                     [](const auto& a, const auto& b) { return a.samples < b.samples; });
  const auto nap = std::find_if(most->frames.begin(), most->frames.end(), [](const StackFrame& frame) {
    return frame.place.function.find("nap") != std::string::npos && frame.place.file.ends_with("waiting.cpp");
  });
  REQUIRE(nap != most->frames.end());
  CHECK(nap->place.line > 0);
  CHECK(named->idle_samples.empty());
}

TEST_CASE("fsync waits for a device") {
  const auto named = name_run("fsync", 200);
  if (!named) return;
  const auto io = samples_in(*named, "fsync", WaitClass::io);
  CHECK(io > 20);
  CHECK(samples_in(*named, "fsync", WaitClass::lock) + samples_in(*named, "fsync", WaitClass::other) < io / 4);
}

TEST_CASE("threads wait for the lock where they take it, and the one that joins them is idle") {
  const auto named = name_run("convoy", 2);
  if (!named) return;
  CHECK(samples_in(*named, "hold_lock", WaitClass::lock) > 50);
  CHECK(samples_in(*named, "join", WaitClass::lock, true) > 200);
  CHECK(samples_in(*named, "join", WaitClass::lock, false) == 0);
  CHECK(idle_in(*named, IdleReason::joins) > 200);
}

TEST_CASE("a consumer waits for what is produced, which is no idleness") {
  const auto named = name_run("queue", 400);
  if (!named) return;
  CHECK(samples_in(*named, "pop", WaitClass::lock) > 100);
  CHECK(samples_in(*named, "pop", WaitClass::lock, true) == 0);
}

TEST_CASE("of a pool the workers without work, the timer and the joiner are idle, the one that works is not") {
  const auto named = name_run("pool", 800);
  if (!named) return;
  CHECK(samples_in(*named, "pop", WaitClass::lock, true) > 3 * 700);
  CHECK(idle_in(*named, IdleReason::joins) > 600);
  // The worker's naps.
  CHECK(samples_in(*named, "usleep", WaitClass::other) > 300);
  if (named->stacks.source == "sampler") CHECK(idle_in(*named, IdleReason::no_work) > 500);
}

TEST_CASE("what the user calls idle is idle") {
  IdleRules rules;
  rules.idle_functions = {"*nap"};
  const auto named = name_run("sleeper", 50, rules);
  if (!named) return;
  CHECK(idle_in(*named, IdleReason::by_name) > 400);
  CHECK(samples_in(*named, "nap", WaitClass::other) == 0);
}

TEST_CASE("addresses of no known program still make stacks, and their samples stay") {
  OffCpuRecording recording;
  recording.source = "sampler";
  recording.threads = {{}, {10, 10, "x"}};
  recording.stacks.resize(2);
  recording.stacks[1].user_chain = {0x1234};
  RecordedWait wait;
  wait.thread = 1;
  wait.stack = 1;
  wait.activity = ThreadActivity::blocked;
  wait.samples = 7;
  wait.wakes.unknown = 7;
  recording.waits = {wait};
  wait.stack = kNoStack;
  wait.samples = 3;
  wait.wakes.unknown = 3;
  recording.waits.push_back(wait);
  const NamedRecording named = name_stacks(recording, KernelSymbols());
  CHECK(all_samples(named) == 10);
}
