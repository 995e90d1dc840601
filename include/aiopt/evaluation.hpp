/// Candidate and Evaluation: a source tree, and what running it showed.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/profile.hpp>
#include <aiopt/proposal.hpp>
#include <aiopt/source_tree.hpp>

namespace aiopt {

/// A source tree made from its parent's: the individual of a GA, the solution of QD.
struct Candidate {
  CandidateId id = kBaselineId;
  std::optional<CandidateId> parent;  ///< Empty for the baseline.
  std::uint32_t generation = 0;       ///< Steps from the baseline.
  SourceTree tree;
  std::string tree_sha256;       ///< Equal trees are evaluated once.
  std::string changed_function;  ///< Where the patch changed most: "Wal::append", or "src/wal.cc" outside functions.
};

/// Values are written to run.db: new ones go to the end.
enum class Stage { apply, build, test, benchmark, off_cpu, causal, verify, sanitize };

enum class StageStatus { passed, failed, timed_out, crashed, skipped };

/// What one stage did.
struct StageReport {
  Stage stage = Stage::apply;
  StageStatus status = StageStatus::passed;
  int exit_code = 0;  ///< Of the command; 128 + N if signal N ended it, as the shell has it.
  std::chrono::microseconds wall_time{0};
  std::chrono::microseconds cpu_time{0};  ///< User and system, of the whole process tree.
  std::uint64_t peak_rss_bytes = 0;       ///< Of the largest process.
  std::string output;                     ///< stdout and stderr together; the middle left out where it was too long.
};

/// One run of the benchmark command.
struct BenchmarkRun {
  double throughput_ops_sec = 0.0;
  std::optional<double> latency_us;
  std::map<std::string, double> metrics;  ///< Everything that the parser found, by name.
  double wall_seconds = 0.0;
  double cpu_seconds = 0.0;
  double thread_seconds = 0.0;  ///< Time during which threads ran or waited, summed; 0 if not known.
  std::uint64_t peak_rss_bytes = 0;

  // Seen from outside, whatever it printed.
  std::uint64_t bytes_written = 0;     ///< To files, of the whole process tree, as getrusage(2) counts block output.
  std::optional<std::uint64_t> syncs;  ///< fsync, fdatasync, O_DSYNC writes; empty where the kernel lets nobody count.
  /// Of its wall time, what the operations that it printed do not account for beyond what the other side needs; it is
  /// in `throughput_ops_sec` already.
  double charged_seconds = 0.0;

  /// 1 - CPU time / thread-seconds, in [0, 1]: what share of its threads' time it did not compute.
  std::optional<double> off_cpu_ratio() const;
};

/// What pairs of runs say about candidate / baseline throughput: 1.25 is 25 % more.
struct SpeedupEstimate {
  double ratio = 1.0;  ///< Hodges-Lehmann estimate of the pairs' log-ratios, as a ratio.
  double lower = 1.0;  ///< Interval that holds at `confidence` over all looks at the growing sample.
  double upper = 1.0;
  double confidence = 0.95;
  double p_value = 1.0;  ///< Wilcoxon signed-rank, two-sided, of these pairs alone.

  bool operator==(const SpeedupEstimate&) const = default;
};

/// Candidate and baseline, measured in turn.
struct BenchmarkResult {
  std::vector<BenchmarkRun> candidate;  ///< In the order run, warm-up left out.
  std::vector<BenchmarkRun> baseline;   ///< Paired with the above by index; empty for the baseline itself.
  std::optional<SpeedupEstimate> estimate = std::nullopt;  ///< Of these pairs; empty without pairs.

  double throughput_ops_sec() const;           ///< Median of the candidate's runs.
  double baseline_throughput_ops_sec() const;  ///< Median of the baseline's runs, or of its own if there are none.
  std::optional<double> latency_us() const;
  std::optional<double> baseline_latency_us() const;
  std::optional<double> off_cpu_ratio() const;

  /// candidate / baseline of each pair, in the order run, and its natural logarithm. A pair of which a run counted
  /// nothing is left out of both.
  std::vector<double> ratios() const;
  std::vector<double> log_ratios() const;

  /// The estimate's ratio; without one the median of the pairs' ratios, 1 without pairs.
  double speedup() const;

  struct Spread {
    double lowest = 1.0;
    double highest = 1.0;
  };
  Spread speedup_spread() const;  ///< Of the pairs' ratios.
};

/// How far a candidate came. A failed build is an ordinary outcome, not an Error.
/// Values are written to run.db: new ones go to the end.
enum class EvaluationStatus {
  passed,
  patch_rejected,
  build_failed,
  tests_failed,
  benchmark_failed,
  timed_out,
  crashed,
  rejected_by_gate,
  no_reply,     ///< The model gave none, retries included.
  quarantined,  ///< It passed, and gained more than the profiles of the unmodified program leave room for.
};

/// A check against cheating: something that was seen from outside and does not fit what the candidate claims.
struct GateReport {
  std::string name;  ///< "clock", "syncs", ...: see src/README.md.
  bool fired = false;
  std::string detail;  ///< What was seen, against what.

  bool operator==(const GateReport&) const = default;
};

struct Evaluation {
  CandidateId id = kBaselineId;
  EvaluationStatus status = EvaluationStatus::passed;
  std::string reason;               ///< One or more lines that a model can act on; empty if passed.
  std::vector<StageReport> stages;  ///< In the order run; the last one decided the status.
  /// Set if every run of it passed and was understood; also where a gate then rejected it.
  std::optional<BenchmarkResult> benchmark;
  Profile profile;                         ///< Of what was profiled; from runs that `benchmark` does not hold.
  std::vector<GateReport> gates;           ///< Those that were checked. One that fired makes it rejected_by_gate.
  std::optional<CandidateId> reused_from;  ///< The candidate with the same tree that was evaluated before.

  /// In [0, 1]. The profile's, idle waits left out; without a profile by CPU accounting of the benchmark's runs.
  std::optional<double> off_cpu_ratio() const;
};

/// "passed", "patch_rejected", ...: the spelling of the --json contract and of run.db.
std::string_view to_string(EvaluationStatus status);
std::string_view to_string(Stage stage);
std::string_view to_string(StageStatus status);

}  // namespace aiopt
