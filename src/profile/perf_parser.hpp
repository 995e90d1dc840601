/// From the bytes of a perf ring to a PerfRecord: perf_event_open(2), "MMAP layout".

#pragma once

#include <linux/perf_event.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

#include "profile/perf_record.hpp"

namespace aiopt {

/// All events of a ring are opened with these, so that the head of a sample and the tail of anything else are alike.
inline constexpr std::uint64_t kSampleHead =
    PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME;

enum class PerfEventKind {
  side_band,       ///< Never samples.
  task_clock,      ///< kSampleHead | CALLCHAIN
  context_switch,  ///< kSampleHead | CALLCHAIN, REGS_USER and STACK_USER too if PerfParser::has_dumps
  waking,          ///< kSampleHead | RAW
};

/// Where sched_waking's record holds what is needed, in bytes: tracefs, events/sched/sched_waking/format.
struct WakingFormat {
  std::size_t flags = 2;  ///< One byte: 8 in a hard, 16 in a soft interrupt.
  std::size_t pid = 24;   ///< Four bytes: the woken thread.
};

/// Not thread-safe.
class PerfParser {
 public:
  bool has_dumps = false;
  WakingFormat waking;
  std::unordered_map<std::uint64_t, PerfEventKind> kinds;  ///< By PERF_EVENT_IOC_ID.

  /// CLOCK_MONOTONIC; 0 of a record that has none.
  /// @pre 8-byte aligned and whole, as the kernel writes them; so below
  static std::uint64_t time_of(const perf_event_header& header);

  /// Empty where it is of no use, or too short for what it claims to be. The record lends its bytes.
  std::optional<PerfRecord> parse(const perf_event_header& header);

  std::uint64_t lost = 0;       ///< By PERF_RECORD_LOST and LOST_SAMPLES.
  std::uint64_t throttled = 0;  ///< Times that the kernel found an event too frequent and paused it.

 private:
  std::optional<PerfRecord> parse_sample(const perf_event_header& header) const;
};

}  // namespace aiopt
