/// Profiles: where a program's threads wait (off-CPU), and which line would pay off (causal).

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aiopt {

/// Why a thread was off its CPU, as bperf has it (Ahn et al., OSDI 2024): `io` waits for a device, `lock` for a futex
/// or a lock of the kernel, `scheduling` is runnable and waits for a CPU, `other` sleeps or waits for anything else.
enum class WaitClass { io, lock, scheduling, other };
inline constexpr std::size_t kWaitClasses = 4;

/// "io", "lock", "scheduling", "other".
std::string_view to_string(WaitClass kind);

/// Where in the source something is. Empty and 0 where it is not known.
struct CodePlace {
  std::string
      function;  ///< Demangled, without its arguments: "walkv::Wal::append". A stripped object's: "libc.so.6+0x12f0".
  std::string file;  ///< As the debug information spells it, absolute where it can be.
  int line = 0;      ///< From 1.

  bool operator==(const CodePlace&) const = default;
};

/// A function in which threads waited: the innermost one of the program's own code, not of libc, that was on the stack.
struct Blocker {
  CodePlace place;
  WaitClass kind = WaitClass::other;
  double share = 0.0;              ///< Of all samples that are not idle, in [0, 1].
  std::string kernel_function;     ///< In which it slept, "jbd2_log_wait_commit"; empty where that is not known.
  std::vector<CodePlace> callers;  ///< Of the stack with most samples, from its direct caller outwards; 8 at most.
};

/// Samples are one a period of a thread's life, on or off a CPU: of equal weight.
struct OffCpuProfile {
  std::string source;  ///< Which profiler at which privilege: "sampler", "sampler (no kernel events)", "bperf"...
  double ratio = 0.0;  ///< Off-CPU samples / all samples, in [0, 1], those of idle waits left out of both.
  double ratio_with_idle = 0.0;  ///< Nothing left out.
  double threads = 0.0;          ///< How many were not idle, on the average of the recording's time. 0: not known.
  std::uint64_t samples = 0;     ///< All of them.
  std::uint64_t off_cpu_samples = 0;
  std::uint64_t idle_samples = 0;                      ///< Of the off-CPU samples; in no class and no blocker.
  std::uint64_t lost = 0;                              ///< Records that the kernel dropped for want of room.
  std::array<std::uint64_t, kWaitClasses> by_class{};  ///< Off-CPU samples that are not idle, indexed by WaitClass.
  std::vector<Blocker> top_blockers;                   ///< By share, largest first.
};

/// What the program would gain if a place were `virtual_speedup` faster (coz: Curtsinger and Berger, SOSP 2015).
struct CausalPoint {
  double virtual_speedup = 0.0;  ///< In [0, 1]: 0.5 makes it take half its time.
  /// Of the time between two visits to the progress point, the share that goes away: 0.5 is twice the throughput.
  /// Negative where the program gets slower. Of a latency, the same of the latency.
  double effect = 0.0;
  double lower = 0.0;  ///< Interval at 95 %, by bootstrap over the experiments.
  double upper = 0.0;
  int experiments = 0;

  /// 1 / (1 - effect): the factor on throughput. Infinity where the effect is 1.
  double throughput_factor() const;
};

/// One place, or one class of waits, and one progress point.
struct CausalTarget {
  CodePlace place;  ///< Empty function where only the line is known.
  std::string
      scope;  ///< "line", or the class that was sped up: "io", "lock", "scheduling", "other", "off-cpu", "on-cpu".
  /// What was sped up in all of its experiments, that at 0 included, in the profiler's words: "IO,0.50%". BCOZ only.
  std::string given;
  std::string progress_point;
  /// Of all samples that are not idle, those on this line, in [0, 1]: what an off-CPU profile beside it saw. 0: not
  /// known.
  double share = 0.0;
  bool is_latency = false;         ///< The progress point is a pair, begin and end.
  std::vector<CausalPoint> curve;  ///< By virtual speedup, rising; the first is at 0, with effect 0.
  double slope = 0.0;  ///< Effect per virtual speedup, least squares through the origin, weighted by experiments.
  /// Largest credible effect: of the points whose interval lies above 0, beyond what chance makes of that many points
  /// in the whole profile; else 0.
  double max_effect = 0.0;
  bool contention = false;  ///< Speeding it up makes the program slower: the same, below 0.
};

struct CausalProfile {
  std::string source;        ///< "coz", "bcoz", ...
  double max_speedup = 0.0;  ///< The largest max_effect of all targets, in percent as the seed's formula has it.
  std::string max_speedup_location;   ///< "src/wal.cc:47"; empty if no effect is credible.
  std::vector<CausalTarget> targets;  ///< By max_effect, largest first.
  int experiments = 0;                ///< That were used.
  int discarded = 0;                  ///< That were not: too short, no visits, no 0 % beside them.
  std::vector<std::string> notes;     ///< What a reader must know: "no experiment: src/a.out has no line table".
};

/// What was found of one program.
struct Profile {
  std::optional<OffCpuProfile> off_cpu;
  std::optional<CausalProfile> causal;
};

}  // namespace aiopt
