/// From log-ratios to ratios.

#include "measure/speedup_estimate.hpp"

#include <cmath>

namespace aiopt {

SpeedupEstimate to_speedup(const PairedEstimate& estimate, double confidence) {
  return {std::exp(estimate.log_ratio), std::exp(estimate.lower), std::exp(estimate.upper), confidence,
          estimate.p_value};
}

SpeedupEstimate estimate_of_pairs(const BenchmarkResult& benchmark) {
  constexpr double kConfidence = 0.95;
  return to_speedup(estimate_pairs(benchmark.log_ratios(), kConfidence), kConfidence);
}

}  // namespace aiopt
