/// Comparison: two built trees run in turn, pair after pair, each run on fresh state, until it is decided.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <aiopt/evaluation.hpp>
#include <aiopt/result.hpp>
#include <aiopt/rng.hpp>
#include <aiopt/task.hpp>

#include "evaluate/gates.hpp"
#include "evaluate/lanes.hpp"
#include "evaluate/stages.hpp"
#include "evaluate/tripwire.hpp"
#include "source/workspace.hpp"

namespace aiopt {

/// A sealed workspace, built, and what watches over the run's folder for it. Lent.
struct Side {
  Workspace* workspace = nullptr;
  Tripwire* tripwire = nullptr;
};

/// When to stop.
struct StopRule {
  double bar = 1.0;            ///< The speed-up that it is about to be better or worse than.
  int max_pairs = 0;           ///< At most so many; at least Task::sampling's min_pairs.
  int pairs = 0;               ///< Exactly this many, whatever they show; 0: as few as decide it.
  bool ends_hopeless = false;  ///< One pair below 0.4x is enough: in a search, where such candidates take longest.
  double noise_floor = 0.0;    ///< What this host tells apart, as a fraction: a narrower interval is not waited for.
};

/// Used by one thread, which holds the lane.
class Comparison {
 public:
  /// @param seed  Of the order within the pairs and of AIOPT_SEED, which both runs of a pair find in their environment.
  Comparison(const Task& task, Workload kind, const StageRunner& runner, const std::vector<int>& cpus,
             std::uint64_t seed);

  struct Outcome {
    BenchmarkResult benchmark;
    std::vector<GateReport> gates;
    std::optional<Fate> fate;                 ///< Of the candidate, if it failed a run or a gate.
    std::optional<StageReport> stage_report;  ///< Of its benchmark: the last run, with the times summed.
    bool was_changed = false;                 ///< A run changed what it may not: its workspace is not to be used again.
  };

  /// Runs pairs of `candidate` and `baseline`; they may be the same workspace. Warm-up runs first.
  /// @return unavailable if the baseline fails its own benchmark or its own verification.
  Result<Outcome> run(Side candidate, Side baseline, const StopRule& rule, std::stop_token stop);

  /// Runs `side` alone so many times: what the unmodified program does, before there is anything to compare it with.
  Result<Outcome> run_alone(Side side, int runs, std::stop_token stop);

 private:
  enum class Reported { no, yes };

  struct RunRules {
    std::string seed;  ///< AIOPT_SEED.
    Reported reported = Reported::no;
    std::chrono::microseconds sync_delay{0};
  };

  /// One run on fresh state, which is there again when it returns.
  /// @param verifier  Whose program looks into the data that the run left; none: nobody does.
  Result<std::optional<Fate>> run_once(Side side, Side verifier, const RunRules& rules, RunSeries& series,
                                       std::stop_token stop);
  /// Has a candidate that gained by its syncs show that it waits for them, in one run more.
  Result<void> doubt(Side candidate, Side baseline, const RunSeries& runs, Outcome& outcome, std::stop_token stop);
  std::string draw_seed();
  Result<std::string> verify(Side side, Side verifier, const StageSetting& setting, std::stop_token stop);
  Result<void> put_back(Side side, RunWitness& witness);
  void keep_report(StageReport report);
  Outcome finished(RunSeries candidate, RunSeries baseline, std::optional<Fate> fate) const;

  const Task& task_;
  const Workload kind_;
  const BenchmarkTask& workload_;
  const StageRunner& runner_;
  const std::vector<int>& cpus_;
  Rng rng_;
  std::optional<StageReport> report_;  ///< Of the candidate.
};

}  // namespace aiopt
