/// Sampled stacks: what every off-CPU profiler gives, whichever it is.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <aiopt/profile.hpp>

namespace aiopt {

struct StackFrame {
  CodePlace place;
  std::string object;       ///< Path of the program or library, "[kernel]" for the kernel.
  bool is_inlined = false;  ///< Into the frame after it.

  bool operator==(const StackFrame&) const = default;
};

/// Samples that share thread name, class and stack.
struct SampledStack {
  std::optional<WaitClass> wait;   ///< Empty: the thread ran.
  bool is_idle = false;            ///< A wait for work, not for what the work needs: see idle_rule.hpp.
  std::vector<StackFrame> frames;  ///< Innermost first, kernel frames before the user's.
  std::string thread;              ///< Its name (comm); may be empty.
  std::uint64_t samples = 0;
};

struct SampledStacks {
  std::string source;
  /// What ran in the kernel has a frame of it. Otherwise some of it counts for the line that made the system call.
  bool tells_kernel = false;
  std::uint64_t period_ns = 1'000'000;  ///< What a sample stands for.
  std::uint64_t lost = 0;               ///< Records that were dropped.
  std::vector<SampledStack> stacks;
};

/// Ratios, classes and the `top` largest blockers. Which frame of a stack is the blocker: Blocker.
OffCpuProfile summarize(const SampledStacks& stacks, std::size_t top = 10);

struct BusyLine {
  CodePlace place;
  double share = 0.0;  ///< Of all samples that are not idle. 0: not known, as SampledStacks::tells_kernel is not set.
};

/// The lines on which threads ran outside of the kernel, by samples: of each stack the innermost that `is_of_interest`.
/// As coz finds the lines that it tries, so that what coz is to try can be known beforehand.
std::vector<BusyLine> busiest_lines(const SampledStacks& stacks, std::size_t top,
                                    const std::function<bool(const CodePlace&)>& is_of_interest);

}  // namespace aiopt
