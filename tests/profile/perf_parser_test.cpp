/// Records of a perf ring, byte by byte.

#include <doctest/doctest.h>

#include <cstring>
#include <string_view>
#include <vector>

#include "profile/perf_parser.hpp"

using namespace aiopt;

namespace {

/// A record in the making; 8-byte aligned, as in a ring.
class Bytes {
 public:
  Bytes(std::uint32_t type, std::uint16_t misc = 0) : header_{type, misc, 0} {}

  template <typename T>
  Bytes& put(T value) {
    const auto* from = reinterpret_cast<const char*>(&value);
    body_.insert(body_.end(), from, from + sizeof value);
    return *this;
  }
  Bytes& text(std::string_view text) {
    body_.insert(body_.end(), text.begin(), text.end());
    do body_.push_back('\0');
    while (body_.size() % 8 != 0);
    return *this;
  }
  Bytes& tail(std::uint32_t pid, std::uint32_t tid, std::uint64_t time) {
    return put(pid).put(tid).put(time).put(std::uint64_t{5});
  }
  Bytes& head(std::uint64_t id, std::uint32_t pid, std::uint32_t tid, std::uint64_t time) {
    return put(id).put(std::uint64_t{0xabc}).put(pid).put(tid).put(time);
  }

  const perf_event_header& record(std::size_t cut_bytes = 0) {
    header_.size = static_cast<std::uint16_t>(sizeof header_ + body_.size() - cut_bytes);
    words_.assign((header_.size + 7U) / 8U, 0);
    std::memcpy(words_.data(), &header_, sizeof header_);
    std::memcpy(words_.data() + 1, body_.data(), header_.size - sizeof header_);
    return *reinterpret_cast<const perf_event_header*>(words_.data());
  }

 private:
  perf_event_header header_;
  std::vector<char> body_;
  std::vector<std::uint64_t> words_;
};

PerfParser parser() {
  PerfParser made;
  made.kinds = {{5, PerfEventKind::task_clock}, {6, PerfEventKind::context_switch}, {7, PerfEventKind::waking}};
  made.has_dumps = true;
  return made;
}

std::vector<std::uint64_t> list(std::span<const std::uint64_t> words) {
  return {words.begin(), words.end()};
}

}  // namespace

TEST_CASE("switches are told with their thread, time and whether it could have run on") {
  PerfParser p = parser();
  Bytes out(PERF_RECORD_SWITCH, PERF_RECORD_MISC_SWITCH_OUT);
  const auto left = p.parse(out.tail(1, 2, 300).record());
  REQUIRE(left.has_value());
  CHECK(left->tid == 2);
  CHECK(left->time_ns == 300);
  CHECK_FALSE(std::get<SwitchedOut>(left->event).is_runnable);
  Bytes preempted(PERF_RECORD_SWITCH, PERF_RECORD_MISC_SWITCH_OUT | PERF_RECORD_MISC_SWITCH_OUT_PREEMPT);
  CHECK(std::get<SwitchedOut>(p.parse(preempted.tail(1, 2, 3).record())->event).is_runnable);
  Bytes in(PERF_RECORD_SWITCH);
  CHECK(std::holds_alternative<SwitchedIn>(p.parse(in.tail(1, 2, 3).record())->event));
}

TEST_CASE("a switch of a CPU-wide event tells the next thread too, and is of the one that leaves") {
  PerfParser p = parser();
  Bytes out(PERF_RECORD_SWITCH_CPU_WIDE, PERF_RECORD_MISC_SWITCH_OUT);
  const auto left = p.parse(out.put(std::uint32_t{8}).put(std::uint32_t{9}).tail(1, 2, 300).record());
  REQUIRE(left.has_value());
  CHECK(left->pid == 1);
  CHECK(left->tid == 2);
  CHECK(std::holds_alternative<SwitchedOut>(left->event));
}

TEST_CASE("a switch's sample has the chain, the registers, and as much of the stack as there was") {
  PerfParser p = parser();
  Bytes bytes(PERF_RECORD_SAMPLE);
  bytes.head(6, 1, 2, 300).put(std::uint64_t{2}).put(std::uint64_t{11}).put(std::uint64_t{12});
  bytes.put(std::uint64_t{PERF_SAMPLE_REGS_ABI_64});
  const auto registers = static_cast<std::uint64_t>(__builtin_popcountll(kUserRegisters));
  for (std::uint64_t i = 0; i < registers; ++i) bytes.put(100 + i);
  bytes.put(std::uint64_t{16}).put(std::uint64_t{21}).put(std::uint64_t{22}).put(std::uint64_t{8});
  const auto record = p.parse(bytes.record());
  REQUIRE(record.has_value());
  CHECK(PerfParser::time_of(bytes.record()) == 300);
  const auto& sample = std::get<SwitchSample>(record->event);
  CHECK(list(sample.chain) == std::vector<std::uint64_t>{11, 12});
  CHECK(sample.registers.size() == registers);
  CHECK(sample.registers[kStackPointer] == 100 + kStackPointer);
  CHECK(sample.stack.size() == 8);
}

TEST_CASE("a wake-up is the woken thread's, and an interrupt's is told apart") {
  PerfParser p = parser();
  const auto wake = [&](std::uint8_t flags) {
    Bytes bytes(PERF_RECORD_SAMPLE);
    bytes.head(7, 1, 2, 300).put(std::uint32_t{36}).put(std::uint16_t{9}).put(flags).put(std::uint8_t{0});
    bytes.put(std::uint32_t{2});
    for (int i = 0; i < 4; ++i) bytes.put(std::uint32_t{0x61616161});
    bytes.put(std::uint32_t{77}).put(std::uint32_t{120}).put(std::uint32_t{0});
    return p.parse(bytes.record());
  };
  const auto record = wake(0);
  REQUIRE(record.has_value());
  CHECK(record->tid == 77);
  CHECK(std::get<Woken>(record->event).waker == 2);
  CHECK_FALSE(std::get<Woken>(record->event).is_by_interrupt);
  CHECK(std::get<Woken>(wake(8)->event).is_by_interrupt);
  CHECK(std::get<Woken>(wake(16)->event).is_by_interrupt);
}

TEST_CASE("threads, names and mappings are told of their own process, not of who wrote the record") {
  PerfParser p = parser();
  Bytes fork(PERF_RECORD_FORK);
  for (const std::uint32_t number : {30U, 10U, 31U, 12U}) fork.put(number);
  const auto started = p.parse(fork.put(std::uint64_t{300}).tail(10, 12, 300).record());
  REQUIRE(started.has_value());
  CHECK(started->pid == 30);
  CHECK(started->tid == 31);
  CHECK(std::get<Started>(started->event).parent_pid == 10);
  CHECK(std::get<Started>(started->event).parent_tid == 12);

  Bytes name(PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC);
  const auto named = p.parse(name.put(30U).put(31U).text("bench").tail(30, 31, 1).record());
  CHECK(std::get<Named>(named->event).name == "bench");
  CHECK(std::get<Named>(named->event).is_exec);

  Bytes map(PERF_RECORD_MMAP2, PERF_RECORD_MISC_MMAP_BUILD_ID);
  map.put(30U).put(31U).put(std::uint64_t{0x1000}).put(std::uint64_t{0x2000}).put(std::uint64_t{0x3000});
  map.put(std::uint64_t{0x0201'ab'00000014}).put(std::uint64_t{3}).put(std::uint64_t{4}).put(std::uint64_t{5});
  const auto mapped = p.parse(map.text("/lib/x.so").tail(30, 31, 1).record());
  const Mapping& mapping = std::get<Mapped>(mapped->event).mapping;
  CHECK(mapping.start == 0x1000);
  CHECK(mapping.end == 0x3000);
  CHECK(mapping.file_offset == 0x3000);
  CHECK(mapping.path == "/lib/x.so");
  CHECK(mapping.build_id ==
        "ab0102000300000000000000"
        "0400000000000000");
}

TEST_CASE("what was lost or throttled is counted, and no record") {
  PerfParser p = parser();
  Bytes lost(PERF_RECORD_LOST);
  CHECK_FALSE(p.parse(lost.put(std::uint64_t{5}).put(std::uint64_t{7}).tail(1, 2, 3).record()).has_value());
  Bytes samples(PERF_RECORD_LOST_SAMPLES);
  CHECK_FALSE(p.parse(samples.put(std::uint64_t{3}).tail(1, 2, 3).record()).has_value());
  Bytes throttle(PERF_RECORD_THROTTLE);
  CHECK_FALSE(p.parse(throttle.tail(1, 2, 3).record()).has_value());
  CHECK(p.lost == 10);
  CHECK(p.throttled == 1);
}

TEST_CASE("a record that is too short for what it claims is none") {
  PerfParser p = parser();
  Bytes chain(PERF_RECORD_SAMPLE);
  chain.head(5, 1, 2, 300).put(std::uint64_t{~0ULL}).put(std::uint64_t{11});
  CHECK_FALSE(p.parse(chain.record()).has_value());
  Bytes run(PERF_RECORD_SAMPLE);
  run.head(5, 1, 2, 300).put(std::uint64_t{1}).put(std::uint64_t{11});
  CHECK(p.parse(run.record()).has_value());
  for (std::size_t cut = 8; cut <= 48; cut += 8) CHECK_FALSE(p.parse(run.record(cut)).has_value());
  Bytes stranger(PERF_RECORD_SAMPLE);
  CHECK_FALSE(p.parse(stranger.head(99, 1, 2, 300).put(std::uint64_t{0}).record()).has_value());
}
