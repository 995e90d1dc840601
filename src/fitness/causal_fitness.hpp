/// The seed's causal_fitness, the same with caps, and fitness functions by name.

#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <aiopt/fitness.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// What the formula takes, and nothing else: worked values are tested against it.
struct CausalFitnessInputs {
  bool compiled = false;
  bool tests_passed = false;
  double throughput_ops_sec = 0.0;
  std::optional<double> latency_us;       ///< P99. Absent: the term is 1.
  std::optional<double> max_speedup_pct;  ///< Of the causal profile, in percent. Absent, 0 or less: the term is 1.
  std::optional<double> offcpu_ratio;     ///< Of the off-CPU profile. Absent: the term is 1.

  double baseline_throughput_ops_sec = 0.0;  ///< Above 0 if it compiled and passed its tests.
  double baseline_latency_us = 0.0;
  double baseline_offcpu_ratio = 0.0;
};

/// weight . (throughput / baseline, baseline / max(latency, 1), 1 + 0.01 (100 - max_speedup), baseline / max(offcpu,
/// 0.01)), rounded to 4 places; 0 if it did not compile or pass its tests.
double causal_fitness(const CausalFitnessInputs& inputs, const FitnessTask& weights = {});

/// The same sum with no term above its cap, and an off-CPU term above 1 only as far as throughput rose: it is no more
/// than the larger of 1 and throughput / baseline.
///
/// In the seed's formula a program that spins instead of sleeping gets up to 25 on that term, and with the usual
/// weights 4.8 on the whole, while it does the same work for more electricity. Waiting less is worth something if it
/// shows. For what falls short of the baseline nothing changes: a term below 1 counts in full.
double causal_capped_fitness(const CausalFitnessInputs& inputs, const FitnessTask& task);

/// The nearest value of 4 decimal places to what the double really holds, as Python's round(value, 4) gives it: half to
/// even in the rare case that the double lies exactly between two.
double round_to_4_places(double value);

/// Throughput and latency are medians. Where the candidate was measured in pairs, its throughput is taken as the
/// baseline runs' times the paired speed-up: the pairs cancel what the machine did meanwhile.
std::unique_ptr<FitnessFunction> make_causal_fitness(FitnessTask weights);

/// As above, with the caps.
std::unique_ptr<FitnessFunction> make_causal_capped_fitness(FitnessTask task);

/// The function that FitnessTask::name names; null if there is none of that name.
std::unique_ptr<FitnessFunction> make_fitness(const FitnessTask& task);

/// The names that make_fitness() knows.
std::vector<std::string> fitness_names();

}  // namespace aiopt
