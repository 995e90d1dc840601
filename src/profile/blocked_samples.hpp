/// BlockedSamples: from the kernel's records to samples of a thread's whole life, on a CPU and off it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "profile/address_spaces.hpp"
#include "profile/offcpu_recording.hpp"
#include "profile/perf_record.hpp"
#include "profile/stack_table.hpp"

namespace aiopt {

struct BlockedSamplesOptions {
  std::uint64_t period_ns = 1'000'000;
  StackLimits stacks;
  std::size_t most_waits = 131'072;  ///< Pairs of thread and stack, some 150 bytes each; later threads share one name.
};

/// Blocked samples as bperf has them (Ahn et al., OSDI 2024), made from context switches. A thread is on a CPU or off
/// it; each of the two has a clock, and each `period_ns` on it is a sample. The phase is carried on from one interval
/// to the next, so that a thousand waits of 0.3 periods are 300 samples. It starts anywhere in a period, by a digest of
/// the thread's number: short-lived threads count on the average for as long as they lived.
/// - A tick off the CPU belongs to the stack in which the thread was switched out; before the wake-up it is blocked,
///   from then on scheduling. A thread that was preempted, or has just been made, is scheduling all along.
/// - A tick on the CPU belongs to the latest RunSample. So short runs between two of those count too.
/// - A tick of a wait whose stack was not taken (see OffCpuSampler) belongs to the stacks that the thread's other waits
///   had, in proportion to their ticks. Where none was taken all along its stack is not known.
/// - Whatever happens between records that do not fit (two SwitchedOut) is unknown, and counts as nothing.
///
/// Memory is bounded by the options and by how many threads live at once. Pure; not thread-safe.
class BlockedSamples {
 public:
  explicit BlockedSamples(const BlockedSamplesOptions& options = {});

  /// In the order of time. A record that is a little late is taken as if it came now.
  void add(const PerfRecord& record);

  /// Those that were switched out and have not come back: {pid, tid}.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> sleeping() const;

  /// Closes what is open: a thread that sleeps slept until now, if it is there at all: its Ended may have been lost.
  /// @return Its source, records, lost, throttled and drain_cpu_ns are left for the caller.
  OffCpuRecording finish(std::uint64_t now_ns, const std::function<bool(std::uint32_t tid)>& is_alive);

 private:
  enum class State { unknown, on, off };
  enum class AfterWait { same_wait, other_wait, end };
  enum class Waker { none, unknown, thread, interrupt, ending_thread };

  /// The one wait of a thread whose outcome is still awaited.
  struct LastWait {
    std::size_t row = 0;
    std::uint64_t samples = 0;  ///< 0: there is none.
    std::uint64_t digest = 0;
    std::uint64_t cpu_ns = 0;  ///< Since then.
    Waker waker = Waker::none;
    std::uint32_t waker_tid = 0;
  };

  struct Thread {
    std::uint32_t pid = 0;
    std::uint32_t tid = 0;
    std::uint32_t serial = 0;  ///< Into threads_; 0: not there yet.
    std::string name;
    State state = State::unknown;
    std::uint64_t since_ns = 0;  ///< It was switched out, or its clock on the CPU was read.
    bool is_runnable = false;
    std::uint64_t woken_ns = 0;  ///< 0: not yet.
    Waker waker = Waker::none;
    std::uint32_t waker_tid = 0;
    std::uint64_t early_wake_ns = 0;  ///< While it was on its way to sleep.
    std::uint64_t on_phase_ns = 0;
    std::uint64_t off_phase_ns = 0;

    // In which it was, or will be, switched out.
    std::vector<std::uint64_t> chain;
    std::vector<std::uint64_t> registers;
    std::vector<std::byte> dump;
    std::string kernel_function;  ///< As last seen by somebody else, with the address; it stays.
    std::uint64_t seen_pc = 0;

    StackId run_stack = kNoStack;
    LastWait last;
    std::uint32_t last_woken_tid = 0;
    std::uint64_t cpu_ns = 0;                ///< For how long it ran.
    std::uint64_t cpu_at_last_woken_ns = 0;  ///< When it woke that one.
  };

  void on(const PerfRecord& record, const RunSample& sample);
  void on(const PerfRecord& record, const SwitchSample& sample);
  void on(const PerfRecord& record, const SwitchedOut& out);
  void on(const PerfRecord& record, const SwitchedIn& in);
  void on(const PerfRecord& record, const Woken& woken);
  void on(const PerfRecord& record, const Started& started);
  void on(const PerfRecord& record, const Ended& ended);
  void on(const PerfRecord& record, const Named& named);
  void on(const PerfRecord& record, const Mapped& mapped);
  void on(const PerfRecord& record, const Found& found);
  void on(const PerfRecord& record, const WaitSeen& seen);

  Thread& thread_of(const PerfRecord& record);
  Thread make_thread(std::uint32_t pid, std::uint32_t tid) const;
  void advance_on(Thread& thread, std::uint64_t now_ns);
  void close_wait(Thread& thread, std::uint64_t now_ns);
  void add_blocked(Thread& thread, std::uint64_t ns, std::uint64_t samples);
  void end_last_wait(Thread& thread, AfterWait after);
  std::uint64_t tick(std::uint64_t& phase_ns, std::uint64_t ns) const;
  StackId stack_of(const Thread& thread);
  std::uint32_t list_of_programs(std::uint32_t pid);
  std::size_t row_of(Thread& thread, StackId stack, ThreadActivity activity);
  std::uint64_t& count_of(RecordedWait& row, Waker waker) const;
  void spread_unseen();
  void note_end_of_waker(const Thread& ended);
  void remember_name(const Thread& thread);

  BlockedSamplesOptions options_;
  std::unordered_map<std::uint32_t, Thread> live_;  ///< By tid.
  AddressSpaces spaces_;
  std::vector<std::uint64_t> chain_;  ///< Of the sample at hand: kept for its room.
  StackTable stacks_;
  std::unordered_map<std::uint64_t, std::size_t> row_ids_;
  std::map<std::vector<std::string>, std::uint32_t> list_ids_;  ///< Into OffCpuRecording::program_lists.
  bool sees_stacks_ = false;                                    ///< There was a SwitchSample.
  OffCpuRecording recording_;
};

}  // namespace aiopt
