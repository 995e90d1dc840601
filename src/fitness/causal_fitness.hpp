/// The seed's causal_fitness.

#pragma once

#include <memory>
#include <optional>

#include <aiopt/fitness.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// What the formula takes, and nothing else: worked values are tested against it.
struct CausalFitnessInputs {
  bool compiled = false;
  bool tests_passed = false;
  double throughput_ops_sec = 0.0;
  std::optional<double> latency_us;       ///< P99. Absent: the term is 1.
  std::optional<double> max_speedup_pct;  ///< Of the causal profile, in percent. Absent or 0: the term is 1.
  std::optional<double> offcpu_ratio;     ///< Of the off-CPU profile. Absent: the term is 1.

  double baseline_throughput_ops_sec = 0.0;
  double baseline_latency_us = 0.0;
  double baseline_offcpu_ratio = 0.0;
};

/// weight . (throughput / baseline, baseline / max(latency, 1), 1 + 0.01 (100 - max_speedup), baseline / max(offcpu,
/// 0.01)), rounded to 4 places; 0 if it did not compile or pass its tests.
double causal_fitness(const CausalFitnessInputs& inputs, const FitnessTask& weights = {});

std::unique_ptr<FitnessFunction> make_causal_fitness(FitnessTask weights);

}  // namespace aiopt
