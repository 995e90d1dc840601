/// Where a candidate lies in the archive.

#pragma once

#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/evaluation.hpp>
#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// One measure for each axis: "offcpu_ratio" by the profile or CPU accounting (0 where the kernel does not account),
/// "function" the one that the patch changed most; "causal_hotspot", "offcpu_class" and "offcpu_function" the first of
/// the profile's, "none" where it found none and "not profiled" without one; any other name the median of that metric
/// of the benchmark.
///
/// @return not_found if the benchmark printed no such metric; names those it printed.
Result<std::vector<Measure>> measures_of(const std::vector<Axis>& axes, const Candidate& candidate,
                                         const Evaluation& evaluation);

}  // namespace aiopt
