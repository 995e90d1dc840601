/// The layouts of perf's records.

#include "profile/perf_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace aiopt {
namespace {

constexpr std::size_t kTailBytes = 24;  ///< sample_id_all with kSampleHead: pid and tid, time, id.

/// Reads one field after another; past the end everything is 0, and ok() false.
class RecordFields {
 public:
  explicit RecordFields(const perf_event_header& header)
      : at_(reinterpret_cast<const std::byte*>(&header) + sizeof header), left_(header.size - sizeof header) {}

  template <typename T>
  T take() {
    T value{};
    if (const std::byte* from = bytes(sizeof value)) std::memcpy(&value, from, sizeof value);
    return value;
  }

  std::span<const std::uint64_t> words(std::uint64_t count) {
    const std::byte* from = count <= left_ / 8 ? bytes(count * 8) : bytes(left_ + 1);
    if (from == nullptr) return {};
    return {reinterpret_cast<const std::uint64_t*>(from), count};
  }

  std::span<const std::byte> raw(std::uint64_t count) {
    const std::byte* from = bytes(count);
    if (from == nullptr) return {};
    return {from, count};
  }

  /// Up to its null character; the tail is behind it.
  std::string_view text() const {
    const auto* from = reinterpret_cast<const char*>(at_);
    return {from, ::strnlen(from, left_)};
  }

  bool ok() const { return ok_; }

 private:
  const std::byte* bytes(std::uint64_t count) {
    if (count > left_) {
      ok_ = false;
      left_ = 0;
      return nullptr;
    }
    const std::byte* from = at_;
    at_ += count;
    left_ -= count;
    return from;
  }

  const std::byte* at_;
  std::size_t left_;
  bool ok_ = true;
};

struct RecordTail {
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::uint64_t time_ns = 0;
};

RecordTail tail_of(const perf_event_header& header) {
  RecordTail tail;
  if (header.size < sizeof header + kTailBytes) return tail;
  const std::byte* from = reinterpret_cast<const std::byte*>(&header) + header.size - kTailBytes;
  std::memcpy(&tail.pid, from, 4);
  std::memcpy(&tail.tid, from + 4, 4);
  std::memcpy(&tail.time_ns, from + 8, 8);
  return tail;
}

SwitchSample take_switch_sample(RecordFields& fields, bool has_dumps) {
  SwitchSample sample;
  sample.chain = fields.words(fields.take<std::uint64_t>());
  if (!has_dumps) return sample;
  const auto abi = fields.take<std::uint64_t>();
  if (abi != PERF_SAMPLE_REGS_ABI_NONE) sample.registers = fields.words(std::popcount(kUserRegisters));
  const auto room = fields.take<std::uint64_t>();
  if (room == 0) return sample;
  const std::span<const std::byte> bytes = fields.raw(room);
  const auto used = fields.take<std::uint64_t>();  // Of the room: the stack may end before it.
  sample.stack = bytes.first(std::min<std::size_t>(used, bytes.size()));
  return sample;
}

Mapped take_mapping(RecordFields& fields, bool has_build_id) {
  Mapping mapping;
  fields.take<std::uint64_t>();  // pid, tid
  mapping.start = fields.take<std::uint64_t>();
  mapping.end = mapping.start + fields.take<std::uint64_t>();
  mapping.file_offset = fields.take<std::uint64_t>();
  const std::span<const std::byte> identity = fields.raw(24);  // Build id: its size, 3 bytes, itself. Or device, inode.
  fields.take<std::uint64_t>();                                // Protection, flags.
  mapping.path = fields.text();
  if (!has_build_id || identity.empty()) return {mapping};
  const auto size = std::min<std::size_t>(std::to_integer<std::size_t>(identity[0]), identity.size() - 4);
  for (const std::byte byte : identity.subspan(4, size)) {
    mapping.build_id += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  }
  return {mapping};
}

}  // namespace

std::uint64_t PerfParser::time_of(const perf_event_header& header) {
  if (header.type != PERF_RECORD_SAMPLE) return tail_of(header).time_ns;
  RecordFields fields(header);
  fields.raw(24);  // id, ip, pid and tid
  return fields.take<std::uint64_t>();
}

std::optional<PerfRecord> PerfParser::parse_sample(const perf_event_header& header) const {
  RecordFields fields(header);
  const auto kind = kinds.find(fields.take<std::uint64_t>());
  if (kind == kinds.end()) return std::nullopt;
  fields.take<std::uint64_t>();  // ip
  PerfRecord record;
  record.pid = fields.take<std::uint32_t>();
  record.tid = fields.take<std::uint32_t>();
  record.time_ns = fields.take<std::uint64_t>();
  switch (kind->second) {
    case PerfEventKind::side_band:
      return std::nullopt;
    case PerfEventKind::task_clock:
      record.event = RunSample{fields.words(fields.take<std::uint64_t>())};
      break;
    case PerfEventKind::context_switch:
      record.event = take_switch_sample(fields, has_dumps);
      break;
    case PerfEventKind::waking: {
      constexpr unsigned kInterrupt = 8 | 16;  // TRACE_FLAG_HARDIRQ, TRACE_FLAG_SOFTIRQ
      const std::span<const std::byte> raw = fields.raw(fields.take<std::uint32_t>());
      if (raw.size() < waking.pid + 4 || raw.size() <= waking.flags) return std::nullopt;
      record.event = Woken{record.tid, (std::to_integer<unsigned>(raw[waking.flags]) & kInterrupt) != 0};
      std::memcpy(&record.tid, raw.data() + waking.pid, 4);
      record.pid = 0;  // It is not told.
      break;
    }
  }
  return fields.ok() ? std::optional(record) : std::nullopt;
}

std::optional<PerfRecord> PerfParser::parse(const perf_event_header& header) {
  if (header.type == PERF_RECORD_SAMPLE) return parse_sample(header);
  RecordFields fields(header);
  const RecordTail tail = tail_of(header);
  PerfRecord record{tail.time_ns, tail.pid, tail.tid, {}};
  switch (header.type) {
    case PERF_RECORD_SWITCH:
    case PERF_RECORD_SWITCH_CPU_WIDE:  // It tells who comes next, or was before, too.
      if ((header.misc & PERF_RECORD_MISC_SWITCH_OUT) == 0) {
        record.event = SwitchedIn{};
      } else {
        record.event = SwitchedOut{(header.misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT) != 0};
      }
      break;
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT: {
      record.pid = fields.take<std::uint32_t>();
      Started started;
      started.parent_pid = fields.take<std::uint32_t>();
      record.tid = fields.take<std::uint32_t>();
      started.parent_tid = fields.take<std::uint32_t>();
      if (header.type == PERF_RECORD_FORK) {
        record.event = started;
      } else {
        record.event = Ended{};
      }
      break;
    }
    case PERF_RECORD_COMM:
      record.pid = fields.take<std::uint32_t>();
      record.tid = fields.take<std::uint32_t>();
      record.event = Named{fields.text(), (header.misc & PERF_RECORD_MISC_COMM_EXEC) != 0};
      break;
    case PERF_RECORD_MMAP2:
      record.event = take_mapping(fields, (header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID) != 0);
      break;
    case PERF_RECORD_LOST:
      fields.take<std::uint64_t>();  // id
      lost += fields.take<std::uint64_t>();
      return std::nullopt;
    case PERF_RECORD_LOST_SAMPLES:
      lost += fields.take<std::uint64_t>();
      return std::nullopt;
    case PERF_RECORD_THROTTLE:
      ++throttled;
      return std::nullopt;
    default:
      return std::nullopt;
  }
  return fields.ok() ? std::optional(record) : std::nullopt;
}

}  // namespace aiopt
