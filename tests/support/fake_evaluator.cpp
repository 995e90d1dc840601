/// FakeEvaluator.

#include "support/fake_evaluator.hpp"

#include <cstdlib>
#include <thread>

namespace aiopt {

namespace {

constexpr double kBaseline = 100.0;

BenchmarkResult benchmark_of(const Candidate& candidate, int pairs, double noise) {
  double value = kBaseline;
  for (const auto& [path, file] : candidate.tree) {
    const std::size_t at = file.text->find("value = ");
    if (at != std::string::npos) value = std::strtod(file.text->c_str() + at + 8, nullptr);
  }
  BenchmarkRun run;
  run.throughput_ops_sec = value;
  run.metrics = {{"value", value}, {"parity", static_cast<double>(static_cast<long>(value) % 2)}};
  run.wall_seconds = 1.0;
  run.cpu_seconds = 0.5;
  run.thread_seconds = 1.0;
  BenchmarkRun baseline = run;
  baseline.throughput_ops_sec = kBaseline;
  BenchmarkResult result;
  for (int pair = 0; pair < pairs; ++pair) {
    result.candidate.push_back(run);
    result.candidate.back().throughput_ops_sec *= 1.0 + noise * (pair - 0.5 * (pairs - 1));
    if (candidate.id != kBaselineId) result.baseline.push_back(baseline);
  }
  return result;
}

bool says(const Candidate& candidate, const char* words) {
  for (const auto& [path, file] : candidate.tree) {
    if (file.text->find(words) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

Result<Evaluation> FakeEvaluator::evaluate(const Candidate& candidate, const EvaluateOptions& options,
                                           std::stop_token stop) {
  ++calls;
  if (options.anew) ++measured_anew;
  if (options.standing) ++told_standing;
  if (delay.count() > 0) std::this_thread::sleep_for(delay);
  if (stop.stop_requested()) return Error{Error::Code::cancelled, "cancelled"};
  Evaluation evaluation;
  evaluation.id = candidate.id;
  evaluation.stages.push_back({Stage::build, StageStatus::passed, 0, {}, {}, 0, "built"});
  if (says(candidate, "does not build")) {
    evaluation.status = EvaluationStatus::build_failed;
    evaluation.reason = "error: does not build";
  } else if (says(candidate, "fails its tests")) {
    evaluation.status = EvaluationStatus::tests_failed;
    evaluation.reason = "FAILED: fails its tests";
  } else {
    evaluation.benchmark = benchmark_of(candidate, 3, noise);
    if (options.anew) {
      for (BenchmarkRun& run : evaluation.benchmark->candidate) run.throughput_ops_sec *= again;
    }
    if (profile.causal) {
      const double ratio = evaluation.benchmark->throughput_ops_sec() / kBaseline;
      if (candidate.id == kBaselineId) evaluation.profile = profile;
      if (candidate.id != kBaselineId)
        evaluation.benchmark->estimate = SpeedupEstimate{ratio, ratio, ratio, 0.95, 0.01};
    }
  }
  return evaluation;
}

Result<ComparisonResult> FakeEvaluator::compare(const Candidate& candidate, const Candidate& against,
                                                const ComparisonOptions& options, std::stop_token stop) {
  {
    const std::lock_guard lock(mutex_);
    compared.push_back({candidate.id, against.id, options});
  }
  if (stop.stop_requested()) return Error{Error::Code::cancelled, "cancelled"};
  if (const auto broken = incomparable.find(candidate.id); broken != incomparable.end()) return broken->second;
  ComparisonResult result{benchmark_of(candidate, options.pairs, noise), {}};
  result.benchmark.baseline = benchmark_of(against, options.pairs, 0.0).candidate;
  if (const auto gate = gates.find(candidate.id); gate != gates.end()) result.gates.push_back(gate->second);
  return result;
}

}  // namespace aiopt
