/// FakeEvaluator: judges a candidate by a constant in its source, in microseconds.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include <aiopt/evaluator.hpp>

namespace aiopt {

/// "value = 42" in any file is a throughput of 42 ops/s against a baseline of 100. A file with "does not build" gives
/// build_failed, "fails its tests" tests_failed. Deterministic, and safe from any thread.
class FakeEvaluator final : public Evaluator {
 public:
  Result<Evaluation> evaluate(const Candidate& candidate, std::stop_token stop) override;
  Result<BenchmarkResult> measure(const Candidate& candidate, int pairs, std::stop_token stop) override;

  std::chrono::milliseconds delay{0};   ///< How long an evaluation takes.
  std::atomic<std::uint64_t> calls{0};  ///< Evaluations that were begun.
};

}  // namespace aiopt
