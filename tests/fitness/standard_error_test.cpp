/// The standard error of an objective: against the spread that repeated measurements really have.

#include "fitness/standard_error.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/rng.hpp>

#include "fitness/causal_fitness.hpp"

using namespace aiopt;

namespace {

BenchmarkRun fill_run(double throughput) {
  BenchmarkRun run;
  run.throughput_ops_sec = throughput;
  run.metrics = {{"fill", throughput}};
  return run;
}

/// A candidate whose pairs have these ratios.
Evaluation with_ratios(const std::vector<double>& ratios) {
  Evaluation evaluation;
  evaluation.id = CandidateId{7};
  evaluation.benchmark.emplace();
  for (const double ratio : ratios) {
    evaluation.benchmark->candidate.push_back(fill_run(1000.0 * ratio));
    evaluation.benchmark->baseline.push_back(fill_run(1000.0));
  }
  return evaluation;
}

std::unique_ptr<FitnessFunction> speedup_alone() {
  FitnessTask task;
  task.throughput_weight = 1.0;
  task.latency_weight = task.causal_weight = task.offcpu_weight = 0.0;
  return make_causal_fitness(task);
}

std::vector<double> noisy(std::size_t pairs, Rng& rng) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < pairs; ++i) ratios.push_back(1.0 + 0.03 * rng.normal());
  return ratios;
}

double error_of(const std::vector<double>& ratios) {
  return objective_standard_error(*speedup_alone(), with_ratios(ratios), {});
}

}  // namespace

TEST_CASE("the error is about as large as the spread of objectives that are measured again and again") {
  Rng rng(3);
  for (const std::size_t pairs : {3U, 7U, 20U}) {
    CAPTURE(pairs);
    double sum = 0.0, sum_of_squares = 0.0, errors = 0.0;
    constexpr int kTimes = 400;
    for (int i = 0; i < kTimes; ++i) {
      const std::vector<double> ratios = noisy(pairs, rng);
      const double objective = speedup_alone()->objective(with_ratios(ratios), {});
      sum += objective - 1.0;
      sum_of_squares += (objective - 1.0) * (objective - 1.0);
      errors += error_of(ratios);
    }
    const double spread = std::sqrt((sum_of_squares - sum * sum / kTimes) / (kTimes - 1));
    CHECK(errors / kTimes > 0.9 * spread);
    CHECK(errors / kTimes < 1.5 * spread);
  }
}

TEST_CASE("of equal candidates at most one in twenty is taken for credibly better, and a clear gain is seen") {
  Rng rng(4);
  for (const std::size_t pairs : {3U, 5U, 7U}) {
    CAPTURE(pairs);
    const auto measure = [&](double factor) {
      std::vector<double> ratios = noisy(pairs, rng);
      for (double& ratio : ratios) ratio *= factor;
      return Fitness{speedup_alone()->objective(with_ratios(ratios), {}), {}, error_of(ratios)};
    };
    int lucky = 0, seen = 0;
    for (int i = 0; i < 400; ++i) {
      const Fitness elite = measure(1.0);
      lucky += is_credibly_better(measure(1.0), elite) ? 1 : 0;
      seen += is_credibly_better(measure(1.15), elite) ? 1 : 0;
    }
    CHECK(lucky <= 28);  // 7 %: two standard deviations above 5 % of 400.
    CHECK(seen >= 360);
  }
}

TEST_CASE("pairs that agree make an exact objective, and fewer than three an uncertain one though they agree") {
  CHECK(error_of({1.1, 1.1, 1.1}) == 0.0);
  CHECK(error_of({1.5, 1.5}) == doctest::Approx(0.15));
  CHECK(error_of({1.5}) == doctest::Approx(0.15));
  CHECK(error_of({1.0, 1.1, 1.2}) > 0.05);
  Evaluation unpaired = with_ratios({2.0, 2.0, 2.0});
  unpaired.benchmark->baseline.clear();
  Evaluation baseline = with_ratios({1.0});
  CHECK(objective_standard_error(*speedup_alone(), unpaired, baseline) == doctest::Approx(0.2));
}

TEST_CASE("what the machine did to both runs of a pair is no error") {
  Evaluation evaluation = with_ratios({1.1, 1.1, 1.1, 1.1});
  for (std::size_t i = 0; i < 4; ++i) {
    const double machine = 1.0 + static_cast<double>(i);
    evaluation.benchmark->candidate[i].throughput_ops_sec *= machine;
    evaluation.benchmark->baseline[i].throughput_ops_sec *= machine;
  }
  CHECK(objective_standard_error(*speedup_alone(), evaluation, {}) == 0.0);
}

TEST_CASE("the baseline and what did not pass are exact") {
  Evaluation evaluation = with_ratios({1.0, 1.2, 1.4});
  evaluation.id = kBaselineId;
  CHECK(objective_standard_error(*speedup_alone(), evaluation, {}) == 0.0);
  evaluation.id = CandidateId{1};
  evaluation.status = EvaluationStatus::tests_failed;
  CHECK(objective_standard_error(*speedup_alone(), evaluation, {}) == 0.0);
}

TEST_CASE("the same figures have the same error, in whatever run and in whatever other metrics they lie") {
  Evaluation evaluation = with_ratios({1.0, 1.2, 1.4, 1.1});
  const double error = objective_standard_error(*speedup_alone(), evaluation, {});
  evaluation.id = CandidateId{8};
  evaluation.benchmark->candidate[0].metrics["other"] = 5.0;
  CHECK(objective_standard_error(*speedup_alone(), evaluation, {}) == error);
}

TEST_CASE("runs that counted nothing make no error that is not a number") {
  CHECK(std::isfinite(error_of({0.0, 0.0, 1.0})));
  Evaluation evaluation = with_ratios({1.0, 1.1, 1.2});
  evaluation.benchmark->baseline[1].throughput_ops_sec = 0.0;
  CHECK(std::isfinite(objective_standard_error(*speedup_alone(), evaluation, {})));
  evaluation.benchmark->candidate[1].throughput_ops_sec = std::numeric_limits<double>::infinity();
  CHECK(std::isfinite(objective_standard_error(*speedup_alone(), evaluation, {})));
}
