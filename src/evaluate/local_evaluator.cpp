/// Check out, build, test, benchmark in turn with the baseline: how a candidate is judged here.

#include "evaluate/local_evaluator.hpp"

#include <fmt/format.h>

#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.hpp"
#include "core/reason.hpp"
#include "evaluate/stages.hpp"
#include "measure/benchmark_output.hpp"
#include "source/cache_tag.hpp"
#include "source/workspace.hpp"

namespace aiopt {

namespace {

/// A candidate this much slower than the baseline in one pair is not measured in more: they would take longest of all.
constexpr double kHopelessRatio = 0.4;

/// A claim's pairs are all measured, whatever they show.
enum class Hopeless { dropped, measured };

/// How a try at something of the candidate's ended: it went on, or that decided its fate.
struct Fate {
  EvaluationStatus status;
  std::string reason;
};

/// Whether an evaluator made the folder: it has the tag, or is what is left where one was killed while it made or
/// removed it.
bool is_ours(const std::filesystem::path& folder) {
  if (has_cache_tag(folder)) return true;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    if (entry.path().filename() != kCacheTagName) return false;
  }
  return !failure;
}

/// The tag goes last: whatever is left is known as ours.
void remove_workspaces_folder(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().filename() != kCacheTagName) std::filesystem::remove_all(entry.path(), ignored);
  }
  std::filesystem::remove_all(folder, ignored);
}

/// With a tag, so that nothing but what an evaluator made is ever removed.
Result<void> make_workspaces_folder(const std::filesystem::path& folder) {
  std::error_code failure;
  if (std::filesystem::exists(std::filesystem::symlink_status(folder, failure))) {
    if (!is_ours(folder)) {
      return Error{
          Error::Code::invalid_argument,
          fmt::format("{} is there and was not made by aiopt; move it away, or choose another folder for the run",
                      folder.string())};
    }
    remove_workspaces_folder(folder);
  }
  std::filesystem::create_directories(folder, failure);
  if (failure) {
    return Error{Error::Code::io, fmt::format("cannot make the folder {}: {}", folder.string(), failure.message())};
  }
  return write_cache_tag(folder);
}

class LocalEvaluator final : public Evaluator {
 public:
  LocalEvaluator(const Task& task, const SourceTree& baseline, Lanes& lanes, LocalEvaluatorOptions options)
      : task_(task), baseline_tree_(baseline), lanes_(lanes), options_(std::move(options)) {}

  ~LocalEvaluator() override {
    idle_.clear();
    baseline_.reset();
    remove_workspaces_folder(options_.folder);
  }

  Result<Evaluation> evaluate(const Candidate& candidate, std::stop_token stop) override {
    return candidate.id == kBaselineId ? evaluate_baseline(stop) : evaluate_candidate(candidate, stop);
  }

  Result<BenchmarkResult> measure(const Candidate& candidate, int pairs, std::stop_token stop) override {
    if (auto ready = build_baseline(stop); !ready) return ready.error();
    Result<Workspace> workspace = Workspace::create(task_.source, options_.folder / "claim", baseline_tree_);
    if (!workspace) return workspace.error();
    Evaluation evaluation;
    Result<std::optional<Fate>> built = build_and_test(*workspace, candidate.tree, evaluation, stop);
    if (!built) return built.error();
    if (*built) return Error{Error::Code::unavailable, (*built)->reason};
    BenchmarkResult benchmark;
    Result<std::optional<Fate>> measured =
        measure_pairs(*workspace, pairs, Hopeless::measured, benchmark, evaluation, stop);
    if (!measured) return measured.error();
    if (*measured) return Error{Error::Code::unavailable, (*measured)->reason};
    return benchmark;
  }

 private:
  Result<Evaluation> evaluate_candidate(const Candidate& candidate, const std::stop_token& stop) {
    if (auto ready = build_baseline(stop); !ready) return ready.error();
    Result<Workspace> workspace = take_workspace();
    if (!workspace) return workspace.error();
    Result<Evaluation> evaluation = run_stages(*workspace, candidate, stop);
    give_back(std::move(*workspace));
    return evaluation;
  }

  Result<Evaluation> run_stages(Workspace& workspace, const Candidate& candidate, const std::stop_token& stop) {
    Evaluation evaluation;
    evaluation.id = candidate.id;
    Result<std::optional<Fate>> fate = build_and_test(workspace, candidate.tree, evaluation, stop);
    if (!fate) return fate.error();
    if (!*fate) {
      BenchmarkResult benchmark;
      fate = measure_pairs(workspace, task_.sampling.min_pairs, Hopeless::dropped, benchmark, evaluation, stop);
      if (!fate) return fate.error();
      if (!*fate) evaluation.benchmark = std::move(benchmark);
    }
    if (*fate) {
      evaluation.status = (*fate)->status;
      evaluation.reason = std::move((*fate)->reason);
    }
    return evaluation;
  }

  Result<Evaluation> evaluate_baseline(const std::stop_token& stop) {
    Evaluation evaluation;
    if (auto ready = build_baseline(stop, &evaluation); !ready) return ready.error();
    if (evaluation.status != EvaluationStatus::passed) return evaluation;
    const std::lock_guard lock(baseline_mutex_);
    const Lanes::Turn turn = lanes_.measure();
    BenchmarkResult benchmark;
    for (int run = -task_.benchmark.warmup; run < task_.sampling.min_pairs; ++run) {
      BenchmarkRun measured;
      Result<std::optional<Fate>> fate = benchmark_once(*baseline_, measured, evaluation, stop);
      if (!fate) return fate.error();
      if (*fate) {
        evaluation.status = (*fate)->status;
        evaluation.reason = std::move((*fate)->reason);
        return evaluation;
      }
      if (run >= 0) benchmark.candidate.push_back(std::move(measured));
    }
    evaluation.benchmark = std::move(benchmark);
    return evaluation;
  }

  /// Builds and tests the unmodified tree once. Without `evaluation` (a resumed run) a failure is an Error.
  Result<void> build_baseline(const std::stop_token& stop, Evaluation* evaluation = nullptr) {
    const std::lock_guard lock(baseline_mutex_);
    if (baseline_) return {};
    Result<Workspace> workspace = Workspace::create(task_.source, options_.folder / "baseline", baseline_tree_);
    if (!workspace) return workspace.error();
    Evaluation own;
    Evaluation& report = evaluation != nullptr ? *evaluation : own;
    Result<std::optional<Fate>> fate = build_and_test(*workspace, baseline_tree_, report, stop);
    if (!fate) return fate.error();
    if (!*fate) {
      baseline_ = std::move(*workspace);
      return {};
    }
    if (evaluation == nullptr) {
      return Error{Error::Code::unavailable,
                   "the unmodified source no longer passes: " + telling_line((*fate)->reason)};
    }
    evaluation->status = (*fate)->status;
    evaluation->reason = std::move((*fate)->reason);
    return {};
  }

  Result<std::optional<Fate>> build_and_test(Workspace& workspace, const SourceTree& tree, Evaluation& evaluation,
                                             const std::stop_token& stop) {
    StageReport apply;
    const auto started = monotonic_now();
    const Result<void> checked_out = workspace.check_out(tree);
    if (!checked_out && checked_out.error().code != Error::Code::invalid_argument) return checked_out.error();
    if (!checked_out) apply.status = StageStatus::failed;
    apply.wall_time = std::chrono::duration_cast<std::chrono::microseconds>(monotonic_now() - started);
    evaluation.stages.push_back(std::move(apply));
    // A file that the patch writes to or behind a symlink of the source.
    if (!checked_out) return std::optional(Fate{EvaluationStatus::patch_rejected, checked_out.error().message});

    const Lanes::Turn turn = lanes_.build();
    for (const auto& [stage, command] : {std::pair{Stage::build, &task_.build}, std::pair{Stage::test, &task_.test}}) {
      if (command->command.empty()) continue;
      CommandResult result;
      Result<StageReport> report = run_stage(stage, *command, workspace.folder(), stop, &result);
      if (!report) return report.error();
      evaluation.stages.push_back(*report);
      if (report->status != StageStatus::passed) {
        return std::optional(Fate{status_of_failure(*report), reason_of_failure(*report, result.how_it_ended())});
      }
    }
    return std::optional<Fate>{};
  }

  /// Baseline and candidate in turn, the order swapped from pair to pair so that a drift of the machine favours
  /// neither.
  Result<std::optional<Fate>> measure_pairs(Workspace& workspace, int pairs, Hopeless hopeless,
                                            BenchmarkResult& benchmark, Evaluation& evaluation,
                                            const std::stop_token& stop) {
    const std::lock_guard lock(baseline_mutex_);
    const Lanes::Turn turn = lanes_.measure();
    for (int pair = -task_.benchmark.warmup; pair < pairs; ++pair) {
      BenchmarkRun of_candidate;
      BenchmarkRun of_baseline;
      Evaluation baseline_report;
      for (const bool candidates_turn : {pair % 2 == 0, pair % 2 != 0}) {
        Result<std::optional<Fate>> fate = candidates_turn
                                               ? benchmark_once(workspace, of_candidate, evaluation, stop)
                                               : benchmark_once(*baseline_, of_baseline, baseline_report, stop);
        if (!fate) return fate.error();
        if (*fate && candidates_turn) return fate;
        if (*fate) {
          return Error{Error::Code::unavailable,
                       "the unmodified program failed its own benchmark: " + telling_line((*fate)->reason)};
        }
      }
      if (pair < 0) continue;
      const bool is_hopeless = of_candidate.throughput_ops_sec < kHopelessRatio * of_baseline.throughput_ops_sec;
      benchmark.candidate.push_back(std::move(of_candidate));
      benchmark.baseline.push_back(std::move(of_baseline));
      if (is_hopeless && hopeless == Hopeless::dropped) break;
    }
    return std::optional<Fate>{};
  }

  /// One run of the benchmark. The stages keep one report of it: the last, with the times summed.
  Result<std::optional<Fate>> benchmark_once(const Workspace& workspace, BenchmarkRun& run, Evaluation& evaluation,
                                             const std::stop_token& stop) {
    CommandResult result;
    Result<StageReport> report = run_stage(Stage::benchmark, task_.benchmark.run, workspace.folder(), stop, &result);
    if (!report) return report.error();
    const bool passed = report->status == StageStatus::passed;
    const std::string how_it_ended = result.how_it_ended();
    Result<Metrics> metrics = passed ? parse_benchmark_output(task_.benchmark, result.out) : Result<Metrics>(Metrics{});
    if (passed && !metrics) report->status = StageStatus::failed;
    keep_report(evaluation, *report);
    if (!passed) return std::optional(Fate{status_of_failure(*report), reason_of_failure(*report, how_it_ended)});
    if (!metrics) return std::optional(Fate{EvaluationStatus::benchmark_failed, metrics.error().message});

    run.throughput_ops_sec = metrics->at(task_.benchmark.throughput);
    if (!task_.benchmark.latency.empty()) run.latency_us = metrics->at(task_.benchmark.latency);
    run.metrics = std::move(*metrics);
    run.wall_seconds = std::chrono::duration<double>(result.wall_time).count();
    run.cpu_seconds = std::chrono::duration<double>(result.cpu_time).count();
    run.thread_seconds = std::chrono::duration<double>(result.thread_time).count();
    run.peak_rss_bytes = result.peak_rss_bytes;
    return std::optional<Fate>{};
  }

  static void keep_report(Evaluation& evaluation, StageReport report) {
    if (evaluation.stages.empty() || evaluation.stages.back().stage != report.stage) {
      evaluation.stages.push_back(std::move(report));
      return;
    }
    StageReport& last = evaluation.stages.back();
    report.wall_time += last.wall_time;
    report.cpu_time += last.cpu_time;
    report.peak_rss_bytes = std::max(report.peak_rss_bytes, last.peak_rss_bytes);
    last = std::move(report);
  }

  Result<Workspace> take_workspace() {
    const std::lock_guard lock(idle_mutex_);
    if (!idle_.empty()) {
      Workspace workspace = std::move(idle_.back());
      idle_.pop_back();
      return workspace;
    }
    return Workspace::create(task_.source, options_.folder / std::to_string(++made_), baseline_tree_);
  }

  void give_back(Workspace workspace) {
    const std::lock_guard lock(idle_mutex_);
    idle_.push_back(std::move(workspace));
  }

  const Task& task_;
  const SourceTree& baseline_tree_;
  Lanes& lanes_;
  const LocalEvaluatorOptions options_;

  std::mutex baseline_mutex_;  ///< Taken before the lane; held while the baseline's workspace is built or measured.
  std::optional<Workspace> baseline_;

  std::mutex idle_mutex_;
  std::vector<Workspace> idle_;
  int made_ = 0;
};

}  // namespace

Result<std::unique_ptr<Evaluator>> make_local_evaluator(const Task& task, const SourceTree& baseline, Lanes& lanes,
                                                        LocalEvaluatorOptions options) {
  if (auto made = make_workspaces_folder(options.folder); !made) return made.error();
  return std::unique_ptr<Evaluator>(std::make_unique<LocalEvaluator>(task, baseline, lanes, std::move(options)));
}

}  // namespace aiopt
