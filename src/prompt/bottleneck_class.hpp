/// Which one thing a program's threads wait for most: the rule, and its thresholds.

#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <aiopt/profile.hpp>

namespace aiopt {

enum class BottleneckClass {
  lock,        ///< Mutexes, condition variables, joins.
  io,          ///< A device.
  memory,      ///< Pages: faults, swap, reclaim. Cache misses are seen by none of the profilers: they are `cpu`.
  scheduling,  ///< Ready to run, without a CPU.
  other,       ///< Sleeps, pipes, sockets, whatever else.
  cpu,         ///< Computing.
  mixed,       ///< None of them stands out.
  unknown,     ///< There is no profile that tells.
};

/// "lock", "I/O", "memory", "scheduling", "other waits", "CPU", "mixed", "not known".
std::string_view name_of(BottleneckClass kind);

/// Whether a thread that sleeps in this function of the kernel waits for memory: the functions of page faults, swap,
/// direct reclaim and compaction, by the beginnings of their names, Linux 5.3 to 6.18. A page that is read from a file,
/// by a fault or a read, sleeps in the same functions (folio_wait_bit) whoever asked: it is no memory here, but io.
bool is_memory_wait(std::string_view kernel_function);

/// Its kind, or `memory`.
BottleneckClass class_of(const Blocker& blocker);

struct TimeShare {
  BottleneckClass kind = BottleneckClass::unknown;
  double share = 0.0;  ///< Of the threads' time without idle waits, in [0, 1].
};

/// lock, io, memory, scheduling, other, cpu: largest first, of equals in that order; they add up to 1. `memory` is
/// taken out of the class in which the profile has it, by top_blockers alone: it is at least as much.
/// Empty if the profile holds no sample that is not idle.
std::vector<TimeShare> time_shares(const OffCpuProfile& profile);

struct BottleneckRules {
  double dominant = 0.40;  ///< The least share of a bottleneck.
  double lead = 0.05;      ///< That it has at least before the second.
  /// Not idle, on or off a CPU: at 100 the interval of a share of 40 % is +-10 points, were they independent.
  std::uint64_t min_samples = 100;
};

struct Bottleneck {
  BottleneckClass kind = BottleneckClass::unknown;
  bool by_waits = false;  ///< By shares of the threads' time, not by the causal profile alone.
};

/// The class with the largest share of the threads' time, if its share is at least `dominant` and `lead` more than the
/// second's; else `mixed`. It says what the threads' time goes to, not what it would pay to mend: a thread that holds a
/// lock while it syncs makes seven others wait for the lock.
///
/// Without an off-CPU profile of min_samples: the class of waits whose causal effect is the largest credible one, where
/// classes were sped up; else `unknown`.
Bottleneck bottleneck_of(const Profile& profile, const BottleneckRules& rules = {});

}  // namespace aiopt
