/// The statistics of pairs in the words of an evaluation: ratios, not their logarithms.

#pragma once

#include <aiopt/evaluation.hpp>

#include "measure/paired_estimate.hpp"

namespace aiopt {

/// @param confidence  Of the race that `estimate` is a look of.
SpeedupEstimate to_speedup(const PairedEstimate& estimate, double confidence);

/// Of all its pairs, at 95 %, as of a sample whose size was chosen before. @pre at least one pair
SpeedupEstimate estimate_of_pairs(const BenchmarkResult& benchmark);

}  // namespace aiopt
