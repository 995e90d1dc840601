/// FakeEvaluator: judges a candidate by a constant in its source, in microseconds.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <aiopt/evaluator.hpp>

namespace aiopt {

/// "value = 42" in any file is a throughput of 42 ops/s against a baseline of 100. A file with "does not build" gives
/// build_failed, "fails its tests" tests_failed. Deterministic, and safe from any thread; what is said below is set
/// before.
class FakeEvaluator final : public Evaluator {
 public:
  Result<Evaluation> evaluate(const Candidate& candidate, const EvaluateOptions& options,
                              std::stop_token stop) override;
  Result<ComparisonResult> compare(const Candidate& candidate, const Candidate& against,
                                   const ComparisonOptions& options, std::stop_token stop) override;

  double noise = 0.0;  ///< Relative: by how much each pair's throughput lies above that of the pair before.
  double again = 1.0;  ///< Times its value is what a candidate shows when it is measured anew.
  /// What the baseline's profile is. With one, a candidate has an estimate: its throughput, exactly.
  Profile profile;
  std::chrono::milliseconds delay{0};           ///< How long an evaluation takes.
  std::map<CandidateId, GateReport> gates;      ///< Of comparisons of that candidate.
  std::map<CandidateId, Error> incomparable;    ///< What comparisons of that candidate end with.
  std::atomic<std::uint64_t> calls{0};          ///< Evaluations that were begun.
  std::atomic<std::uint64_t> told_standing{0};  ///< Of these: with EvaluateOptions::standing.
  std::atomic<std::uint64_t> measured_anew{0};  ///< Of these: because they were to be, though known.

  struct Compared {
    CandidateId candidate = kBaselineId;
    CandidateId against = kBaselineId;
    ComparisonOptions options;
  };
  std::vector<Compared> compared;  ///< In order; to be read when nothing runs.

 private:
  std::mutex mutex_;  ///< Of `compared`.
};

}  // namespace aiopt
