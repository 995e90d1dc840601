/// Evaluator: builds, tests and benchmarks one candidate. The engine does not know where.

#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

#include <aiopt/evaluation.hpp>
#include <aiopt/result.hpp>

namespace aiopt {

/// How a candidate stands among the elites, as far as that is known before its causal profile.
enum class EliteStanding {
  behind,
  leads_cell,  ///< Faster than every elite that lies where it does on the axes that are known.
  opens_cell,  ///< There is none.
};

struct EvaluateOptions {
  /// The speed-up over the baseline that the candidate is about to be better or worse than, 1.8 say: pairs are measured
  /// until that is decided, within Task::sampling.
  double bar = 1.0;
  /// What this host tells apart in Task::sampling's max_pairs, as a fraction, 0.018; 0: not known. No more pairs are
  /// spent on a difference that is smaller.
  double noise_floor = 0.0;
  bool anew = false;  ///< Measure even if the same program was measured before.
  /// Of what has passed its gates and has its off-CPU profile; called from the thread that evaluates. None: behind.
  std::function<EliteStanding(const Evaluation&)> standing;
};

/// How two candidates are compared outside the search.
struct ComparisonOptions {
  int pairs = 0;         ///< Exactly this many, whatever they show; 0: as Task::sampling says, until it is decided.
  bool holdout = false;  ///< On Task::holdout, which there is then, instead of Task::benchmark.
  /// The candidate is built from nothing; what it is compared with too, in a folder of its own, but once for all
  /// comparisons. Else what an earlier one built is used.
  bool builds_afresh = true;
  std::uint64_t seed = 0;  ///< Of the runs' order and of AIOPT_SEED.
};

struct ComparisonResult {
  BenchmarkResult benchmark;  ///< `candidate` and `baseline` are the two.
  std::vector<GateReport> gates;
};

class Evaluator {
 public:
  virtual ~Evaluator();

  /// Runs the candidate through its stages and says how far it came. Blocks; safe to call from as many
  /// threads at once as the evaluator was made for. When `stop` is requested, its child processes
  /// are killed and the answer is Error::Code::cancelled. Any other Error means that the
  /// world failed (disk full, workspace gone), not the candidate.
  virtual Result<Evaluation> evaluate(const Candidate& candidate, const EvaluateOptions& options,
                                      std::stop_token stop) = 0;

  /// Runs the two in turn: for a claim, or an A/A test (both the baseline). An Error also if one no longer builds or
  /// runs. Gates that fired are no Error.
  virtual Result<ComparisonResult> compare(const Candidate& candidate, const Candidate& against,
                                           const ComparisonOptions& options, std::stop_token stop) = 0;
};

}  // namespace aiopt
