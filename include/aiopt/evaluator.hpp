/// Evaluator: builds, tests and benchmarks one candidate. The engine does not know where.

#pragma once

#include <stop_token>

#include <aiopt/evaluation.hpp>
#include <aiopt/result.hpp>

namespace aiopt {

class Evaluator {
 public:
  virtual ~Evaluator();

  /// Runs the candidate through its stages and says how far it came. Blocks; safe to call from as many
  /// threads at once as the evaluator was made for. When `stop` is requested, its child processes
  /// are killed and the answer is Error::Code::cancelled. Any other Error means that the
  /// world failed (disk full, workspace gone), not the candidate.
  virtual Result<Evaluation> evaluate(const Candidate& candidate, std::stop_token stop) = 0;

  /// Builds the candidate afresh and benchmarks it in turn with the baseline, `pairs` times: for a claim. An
  /// Error also if it no longer builds or runs.
  virtual Result<BenchmarkResult> measure(const Candidate& candidate, int pairs, std::stop_token stop) = 0;
};

}  // namespace aiopt
