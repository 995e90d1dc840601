/// RunSummary: a run as run.db has it, put together for people and scripts.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/evaluation.hpp>
#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

#include "store/run_store.hpp"

namespace aiopt {

/// Candidates that ended the same way.
struct FailureGroup {
  EvaluationStatus status = EvaluationStatus::build_failed;
  std::string why;  ///< First telling line of the reason.
  CandidateId example = kBaselineId;
  std::uint64_t times = 0;
};

struct RunSummary {
  std::string task_name;
  std::string latency_name;  ///< BenchmarkTask::latency; "" if there is none.
  std::string throughput_name;
  std::uint64_t budget = 0;
  std::uint64_t evaluations = 0;  ///< Without the baseline's.
  std::uint64_t reused = 0;
  std::map<EvaluationStatus, std::uint64_t> outcomes;
  std::vector<FailureGroup> failures;  ///< The most frequent first.
  TokenUsage tokens;
  double usd = 0.0;
  double seconds = 0.0;
  std::unique_ptr<Archive> archive;  ///< Its candidates have no trees.
  std::vector<Axis> axes;
  std::map<CandidateId, std::string> made_by;  ///< Of each elite: "patch_pool group-commit, crc-slicing".
  std::uint64_t remeasured = 0;                ///< Of `evaluations`: an elite's, once more.
  std::vector<StoredClaim> claims;             ///< Measured after the search, the best first.
  std::vector<std::string> hosts;              ///< What it was measured on, a line each, in the order of sittings.
  std::string noise_floor;  ///< "this host tells 1.8 % apart in 7 pairs"; "" if it was not found out.

  /// What is claimed, if that is still in the archive; else the highest objective. Null: nothing was measured.
  const Elite* best() const;
};

/// Adds every evaluation of the run to `archive`, which is empty, in the order told.
Result<RunSummary> summarize(const RunStore& store, const Task& task, std::uint64_t budget,
                             std::unique_ptr<Archive> archive);

/// What `aiopt show RUN` prints, and evolve at its end. Lines with '\n'.
/// @param patch_file  Where the best candidate's patch is; "" if nowhere yet.
std::string describe(const RunSummary& summary, const std::string& patch_file);

/// What `aiopt show RUN --json` prints; the contract of src/README.md.
std::string to_json(const RunSummary& summary, const std::string& patch_file);

/// "12.4x", "1.83x", "0.97x": a ratio to the baseline.
std::string format_ratio(double ratio);

/// "1 h 02 min", "3 min 05 s", "12 s".
std::string format_duration(double seconds);

/// "5 passed, 2 build_failed".
std::string format_outcomes(const std::map<EvaluationStatus, std::uint64_t>& outcomes);

}  // namespace aiopt
