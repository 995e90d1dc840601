/// evolve() and resume(): a whole run, for whoever embeds aiopt.

#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <aiopt/evaluation.hpp>
#include <aiopt/event_sink.hpp>
#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// Whether candidates' commands run in bubblewrap's namespaces.
enum class SandboxMode {
  off,
  automatic,  ///< Where it works; elsewhere a warning.
  require,    ///< Where it doesn't work, nothing runs.
};

/// Cores for measuring, see LanePlan in src/evaluate/lanes.hpp. Of one sitting: another may be on another machine.
struct LaneOptions {
  int lanes = 0;               ///< Benchmarks measured at once; 0: one.
  std::vector<int> lane_cpus;  ///< CPUs that the lanes have for themselves; none: by the machine.
};

/// What a run is given beside its task. All but `workers`, `lanes` and `sandbox` is written to run.db and holds for
/// resumed sittings too.
/// Whether candidates are profiled.
enum class Mode {
  fast,  ///< By benchmark and CPU accounting.
  full,  ///< An off-CPU profile of each that passes, a causal one of those that Task::profile says.
};

struct EvolutionOptions {
  Mode mode = Mode::fast;
  std::uint64_t iterations = 60;  ///< Evaluations, the baseline's left out.
  std::uint64_t seed = 1;
  int workers = 0;  ///< Candidates built and tested at once; 0: one a processor.
  LaneOptions lanes;
  SandboxMode sandbox = SandboxMode::automatic;
  int window = 0;  ///< Proposals asked for and not yet told, at most; 0: workers + 2, with a model 2 workers + 2.

  /// Tells results in the order asked and keeps the window at `window` (0: 4) whatever the number of
  /// workers, so that a seed and recorded replies give the same run again.
  bool reproducible = false;

  std::optional<double> budget_usd;                 ///< No question is asked once this much is spent.
  std::optional<std::chrono::seconds> budget_time;  ///< Of all sittings; what runs then is finished.
  int claim_pairs = 7;       ///< Pairs in which the best candidates are measured again after the run; 0: not at all.
  int claim_candidates = 3;  ///< How many of them.
  std::filesystem::path record;  ///< Replies are appended to this file; empty: not.
  std::filesystem::path replay;  ///< Replies are taken from this file instead of an endpoint; empty: not.
};

/// How a run is asked to end: `finish` lets what is being evaluated end, `kill` ends it at once. Both save.
struct StopTokens {
  std::stop_token finish;
  std::stop_token kill;
};

/// Why a run ended.
enum class RunEnd { budget_spent, nothing_to_propose, interrupted };

struct RunOutcome {
  RunEnd end = RunEnd::budget_spent;
  RunProgress progress;
  CandidateId best = kBaselineId;        ///< Of those measured after the run the best; else progress.best.
  std::optional<BenchmarkResult> claim;  ///< Its figures then.
};

/// Starts a run in `folder`, which is made and must not hold one. Blocks until it ended. Progress goes to `events`, on
/// the calling thread.
///
/// @param task  From load_task(): run.db keeps the text of task.file, for resume(). Of its fields `selection`,
/// `emitters`, `llm.api_base` and `llm.models` may be changed before; changes of others last for this call only.
///
/// The model's key is taken out of the process's environment (unsetenv(3)), so that no child sees it: set it again
/// before another call, and let no other thread use the environment meanwhile.
///
/// Errors: whatever keeps the run from starting (the baseline does not build, an endpoint that refuses the key) or from
/// going on (disk full); what was evaluated until then is in `folder` and resume() goes on with it.
Result<RunOutcome> evolve(const Task& task, const EvolutionOptions& options, const std::filesystem::path& folder,
                          EventSink& events, StopTokens stop);

/// What may differ when a run goes on.
struct ResumeOptions {
  std::optional<std::uint64_t> iterations;  ///< The new total.
  int workers = 0;                          ///< As in EvolutionOptions.
  LaneOptions lanes;
  SandboxMode sandbox = SandboxMode::automatic;
};

/// Goes on with the run in `folder`, however it ended: task and options are those it was started with. Else as
/// evolve().
Result<RunOutcome> resume(const std::filesystem::path& folder, const ResumeOptions& options, EventSink& events,
                          StopTokens stop);

}  // namespace aiopt
