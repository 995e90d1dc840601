/// Texts of perf script: switches, wake-ups, clocks, waits as samples.

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "profile/perf_script.hpp"
#include "profile/profile_fixture.hpp"

using namespace aiopt;

namespace {

SampledStacks script_of(const std::string& text, std::string_view command = {}) {
  Result<SampledStacks> script = parse_perf_script(text, command);
  REQUIRE_MESSAGE(script.has_value(), (script ? "" : script.error().message));
  return *std::move(script);
}

std::string wait_of(const SampledStack& stack) {
  return std::string(stack.wait ? to_string(*stack.wait) : "cpu");
}

/// Samples by "thread class", and of each class together.
std::map<std::string, std::uint64_t> samples_of(const SampledStacks& script) {
  std::map<std::string, std::uint64_t> samples;
  for (const SampledStack& stack : script.stacks) {
    samples[stack.thread + " " + wait_of(stack)] += stack.samples;
    samples[wait_of(stack)] += stack.samples;
    if (stack.wait) samples["off"] += stack.samples;
  }
  return samples;
}

bool has_function(const SampledStack& stack, std::string_view function) {
  for (const StackFrame& frame : stack.frames) {
    if (frame.place.function == function) return true;
  }
  return false;
}

/// Two threads, 1 and 2, and the idle task: a switch at `ms`.
std::string switch_line(double ms, int from, const std::string& state, int to) {
  const auto name = [](int thread) { return thread == 0 ? std::string("swapper/0") : "t" + std::to_string(thread); };
  char time[32];
  std::snprintf(time, sizeof time, "%.6f", 100.0 + ms / 1000.0);
  return name(from) + " " + std::to_string(from) + " [000]  " + time + ": sched:sched_switch: prev_comm=" + name(from) +
         " prev_pid=" + std::to_string(from) + " prev_prio=120 prev_state=" + state + " ==> next_comm=" + name(to) +
         " next_pid=" + std::to_string(to) + " next_prio=120\n";
}

std::string wake_line(double ms, int thread) {
  char time[32];
  std::snprintf(time, sizeof time, "%.6f", 100.0 + ms / 1000.0);
  return std::string("swapper 0 [000]  ") + time + ": sched:sched_waking: comm=t pid=" + std::to_string(thread) +
         " prio=120 target_cpu=000\n";
}

}  // namespace

TEST_CASE("a wait lasts from leaving the CPU to coming back, scheduling from being woken on") {
  const std::string text = switch_line(0, 0, "R", 1) + switch_line(10, 1, "S", 0) + wake_line(25, 1) +
                           switch_line(30, 0, "R", 1) + switch_line(32, 1, "R+", 2) + switch_line(40, 2, "D", 1) +
                           switch_line(41, 1, "X", 0);
  std::map<std::string, std::uint64_t> samples = samples_of(script_of(text));
  CHECK(samples["t1 cpu"] == 13);
  CHECK(samples["t1 other"] == 15);
  CHECK(samples["t1 scheduling"] == 13);
  CHECK(samples["t2 cpu"] == 8);
  // Uninterruptible, and no stack to tell more. It lasts until the end of the text.
  CHECK(samples["t2 io"] == 1);
  CHECK(script_of(text).source == "perf");
}

TEST_CASE("what is left of an interval below a sample is carried on, for each thread") {
  std::string text = switch_line(0, 0, "R", 1);
  for (int i = 0; i < 40; ++i) {
    text += switch_line(i + 0.3, 1, "S", 0) + switch_line(i + 0.55, 0, "R", 1);
  }
  std::map<std::string, std::uint64_t> samples = samples_of(script_of(text));
  CHECK(samples["t1 other"] == 10);
  CHECK(samples["t1 cpu"] == 29);
}

TEST_CASE("the kernel's frames tell the class of a wait") {
  std::string text = switch_line(0, 0, "R", 1) + switch_line(1, 1, "S", 0);
  text +=
      "\tffffffff82265ec8 __schedule+0x628 ([kernel.kallsyms])\n"
      "\tffffffff82266833 schedule+0x23 ([kernel.kallsyms])\n"
      "\tffffffff81400000 futex_wait_queue+0x10 ([kernel.kallsyms])\n"
      "\t    55d0c1a02231 kv::Wal::append+0x41 (/src/kv/kv)\n\n";
  text += switch_line(4, 0, "R", 1) + switch_line(5, 1, "D", 0);
  text +=
      "\tffffffff82265ec8 __schedule+0x628 ([kernel.kallsyms])\n"
      "\tffffffffc0400000 jbd2_log_wait_commit+0x10 ([jbd2])\n\n";
  text += switch_line(7, 0, "R", 1);
  const SampledStacks script = script_of(text);
  std::map<std::string, std::uint64_t> samples = samples_of(script);
  CHECK(samples["lock"] == 3);
  CHECK(samples["io"] == 2);
  for (const SampledStack& stack : script.stacks) {
    if (wait_of(stack) != "lock") continue;
    REQUIRE(stack.frames.size() == 4);
    CHECK(stack.frames[2].place.function == "futex_wait_queue");
    CHECK(stack.frames[2].object == "[kernel]");
    CHECK(stack.frames[3].place.function == "kv::Wal::append");
    CHECK(stack.frames[3].object == "/src/kv/kv");
  }
}

TEST_CASE("switches as libtraceevent's plugins print them are read, too") {
  const SampledStacks script = script_of(
      "swapper 0 [000] 100.000000: sched:sched_switch: swapper/0:0 [120] R ==> kv test:41 [120]\n"
      "kv test 41 [000] 100.010000: sched:sched_switch: kv test:41 [120] S ==> swapper/0:0 [120]\n"
      "swapper 0 [000] 100.012000: sched:sched_waking: kv test:41 [120] CPU:000\n"
      "swapper 0 [000] 100.015000: sched:sched_switch: swapper/0:0 [120] R ==> kv test:41 [120]\n");
  std::map<std::string, std::uint64_t> samples = samples_of(script);
  CHECK(samples["kv test cpu"] == 10);
  CHECK(samples["kv test other"] == 2);
  CHECK(samples["kv test scheduling"] == 3);
}

TEST_CASE("a recording of the whole system is counted to the interval, for the threads of a command") {
  const std::string text = profile_fixture("perf_sched_system_wide.txt");
  const SampledStacks script = script_of(text, "kv");
  CHECK(script.source == "perf");
  std::map<std::string, std::uint64_t> samples = samples_of(script);
  // An independent count of the same text: 50.904 ms off and 11.886 ms on a CPU, three threads.
  CHECK(samples["off"] >= 50 - 6);
  CHECK(samples["off"] <= 50);
  CHECK(samples["cpu"] >= 11 - 3);
  CHECK(samples["cpu"] <= 11);
  CHECK(samples["peer off"] == 0);
  CHECK(samples["peer cpu"] == 0);
  CHECK(samples_of(script_of(text))["off"] > samples["off"]);
  CHECK(script_of(text, "nobody").stacks.empty());
}

TEST_CASE("the last switch of a thread that ends is read, though perf does not know whose it is") {
  std::string last = switch_line(9, 1, "X", 0);
  last.replace(0, last.find(" [000]"), ":-1 -1");
  std::map<std::string, std::uint64_t> samples =
      samples_of(script_of(switch_line(0, 0, "R", 1) + last + switch_line(30, 0, "R", 2) + switch_line(31, 2, "S", 0)));
  CHECK(samples["t1 cpu"] == 9);
  CHECK(samples["off"] == 0);
}

TEST_CASE("perf sched record has no stacks, but all the times") {
  std::map<std::string, std::uint64_t> samples = samples_of(script_of(profile_fixture("perf_sched_record.txt"), "kv"));
  // By the independent count 105.627 and 13.226 ms, what two new threads waited for their first CPU among them.
  CHECK(samples["off"] >= 105 - 6);
  CHECK(samples["off"] <= 105);
  CHECK(samples["cpu"] >= 13 - 3);
  CHECK(samples["cpu"] <= 13);
}

TEST_CASE("switches recorded without -a are read, and the source says what is guessed") {
  const SampledStacks script = script_of(profile_fixture("perf_sched_task.txt"));
  CHECK(script.source == "perf (a wait ends at the thread's next event)");
  bool has_sync = false;
  for (const SampledStack& stack : script.stacks) {
    has_sync = has_sync || (wait_of(stack) == "io" && has_function(stack, "fsync") && stack.samples > 0);
  }
  CHECK(has_sync);
}

TEST_CASE("records of switches give the times, context-switches the stacks, a clock the rest") {
  const SampledStacks script = script_of(profile_fixture("perf_switch_events.txt"), "kv");
  CHECK(script.source == "perf");
  std::map<std::string, std::uint64_t> samples = samples_of(script);
  CHECK(samples["io"] > 0);
  CHECK(samples["lock"] > 0);
  CHECK(samples["cpu"] > 0);
  for (const SampledStack& stack : script.stacks) {
    if (wait_of(stack) == "io") CHECK_FALSE(stack.frames.empty());
  }
}

TEST_CASE("the waits of perf record --off-cpu are taken by their period") {
  const SampledStacks script = script_of(profile_fixture("perf_off_cpu.txt"));
  std::map<std::string, std::uint64_t> samples = samples_of(script);
  CHECK(samples["io"] == 43);
  CHECK(samples["lock"] == 120);
  CHECK(samples["other"] == 10);  // 0.5 ms were left of the wait before.
  CHECK(samples["cpu"] == 2);     // 0.25 and 2.25 ms.
}

TEST_CASE("statistics of the scheduler count where there are no switches") {
  const SampledStacks script = script_of(
      "kv 5 [000] 100.000000: sched:sched_stat_iowait: comm=kv pid=7 delay=5000000 [ns]\n"
      "kv 5 [000] 100.000000: sched:sched_stat_wait: comm=kv pid=7 delay=2000000 [ns]\n"
      "kv 5 [000] 100.000000: sched:sched_stat_sleep: comm=kv pid=7 delay=3000000 [ns]\n");
  std::map<std::string, std::uint64_t> samples = samples_of(script);
  CHECK(samples["kv io"] == 5);
  CHECK(samples["kv scheduling"] == 2);
  CHECK(samples["kv other"] == 3);
}

TEST_CASE("switches that perf inject gave a period are waits of that length") {
  std::map<std::string, std::uint64_t> samples = samples_of(script_of(
      "kv 7 [000] 100.000000: 5000000 sched:sched_switch: prev_comm=kv prev_pid=7 prev_prio=120 prev_state=S ==> "
      "next_comm=x next_pid=8 next_prio=120\n"
      "\tffffffff81400000 futex_wait_queue+0x10 ([kernel.kallsyms])\n"));
  CHECK(samples["kv lock"] == 5);
}

TEST_CASE("bperf's samples count their weight, and the kernel's frames tell their class") {
  const SampledStacks script = script_of(profile_fixture("bperf_script.txt"));
  CHECK(script.source == "bperf");
  REQUIRE(script.stacks.size() == 2);
  std::map<std::string, std::uint64_t> samples = samples_of(script);
  CHECK(samples["io"] == 18);
  CHECK(samples["cpu"] == 1);
}

TEST_CASE("samples of other events stand for a quarter of a millisecond, but only where nothing tells the time") {
  std::string text;
  for (int i = 0; i < 8; ++i)
    text += "kv 7 100.00" + std::to_string(i) + "000:  2500000 cycles:P: \n\t  401000 f+0x1 (/src/kv)\n\n";
  CHECK(samples_of(script_of(text))["cpu"] == 2);
  text += "kv 7 100.009000:  3000000 task-clock:u: \n\t  401000 f+0x1 (/src/kv)\n\n";
  CHECK(samples_of(script_of(text))["cpu"] == 3);
}

TEST_CASE("source lines, inlined frames, arguments and odd commands are understood") {
  const SampledStacks script = script_of(profile_fixture("perf_inlined.txt"));
  REQUIRE(script.stacks.size() == 1);
  const SampledStack& stack = script.stacks[0];
  CHECK(stack.thread == "kv test");
  REQUIRE(stack.frames.size() == 4);
  CHECK(stack.frames[0] == StackFrame{{"kv::mix", "codec.cc", 14}, "/src/kv/kvtest", true});
  CHECK(stack.frames[1] == StackFrame{{"kv::compress", "codec.cc", 31}, "/src/kv/kvtest", false});
  CHECK(stack.frames[2] == StackFrame{{"main::{lambda()#1}::operator()", "main.cc", 7}, "/src/kv/kvtest", false});
  CHECK(stack.frames[3].place.function == "libkv.so+0x55d0c1a02999");
  bool has_line = false;
  for (const SampledStack& real : script_of(profile_fixture("perf_srcline.txt")).stacks) {
    for (const StackFrame& frame : real.frames) {
      has_line = has_line || (frame.place.function == "kv::Compactor::compress" && frame.place.file == "kv.cpp" &&
                              frame.place.line == 13);
    }
  }
  CHECK(has_line);
}

TEST_CASE("threads of the kernel and the idle task are left out") {
  const SampledStacks script = script_of(
      switch_line(0, 0, "R", 1) + switch_line(9, 1, "I", 0) + switch_line(20, 0, "R", 2) + switch_line(29, 2, "S", 0) +
      "\tffffffff81400000 worker_thread+0x10 ([kernel.kallsyms])\n\tffffffff81400000 ret_from_fork_asm+0x10 "
      "([kernel.kallsyms])\n\n");
  CHECK(script.stacks.empty());
}

TEST_CASE("records that were lost are counted") {
  CHECK(script_of("kv 7 100.000000: PERF_RECORD_LOST lost 12\nkv 7 100.000000: PERF_RECORD_LOST lost 3\n").lost == 15);
}

TEST_CASE("what is no text of perf script is an error that says why") {
  const auto why = [](const std::string& text) {
    const Result<SampledStacks> script = parse_perf_script(text);
    return script ? std::string("read") : script.error().message;
  };
  CHECK(why("").find("no line has") != std::string::npos);
  CHECK(why("kv task-clock:\n\t 401000 f (/src/kv)\n").find("no line has") != std::string::npos);
  CHECK(why("PERFILE2").find("perf.data") != std::string::npos);
}
