/// Blocked samples from hand-made records: whose each period of a thread's life is.

#include <doctest/doctest.h>
#include <linux/perf_event.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

#include "profile/blocked_samples.hpp"

using namespace aiopt;

namespace {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint32_t kPid = 10;
constexpr std::uint32_t kOther = 11;

constexpr auto kUserMark = static_cast<std::uint64_t>(PERF_CONTEXT_USER);
constexpr auto kKernelMark = static_cast<std::uint64_t>(PERF_CONTEXT_KERNEL);

/// Times are in milliseconds, on which periods of one begin.
class Stream {
 public:
  explicit Stream(BlockedSamplesOptions options = {}) : samples_(options) {}

  template <typename Event>
  void at(double ms, std::uint32_t tid, Event event, std::uint32_t pid = kPid) {
    samples_.add({time_of(ms), pid, tid, event});
  }

  void found(double ms, std::uint32_t tid) { at(ms, tid, SwitchedIn{}); }

  OffCpuRecording finish(
      double ms, const std::function<bool(std::uint32_t)>& is_alive = [](auto) { return true; }) {
    return samples_.finish(time_of(ms), is_alive);
  }

 private:
  static std::uint64_t time_of(double ms) { return 1000 * kMs + static_cast<std::uint64_t>(ms * 1e6); }

  BlockedSamples samples_;
};

std::uint64_t count(const OffCpuRecording& recording, ThreadActivity activity) {
  std::uint64_t samples = 0;
  for (const RecordedWait& wait : recording.waits) samples += wait.activity == activity ? wait.samples : 0;
  return samples;
}

/// Of the phase, each thread's own, a sample more or less is due.
bool is_about(std::uint64_t samples, std::uint64_t expected) {
  return samples + 1 >= expected && samples <= expected + 1;
}

const RecordedWait& blocked_wait(const OffCpuRecording& recording) {
  const RecordedWait* found = nullptr;
  for (const RecordedWait& wait : recording.waits) {
    if (wait.activity != ThreadActivity::blocked) continue;
    REQUIRE(found == nullptr);
    found = &wait;
  }
  REQUIRE(found != nullptr);
  return *found;
}

constexpr auto kBlocked = ThreadActivity::blocked;
constexpr auto kScheduling = ThreadActivity::scheduling;
constexpr auto kRunning = ThreadActivity::running;

}  // namespace

TEST_CASE("a thread that leaves its CPU and comes back was blocked for as long") {
  Stream stream;
  stream.found(0, kPid);
  stream.at(10, kPid, SwitchedOut{});
  stream.at(40, kPid, SwitchedIn{});
  const OffCpuRecording recording = stream.finish(50);
  CHECK(recording.running_ns == 20 * kMs);
  CHECK(recording.blocked_ns == 30 * kMs);
  CHECK(recording.scheduling_ns == 0);
  CHECK(is_about(count(recording, kBlocked), 30));
  CHECK(is_about(count(recording, kRunning), 20));
  CHECK(recording.switches == 1);
  CHECK(recording.gaps == 0);
}

TEST_CASE("from the wake-up on a thread waits for a CPU alone") {
  Stream stream;
  stream.found(0, kPid);
  stream.at(10, kPid, SwitchedOut{});
  stream.at(30, kPid, Woken{kOther, false});
  stream.at(35, kPid, Woken{kOther, false});  // It is woken already.
  stream.at(40, kPid, SwitchedIn{});
  const OffCpuRecording recording = stream.finish(40);
  CHECK(recording.blocked_ns == 20 * kMs);
  CHECK(recording.scheduling_ns == 10 * kMs);
  CHECK(is_about(count(recording, kBlocked), 20));
  CHECK(is_about(count(recording, kScheduling), 10));
}

TEST_CASE("a preempted thread waits for a CPU from the start, whoever wakes whom") {
  Stream stream;
  stream.found(0, kPid);
  stream.at(10, kPid, SwitchedOut{true});
  stream.at(20, kPid, Woken{kOther, false});
  stream.at(40, kPid, SwitchedIn{});
  const OffCpuRecording recording = stream.finish(40);
  CHECK(recording.blocked_ns == 0);
  CHECK(recording.scheduling_ns == 30 * kMs);
}

TEST_CASE("a thread is runnable from birth") {
  Stream stream;
  stream.found(0, kPid);
  stream.at(5, kOther, Started{kPid, kPid});
  stream.at(12, kOther, SwitchedIn{});
  stream.at(13, kOther, Ended{});
  const OffCpuRecording recording = stream.finish(13);
  CHECK(recording.scheduling_ns == 7 * kMs);
  CHECK(recording.running_ns == (13 + 1) * kMs);
}

TEST_CASE("short waits lose nothing: the phase is carried on") {
  Stream stream;
  stream.found(0, kPid);
  for (int i = 0; i < 1000; ++i) {
    stream.at(i, kPid, SwitchedOut{});
    stream.at(i + 0.3, kPid, SwitchedIn{});
  }
  const OffCpuRecording recording = stream.finish(1000);
  CHECK(is_about(count(recording, kBlocked), 300));
  CHECK(is_about(count(recording, kRunning), 700));
  CHECK(recording.ratio() == doctest::Approx(0.3).epsilon(0.01));
}

TEST_CASE("threads too short-lived for a sample each are right on the average") {
  Stream stream;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const std::uint32_t tid = 100 + i;
    stream.at(i, tid, Started{kPid, kPid});
    stream.at(i, tid, SwitchedIn{});
    stream.at(i + 0.1, tid, SwitchedOut{});
    stream.at(i + 0.4, tid, SwitchedIn{});
    stream.at(i + 0.5, tid, Ended{});
  }
  const OffCpuRecording recording = stream.finish(2000);
  CHECK(count(recording, kBlocked) == doctest::Approx(600).epsilon(0.1));
  CHECK(count(recording, kRunning) == doctest::Approx(400).epsilon(0.1));
}

TEST_CASE("time on a CPU belongs to the latest sample of its clock, also between two") {
  Stream stream;
  const std::vector<std::uint64_t> first{kUserMark, 0x100};
  const std::vector<std::uint64_t> second{kUserMark, 0x200};
  stream.found(0, kPid);
  stream.at(10, kPid, RunSample{first});
  stream.at(40, kPid, RunSample{second});
  stream.at(45, kPid, SwitchedOut{true});
  const OffCpuRecording recording = stream.finish(45);
  REQUIRE(recording.waits.size() >= 2);
  for (const RecordedWait& wait : recording.waits) {
    const std::uint64_t leaf = recording.stacks.at(wait.stack).user_chain.at(0);
    CHECK(is_about(wait.samples, leaf == 0x100 ? 10 : 35));
  }
}

TEST_CASE("what happened between two departures is unknown, and counts as nothing") {
  Stream stream;
  stream.found(0, kPid);
  stream.at(10, kPid, SwitchedOut{});
  stream.at(500, kPid, SwitchedOut{});  // That it came back was lost.
  stream.at(510, kPid, SwitchedIn{});
  stream.at(520, kPid, SwitchedIn{});  // That it left was lost: it ran on, for all one knows.
  const OffCpuRecording recording = stream.finish(520);
  CHECK(recording.gaps == 1);
  CHECK(recording.blocked_ns == 10 * kMs);
  CHECK(recording.running_ns == (10 + 10) * kMs);
}

TEST_CASE("a departure that is told twice is one") {
  Stream stream;
  stream.found(0, kPid);
  stream.at(10, kPid, SwitchedOut{});
  stream.at(10.001, kPid, SwitchedOut{});
  stream.at(20, kPid, SwitchedIn{});
  const OffCpuRecording recording = stream.finish(20);
  CHECK(recording.gaps == 0);
  CHECK(recording.switches == 1);
  CHECK(recording.blocked_ns == 10 * kMs);
}

TEST_CASE("a thread that was woken on its way to sleep never was blocked") {
  Stream stream;
  stream.found(0, kPid);
  stream.at(9.99, kPid, Woken{kOther, false});
  stream.at(10, kPid, SwitchedOut{});
  stream.at(20, kPid, SwitchedIn{});
  const OffCpuRecording recording = stream.finish(20);
  CHECK(recording.blocked_ns == 0);
  CHECK(recording.scheduling_ns == 10 * kMs);
}

TEST_CASE("a wake-up that a thread did not need takes nothing from the wait after it") {
  Stream stream;
  stream.found(0, kPid);
  stream.at(9.99, kPid, Woken{kOther, false});
  stream.at(10, kPid, SwitchedOut{});
  stream.at(18, kPid, Woken{kOther, false});
  stream.at(20, kPid, SwitchedIn{});
  const OffCpuRecording recording = stream.finish(20);
  CHECK(recording.blocked_ns == 8 * kMs);
  CHECK(recording.scheduling_ns == 2 * kMs);
}

TEST_CASE("who ended a wait is told: a thread, an interrupt, one that ended with it, nobody") {
  const auto wakes = [](const std::function<void(Stream&)>& between, bool comes_back = true) {
    Stream stream;
    stream.found(0, kPid);
    stream.found(0, kOther);
    stream.at(10, kPid, SwitchedOut{});
    between(stream);
    if (comes_back) stream.at(40, kPid, SwitchedIn{});
    return blocked_wait(stream.finish(40)).wakes;
  };
  CHECK(wakes([](Stream& s) { s.at(39, kPid, Woken{kOther, false}); }).by_thread > 0);
  CHECK(wakes([](Stream& s) { s.at(39, kPid, Woken{kOther, true}); }).by_interrupt > 0);
  CHECK(wakes([](Stream&) {}).unknown > 0);
  const auto by_ending = [](Stream& s) {
    s.at(39, kPid, Woken{kOther, false});
    s.at(39.1, kOther, Ended{});
  };
  CHECK(wakes(by_ending).by_ending_thread > 0);
  CHECK(wakes(by_ending).by_thread == 0);
  const auto later = [](Stream& s) {
    s.at(30, kPid, Woken{kOther, false});
    s.at(39, kOther, Ended{});
  };
  CHECK(wakes(later).by_thread > 0);
  CHECK(wakes([](Stream&) {}, false).never > 0);
}

TEST_CASE("what a thread did after a wait is told with it") {
  Stream stream;
  const std::vector<std::uint64_t> here{kUserMark, 0x100};
  const std::vector<std::uint64_t> there{kUserMark, 0x200};
  stream.found(0, kPid);
  stream.at(10, kPid, SwitchSample{here, {}, {}});
  stream.at(10, kPid, SwitchedOut{});
  stream.at(20, kPid, SwitchedIn{});
  stream.at(20.2, kPid, SwitchedOut{true});  // Preempted: it has not done with what it was woken for.
  stream.at(21, kPid, SwitchedIn{});
  stream.at(21.3, kPid, SwitchSample{here, {}, {}});
  stream.at(21.3, kPid, SwitchedOut{});
  stream.at(31, kPid, SwitchedIn{});
  stream.at(32, kPid, SwitchSample{there, {}, {}});
  stream.at(32, kPid, SwitchedOut{});
  stream.at(32.1, kPid, SwitchedIn{});
  const OffCpuRecording recording = stream.finish(33);
  for (const RecordedWait& wait : recording.waits) {
    if (wait.activity != kBlocked || recording.stacks.at(wait.stack).user_chain.at(0) != 0x100) continue;
    CHECK(wait.waits == 2);
    CHECK(wait.followed == 2);
    CHECK(wait.came_back == 1);
    CHECK(wait.cpu_after_ns == doctest::Approx(0.5e6 + 1e6));
    CHECK(wait.wait_ns == doctest::Approx(10e6 + 9.7e6));
  }
}

TEST_CASE("a wait that goes on when the recording ends has been one until then, if the thread is there") {
  for (const bool is_there : {true, false}) {
    Stream stream;
    stream.found(0, kPid);
    stream.at(10, kPid, SwitchedOut{});
    const OffCpuRecording recording = stream.finish(100, [&](auto) { return is_there; });
    CHECK(recording.blocked_ns == (is_there ? 90 * kMs : 0));
  }
}

TEST_CASE("a thread that slept when the recording began has slept since then") {
  Stream stream;
  stream.at(0, kPid, Named{"pool", false});
  stream.at(0, kPid, Found{true});
  stream.at(0, kPid, WaitSeen{"futex_do_wait", 0x1234});
  stream.at(50, kPid, SwitchedIn{});
  const OffCpuRecording recording = stream.finish(50);
  const RecordedWait& wait = blocked_wait(recording);
  CHECK(is_about(wait.samples, 50));
  CHECK(recording.stacks.at(wait.stack).kernel_function == "futex_do_wait");
  CHECK(recording.stacks.at(wait.stack).user_chain == std::vector<std::uint64_t>{0x1234});
  CHECK(recording.threads.at(wait.thread).name == "pool");
}

TEST_CASE("a look at a thread that does not sleep says nothing") {
  Stream stream;
  stream.found(0, kPid);
  stream.at(5, kPid, WaitSeen{"futex_do_wait", 0});
  stream.at(10, kPid, SwitchedOut{});
  stream.at(50, kPid, SwitchedIn{});
  CHECK(blocked_wait(stream.finish(50)).stack == kNoStack);
}

TEST_CASE("execve(2) makes another program of a process: its mappings, its name, its stacks") {
  Stream stream;
  stream.at(0, kPid, Named{"sh", true});
  stream.at(0, kPid, Mapped{{0x1000, 0x2000, 0, "/bin/sh", ""}});
  stream.at(1, kOther, Started{kPid, kPid}, kOther);
  stream.at(1, kOther, SwitchedIn{}, kOther);
  const std::vector<std::uint64_t> chain{kUserMark, 0x1100};
  const auto sleep_ten = [&](double from) {
    stream.at(from, kOther, SwitchSample{chain, {}, {}}, kOther);
    stream.at(from, kOther, SwitchedOut{}, kOther);
    stream.at(from + 10, kOther, SwitchedIn{}, kOther);
  };
  sleep_ten(2);
  stream.at(20, kOther, Named{"bench", true}, kOther);
  stream.at(20, kOther, Mapped{{0x1000, 0x2000, 0, "/bin/bench", ""}}, kOther);
  sleep_ten(21);
  const OffCpuRecording recording = stream.finish(40);
  std::vector<std::pair<std::string, std::string>> seen;
  for (const RecordedWait& wait : recording.waits) {
    if (wait.activity != kBlocked) continue;
    const RawStack& stack = recording.stacks.at(wait.stack);
    seen.emplace_back(recording.threads.at(wait.thread).name,
                      recording.address_spaces.at(stack.address_space).at(0).path);
  }
  // A forked child has its parent's mappings and name.
  CHECK(seen == std::vector<std::pair<std::string, std::string>>{{"sh", "/bin/sh"}, {"bench", "/bin/bench"}});
}

TEST_CASE("a dump is kept once for all waits in the same calls, and the chain tells kernel from user") {
  Stream stream;
  stream.at(0, kPid, Named{"x", true});
  stream.at(0, kPid, Mapped{{0x1000, 0x2000, 0, "/bin/x", ""}});
  const std::vector<std::uint64_t> registers{1, 2, 3};
  const auto sleep_at = [&](double from, std::uint64_t local, std::uint64_t return_address) {
    // Without frame pointers the kernel takes anything for a caller.
    const std::vector<std::uint64_t> chain{kKernelMark, 0xffffffff81000000, kUserMark, 0x1100, local};
    const std::vector<std::uint64_t> words{local, return_address};
    stream.at(from, kPid, SwitchSample{chain, registers, std::as_bytes(std::span(words))});
    stream.at(from, kPid, SwitchedOut{});
    stream.at(from + 10, kPid, SwitchedIn{});
  };
  sleep_at(1, 7, 0x1200);
  sleep_at(20, 8, 0x1200);  // A local variable differs.
  sleep_at(40, 8, 0x1300);  // It was called from elsewhere.
  const OffCpuRecording recording = stream.finish(60);
  REQUIRE(recording.stacks.size() == 1 + 2);
  CHECK(recording.stacks[1].kernel_chain == std::vector<std::uint64_t>{0xffffffff81000000});
  CHECK(recording.stacks[1].user_chain == std::vector<std::uint64_t>{0x1100});
  CHECK(recording.stacks[1].registers == registers);
  std::uint64_t local = 0;
  std::memcpy(&local, recording.stacks[1].dump.data(), sizeof local);
  CHECK(local == 7);
}

TEST_CASE("a wait whose stack was not taken has those of the thread's other waits, by their samples") {
  Stream stream;
  stream.found(0, kPid);
  const auto sleep_in = [&](double from, double ms, const std::vector<std::uint64_t>& chain) {
    if (!chain.empty()) stream.at(from, kPid, SwitchSample{chain, {}, {}});
    stream.at(from, kPid, SwitchedOut{});
    stream.at(from + ms - 1, kPid, Woken{kOther, false}, 0);
    stream.at(from + ms, kPid, SwitchedIn{});
  };
  const std::vector<std::uint64_t> long_one{kUserMark, 0x100};
  const std::vector<std::uint64_t> short_one{kUserMark, 0x200};
  sleep_in(10, 31, long_one);
  sleep_in(50, 11, short_one);
  sleep_in(100, 401, {});
  const OffCpuRecording recording = stream.finish(600);
  CHECK(is_about(count(recording, kBlocked), 440));
  CHECK(is_about(count(recording, ThreadActivity::scheduling), 3));
  for (const RecordedWait& wait : recording.waits) {
    if (wait.activity != kBlocked) continue;
    REQUIRE(wait.stack != kNoStack);
    const bool is_long = recording.stacks.at(wait.stack).user_chain.at(0) == 0x100;
    CHECK(wait.samples == doctest::Approx(is_long ? 330 : 110).epsilon(0.1));
    const WakeCounts& wakes = wait.wakes;
    CHECK(wakes.by_thread + wakes.by_interrupt + wakes.by_ending_thread + wakes.never + wakes.unknown == wait.samples);
    CHECK(wait.waits == 1);  // Of those that were seen.
  }
}

TEST_CASE("a wait whose stack was not taken does not end what the one before it is told by") {
  Stream stream;
  stream.found(0, kPid);
  const std::vector<std::uint64_t> chain{kUserMark, 0x100};
  for (int i = 0; i < 10; ++i) {
    if (i % 2 == 0) stream.at(100 * i + 1, kPid, SwitchSample{chain, {}, {}});
    stream.at(100 * i + 1, kPid, SwitchedOut{});
    stream.at(100 * i + 50, kPid, SwitchedIn{});
  }
  const OffCpuRecording recording = stream.finish(1000);
  CHECK(blocked_wait(recording).followed == blocked_wait(recording).came_back);
}

TEST_CASE("memory has an end: of stacks beyond the limit the dump goes, then the stack; the samples stay") {
  BlockedSamplesOptions options;
  options.stacks = {2, 3};
  options.most_waits = 6;
  Stream stream(options);
  stream.at(0, kPid, Named{"x", true});
  stream.at(0, kPid, Mapped{{0x1000, 0x101000, 0, "/bin/x", ""}});
  const std::vector<std::uint64_t> registers{1};
  for (std::uint32_t i = 0; i < 100; ++i) {
    const std::vector<std::uint64_t> chain{kUserMark, 0x1100 + i};
    const std::vector<std::uint64_t> words{0x1100};
    const std::uint32_t tid = 1000 + i;
    stream.found(i * 100, tid);
    stream.at(i * 100, tid, SwitchSample{chain, registers, std::as_bytes(std::span(words))});
    stream.at(i * 100, tid, SwitchedOut{});
    stream.at(i * 100 + 10, tid, SwitchedIn{});
    stream.at(i * 100 + 10, tid, Ended{});
  }
  const OffCpuRecording recording = stream.finish(10'000);
  CHECK(recording.stacks.size() == 1 + 2 + 3);
  CHECK(recording.waits.size() <= 6 + 6);
  CHECK(recording.threads.size() <= 1 + 6);
  CHECK(recording.folded > 0);
  CHECK(count(recording, kBlocked) == doctest::Approx(1000).epsilon(0.02));
}

TEST_CASE("a thousand processes that are gone leave no mappings behind but those of kept stacks") {
  Stream stream;
  for (std::uint32_t pid = 1000; pid < 2000; ++pid) {
    stream.at(pid, pid, Started{kPid, kPid}, pid);
    stream.at(pid, pid, Named{"cc1", true}, pid);
    stream.at(pid, pid, Mapped{{0x1000, 0x2000, 0, "/usr/lib/cc1", ""}}, pid);
    stream.at(pid + 0.1, pid, Ended{}, pid);
  }
  CHECK(stream.finish(3000).address_spaces.empty());
}

TEST_CASE("wake-ups of threads that are none of ours are passed over") {
  Stream stream;
  stream.found(0, kPid);
  stream.at(1, 4242, Woken{4243, false});
  const OffCpuRecording recording = stream.finish(2, [](auto) { return true; });
  CHECK(recording.blocked_ns + recording.scheduling_ns == 0);
}

TEST_CASE("a thread's programs are those of what it runs now, though it had a tick before that was mapped") {
  Stream stream;
  stream.at(0, kPid, Named{"starter", true});
  stream.at(0, kPid, Mapped{{0x1000, 0x2000, 0, "/bin/starter", ""}});
  stream.at(5, kPid, Named{"command", true});
  stream.at(10, kPid, SwitchedOut{});
  stream.at(15, kPid, SwitchedIn{});
  stream.at(15, kPid, Mapped{{0x1000, 0x2000, 0, "/bin/command", ""}});
  stream.at(15, kPid, Mapped{{0x3000, 0x4000, 0, "/lib/ld.so", ""}});
  const OffCpuRecording recording = stream.finish(20);
  REQUIRE(recording.threads.size() == 3);
  const auto programs_of = [&](const RecordedThread& thread) { return recording.program_lists.at(thread.programs); };
  CHECK(programs_of(recording.threads[1]) == std::vector<std::string>{"/bin/starter"});
  CHECK(programs_of(recording.threads[2]) == std::vector<std::string>{"/bin/starter", "/bin/command"});
}
