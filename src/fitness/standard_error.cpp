/// The bootstrap of an objective: see the header.

#include "fitness/standard_error.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <aiopt/rng.hpp>

namespace aiopt {

namespace {

constexpr std::size_t kFewestPairs = 3;
constexpr double kErrorOfTooFew = 0.10;  ///< Relative. Single runs of I/O benchmarks differ by as much.
constexpr int kResamples = 32;           ///< The error of the error is then 12 %, little beside that of a few pairs.
constexpr std::uint64_t kSeed = 0x70616972;

/// What an objective is made of: a resample is built often, and the map of all metrics costs most of it.
BenchmarkRun without_metrics(const BenchmarkRun& run) {
  BenchmarkRun lean = run;
  lean.metrics.clear();
  return lean;
}

std::vector<BenchmarkRun> without_metrics(const std::vector<BenchmarkRun>& runs, std::size_t count) {
  std::vector<BenchmarkRun> lean;
  lean.reserve(count);
  for (std::size_t i = 0; i < count; ++i) lean.push_back(without_metrics(runs[i]));
  return lean;
}

}  // namespace

double objective_standard_error(const FitnessFunction& fitness, const Evaluation& evaluation,
                                const Evaluation& baseline) {
  if (evaluation.id == kBaselineId) return 0.0;
  const double too_few = kErrorOfTooFew * std::abs(fitness.objective(evaluation, baseline));
  if (!evaluation.benchmark || too_few == 0.0) return too_few;
  const std::size_t pairs = std::min(evaluation.benchmark->candidate.size(), evaluation.benchmark->baseline.size());
  if (pairs < kFewestPairs) return too_few;

  const std::vector<BenchmarkRun> candidate_runs = without_metrics(evaluation.benchmark->candidate, pairs);
  const std::vector<BenchmarkRun> baseline_runs = without_metrics(evaluation.benchmark->baseline, pairs);
  // A benchmark of its own: a figure that was estimated from all pairs is not that of a resample.
  Evaluation resampled;
  resampled.id = evaluation.id;
  resampled.status = evaluation.status;
  resampled.benchmark.emplace();
  resampled.benchmark->candidate.resize(pairs);
  resampled.benchmark->baseline.resize(pairs);
  Rng rng(kSeed);
  double first = 0.0;
  double sum = 0.0;
  double sum_of_squares = 0.0;
  for (int i = 0; i < kResamples; ++i) {
    for (std::size_t pair = 0; pair < pairs; ++pair) {
      const std::size_t drawn = rng.index(pairs);
      resampled.benchmark->candidate[pair] = candidate_runs[drawn];
      resampled.benchmark->baseline[pair] = baseline_runs[drawn];
    }
    const double objective = fitness.objective(resampled, baseline);
    if (i == 0) first = objective;
    // From the first one on: equal objectives make exactly 0 then.
    sum += objective - first;
    sum_of_squares += (objective - first) * (objective - first);
  }
  const double variance = (sum_of_squares - sum * sum / kResamples) / (kResamples - 1);
  const auto n = static_cast<double>(pairs);
  const double error = std::sqrt(std::max(variance, 0.0) * n / (n - 1.0));
  return std::isfinite(error) ? error : too_few;
}

}  // namespace aiopt
