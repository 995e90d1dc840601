/// OffCpuRecording: what the sampler saw, folded, before anything has a name.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "profile/address_spaces.hpp"
#include "profile/stack_table.hpp"

namespace aiopt {

/// One for each program that a thread ran: by execve(2) it becomes another.
struct RecordedThread {
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::string name;                      ///< The last it had (comm).
  std::uint32_t programs = kNoPrograms;  ///< Into OffCpuRecording::program_lists.
  static constexpr std::uint32_t kNoPrograms = 0xFFFFFFFF;

  bool operator==(const RecordedThread&) const = default;
};

enum class ThreadActivity {
  running,
  blocked,     ///< Until the wake-up, or until it ran again where wake-ups are not seen.
  scheduling,  ///< Runnable and not running.
};

/// Samples are counted by who ended the wait that they fall into.
struct WakeCounts {
  std::uint64_t by_thread = 0;
  std::uint64_t by_interrupt = 0;      ///< A timer; where it waits for a device, that.
  std::uint64_t by_ending_thread = 0;  ///< One that ended at once: a join.
  std::uint64_t never = 0;             ///< The recording ended first.
  std::uint64_t unknown = 0;           ///< Wake-ups could not be seen.
};

/// One thread in one stack. What is said of waits is of those that gave a sample: longer ones are likelier among them,
/// as with samples it should be.
struct RecordedWait {
  std::uint32_t thread = 0;  ///< Into OffCpuRecording::threads.
  StackId stack = kNoStack;
  ThreadActivity activity = ThreadActivity::running;
  std::uint64_t samples = 0;

  // Of blocked ones only.
  std::uint64_t waits = 0;
  std::uint64_t wait_ns = 0;  ///< Sum over them.
  WakeCounts wakes;
  std::uint64_t followed = 0;      ///< Of the waits: the thread then ran until it blocked again, or ended.
  std::uint64_t cpu_after_ns = 0;  ///< For how long, summed over those.
  std::uint64_t came_back = 0;     ///< Of those: it blocked in the same stack, or ended.
  std::uint64_t ended_after = 0;   ///< Of those: it ended, without another wait between.
};

struct OffCpuRecording {
  std::string source;                   ///< "sampler", "sampler (no wake-ups)"...
  bool sees_kernel = false;             ///< Whether stacks tell what ran in the kernel.
  std::uint64_t period_ns = 1'000'000;  ///< Of a thread's life that a sample stands for.
  std::vector<RecordedThread> threads;  ///< The first stands for all for which there was no more room.
  std::vector<RawStack> stacks;         ///< By StackId; the first is kNoStack.
  std::vector<RecordedWait> waits;
  std::map<std::uint32_t, std::vector<Mapping>> address_spaces;  ///< By RawStack::address_space.
  std::vector<std::vector<std::string>> program_lists;           ///< Of threads: see AddressSpaces::programs_of().

  // By the clock, of all that the samples were drawn from.
  std::uint64_t running_ns = 0;
  std::uint64_t blocked_ns = 0;
  std::uint64_t scheduling_ns = 0;
  std::uint64_t switches = 0;  ///< Times that a thread was switched out.

  std::uint64_t records = 0;
  std::uint64_t lost = 0;  ///< Records that the kernel had no room for.
  std::uint64_t throttled = 0;
  std::uint64_t gaps = 0;          ///< Times that what a thread did could not be told: a record was missing.
  std::uint64_t folded = 0;        ///< Stacks and threads for which there was no more room.
  std::uint64_t drain_cpu_ns = 0;  ///< CPU time that draining and folding took.

  /// (blocked + scheduling) / all, of samples, in [0, 1]; 0 without samples. Idle waits are in it.
  double ratio() const;
};

/// Takes out the waits and runs of what starts a command and looks after it: of processes that ran nothing but such
/// programs, neither they nor those that they come from. Whatever the command runs, such a program too, it stays. What
/// is by the clock alone stays as it is. Nothing is taken out where records were lost: a flood of them could hide where
/// a process comes from.
void leave_out(OffCpuRecording& recording, const std::function<bool(std::string_view path)>& is_starter);

}  // namespace aiopt
