/// Check out, build, test, benchmark in turn with the baseline: how a candidate is judged here.

#include "evaluate/local_evaluator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "core/reason.hpp"
#include "evaluate/command_words.hpp"
#include "evaluate/comparison.hpp"
#include "evaluate/gates.hpp"
#include "evaluate/profiler.hpp"
#include "evaluate/stages.hpp"
#include "evaluate/workspace_pool.hpp"
#include "source/binary_digest.hpp"
#include "source/workspace.hpp"

namespace aiopt {

namespace {

constexpr const char* kSanitizers =
    "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all "
    "-fno-omit-frame-pointer";

Fate rejected(Evaluation& evaluation, GateReport gate) {
  evaluation.gates.push_back(std::move(gate));
  return {EvaluationStatus::rejected_by_gate, *reason_of_gates({evaluation.gates.back()})};
}

class LocalEvaluator final : public Evaluator {
 public:
  LocalEvaluator(const Task& task, const SourceTree& baseline, ProtectedFiles protected_files, Lanes& lanes,
                 const Sandbox& sandbox, LocalEvaluatorOptions options)
      : task_(task),
        baseline_tree_(baseline),
        lanes_(lanes),
        options_(std::move(options)),
        runner_(sandbox, {task.source, options_.run_folder, default_limits(sandbox, options_.folder)}),
        pool_(options_.folder, task.source, baseline),
        protected_(std::move(protected_files)),
        baselines_(lanes.plan().lanes.size()) {
    if (options_.profilers) profiler_.emplace(task_, runner_, *options_.profilers);
  }

  ~LocalEvaluator() override {
    compared_ = {};
    baselines_.clear();
  }

  Result<Evaluation> evaluate(const Candidate& candidate, const EvaluateOptions& how, std::stop_token stop) override {
    if (candidate.id == kBaselineId) return evaluate_baseline(stop);
    if (auto ready = build_baselines(stop); !ready) return ready.error();
    Result<Slot> slot = pool_.take(BuildKind::plain, candidate.tree, protected_);
    if (!slot) return slot.error();
    Evaluation evaluation;
    evaluation.id = candidate.id;
    Result<std::optional<Fate>> fate = run_stages(*slot, candidate, how, evaluation, stop);
    if (fate) pool_.give_back(BuildKind::plain, std::move(*slot));
    if (!fate) return fate.error();
    if (*fate) {
      evaluation.status = (*fate)->status;
      evaluation.reason = std::move((*fate)->reason);
      // What a gate rejected was measured: the runs stay for whoever asks why.
      if (evaluation.status != EvaluationStatus::rejected_by_gate) evaluation.benchmark.reset();
    }
    return evaluation;
  }

  Result<ComparisonResult> compare(const Candidate& candidate, const Candidate& against,
                                   const ComparisonOptions& options, std::stop_token stop) override {
    if (candidate.id == kBaselineId && against.id == kBaselineId && !options.builds_afresh) {
      return compare_baseline_with_itself(options, stop);
    }
    const std::lock_guard lock(compare_mutex_);
    for (const auto& [place, side] : {std::pair{std::size_t{0}, &candidate}, std::pair{std::size_t{1}, &against}}) {
      // What the others are compared with need not be built for each of them.
      const bool afresh = options.builds_afresh && place == 0;
      if (auto built = build_for_comparison(place, *side, afresh, stop); !built) {
        return built.error();
      }
    }
    const Lanes::Turn turn = lanes_.measure();
    Comparison comparison(task_, options.holdout ? Workload::holdout : Workload::benchmark, runner_, turn.cpus(),
                          options.seed);
    Result<Comparison::Outcome> outcome =
        comparison.run(compared_[0]->side(), compared_[1]->side(), of_comparison(options), stop);
    if (!outcome) return outcome.error();
    const bool was_gate = outcome->fate && outcome->fate->status == EvaluationStatus::rejected_by_gate;
    if (outcome->was_changed) compared_ = {};
    if (outcome->fate && !was_gate) return Error{Error::Code::unavailable, outcome->fate->reason};
    return ComparisonResult{std::move(outcome->benchmark), std::move(outcome->gates)};
  }

 private:
  // ---- A candidate's way -------------------------------------------------------------------------------------------

  Result<std::optional<Fate>> run_stages(Slot& slot, const Candidate& candidate, const EvaluateOptions& how,
                                         Evaluation& evaluation, const std::stop_token& stop) {
    Result<std::optional<Fate>> fate = build_and_test(slot, candidate.tree, evaluation, stop);
    if (!fate || *fate) return fate;
    const std::string program = options_.reuses_measurements && !how.anew ? digest_of(slot) : "";
    if (const auto known = measurement_of(program)) {
      evaluation.benchmark = known->benchmark;
      evaluation.profile = known->profile;
      evaluation.gates = known->gates;
      evaluation.reused_from = known->id;
      if (known->status == EvaluationStatus::passed) return sanitize(candidate.tree, evaluation, stop);
      return std::optional(Fate{known->status, known->reason});
    }
    fate = benchmark(slot, candidate.id, how, evaluation, stop);
    if (!fate) return fate;
    if (!*fate) fate = profile(slot, candidate.tree, how, evaluation, stop);
    if (!fate) return fate;
    remember(program, evaluation, *fate);
    if (*fate) return fate;
    return sanitize(candidate.tree, evaluation, stop);
  }

  Result<std::optional<Fate>> build_and_test(Slot& slot, const SourceTree& tree, Evaluation& evaluation,
                                             const std::stop_token& stop) {
    const Lanes::Turn turn = lanes_.build();
    Result<std::optional<Fate>> fate = build(slot, tree, task_.build, Stage::build, {}, turn, evaluation, stop);
    if (!fate || *fate || task_.test.command.empty()) return fate;
    return test(slot, task_.test, Stage::test, {}, turn, evaluation, stop);
  }

  Result<std::optional<Fate>> build(Slot& slot, const SourceTree& tree, const StageCommand& command, Stage stage,
                                    const std::map<std::string, std::string>& variables, const Lanes::Turn& turn,
                                    Evaluation& evaluation, const std::stop_token& stop) {
    StageReport apply;
    const auto started = monotonic_now();
    const Result<void> checked_out = slot.workspace.check_out(tree);
    if (!checked_out && checked_out.error().code != Error::Code::invalid_argument) return checked_out.error();
    slot.tree = tree;
    if (!checked_out) apply.status = StageStatus::failed;
    apply.wall_time = std::chrono::duration_cast<std::chrono::microseconds>(monotonic_now() - started);
    if (stage == Stage::build) evaluation.stages.push_back(std::move(apply));
    // A file that the patch writes to or behind a symlink of the source.
    if (!checked_out) return std::optional(Fate{EvaluationStatus::patch_rejected, checked_out.error().message});

    Result<StageRun> ran = runner_.run(stage, command, setting(slot, turn, variables), stop);
    if (!ran) return ran.error();
    evaluation.stages.push_back(ran->report);
    slot.is_broken = ran->filled_disk;
    if (ran->report.status != StageStatus::passed) return std::optional(fate_of_failure(*ran));
    if (ran->opened_run_folder && is_on("run_folder")) {
      return std::optional(rejected(evaluation, {"run_folder", true, "its build tried to read run.db"}));
    }
    if (const auto changed = slot.workspace.changed_protected(); !changed.empty()) {
      slot.is_broken = true;
      return std::optional(rejected(evaluation, {"protected_files", true, "the build changed " + changed.front()}));
    }
    // What runs from here on leaves no trace for the next candidate.
    if (auto sealed = slot.workspace.seal(task_.data); !sealed) return sealed.error();
    return std::optional<Fate>{};
  }

  Result<std::optional<Fate>> test(Slot& slot, const StageCommand& command, Stage stage,
                                   const std::map<std::string, std::string>& variables, const Lanes::Turn& turn,
                                   Evaluation& evaluation, const std::stop_token& stop) {
    Result<StageRun> ran = runner_.run(stage, command, setting(slot, turn, variables), stop);
    if (!ran) return ran.error();
    evaluation.stages.push_back(ran->report);
    Result<RunTraces> traces = slot.workspace.restore();
    if (!traces) return traces.error();
    slot.is_broken = slot.is_broken || !traces->changed.empty();
    if (ran->report.status != StageStatus::passed) return std::optional(fate_of_failure(*ran));
    if (!traces->changed.empty()) {
      return std::optional(
          rejected(evaluation, {"protected_files", true, "its tests changed " + traces->changed.front()}));
    }
    if (ran->opened_run_folder && is_on("run_folder")) {
      return std::optional(rejected(evaluation, {"run_folder", true, "its tests tried to read run.db"}));
    }
    if (is_baseline(slot)) {
      test_network_attempts_ = ran->network_attempts;
    } else if (ran->network_attempts > test_network_attempts_ && is_on("network")) {
      return std::optional(rejected(
          evaluation, {"network", true,
                       fmt::format("its tests made {} attempts to reach an address outside", ran->network_attempts)}));
    }
    return std::optional<Fate>{};
  }

  Result<std::optional<Fate>> benchmark(Slot& slot, CandidateId id, const EvaluateOptions& how, Evaluation& evaluation,
                                        const std::stop_token& stop) {
    const Lanes::Turn turn = lanes_.measure();
    Comparison comparison(task_, Workload::benchmark, runner_, turn.cpus(), seed_of(id));
    Slot& baseline = *baselines_[static_cast<std::size_t>(turn.lane())];
    const StopRule rule{
        .bar = how.bar, .max_pairs = task_.sampling.max_pairs, .ends_hopeless = true, .noise_floor = how.noise_floor};
    Result<Comparison::Outcome> outcome = comparison.run(slot.side(), baseline.side(), rule, stop);
    if (!outcome) return outcome.error();
    if (outcome->stage_report) evaluation.stages.push_back(std::move(*outcome->stage_report));
    slot.is_broken = slot.is_broken || outcome->was_changed;
    evaluation.benchmark = std::move(outcome->benchmark);
    evaluation.gates = std::move(outcome->gates);
    if (outcome->fate) return std::move(outcome->fate);
    if (const auto changed = slot.workspace.changed_protected(); !changed.empty()) {
      slot.is_broken = true;
      return std::optional(rejected(evaluation, {"protected_files", true, "a run changed " + changed.front()}));
    }
    return std::optional<Fate>{};
  }

  /// Off-CPU first: where that fails, nothing that a profiler needs is there.
  Result<std::optional<Fate>> profile(Slot& slot, const SourceTree& tree, const EvaluateOptions& how,
                                      Evaluation& evaluation, const std::stop_token& stop) {
    if (!profiler_) return std::optional<Fate>{};
    const Lanes::Turn turn = lanes_.measure();
    std::vector<BusyLine> busiest_lines;
    if (profiler_->makes_off_cpu()) {
      Result<ProfiledOffCpu> made = profiler_->off_cpu(slot.side(), tree, turn.cpus(), stop);
      if (!made) return made.error();
      busiest_lines = std::move(made->busiest_lines);
      evaluation.profile.off_cpu = std::move(made->profile);
      evaluation.stages.push_back(std::move(made->report));
      if (auto fate = fate_of_profiled(slot, made->faults, evaluation)) return fate;
    }
    if (profiler_->makes_causal() && is_worth_a_causal_profile(task_.profile.when, evaluation, how)) {
      Result<Profiled<CausalProfile>> made = profiler_->causal(slot.side(), tree, busiest_lines, turn.cpus(), stop);
      if (!made) return made.error();
      evaluation.profile.causal = std::move(made->profile);
      evaluation.stages.push_back(std::move(made->report));
      if (auto fate = fate_of_profiled(slot, made->faults, evaluation)) return fate;
    }
    return std::optional<Fate>{};
  }

  std::optional<Fate> fate_of_profiled(Slot& slot, const ProfiledFaults& faults, Evaluation& evaluation) const {
    slot.is_broken = slot.is_broken || faults.filled_disk || !faults.changed.empty();
    if (!faults.changed.empty()) {
      return rejected(evaluation, {"protected_files", true, "a profiled run changed " + faults.changed.front()});
    }
    if (faults.opened_run_folder && is_on("run_folder")) {
      return rejected(evaluation, {"run_folder", true, "a profiled run tried to read run.db"});
    }
    return std::nullopt;
  }

  /// Builds and tests once more with the sanitizers, in a workspace of its own.
  Result<std::optional<Fate>> sanitize(const SourceTree& tree, Evaluation& evaluation, const std::stop_token& stop) {
    if (!task_.sanitize.on || !is_on("sanitizer")) return std::optional<Fate>{};
    Result<Slot> slot = pool_.take(BuildKind::sanitized, tree, protected_);
    if (!slot) return slot.error();
    std::map<std::string, std::string> variables;
    if (!task_.sanitize.build) {
      for (const char* name : {"CFLAGS", "CXXFLAGS", "LDFLAGS"}) variables[name] = kSanitizers;
    }
    const Lanes::Turn turn = lanes_.build();
    Result<std::optional<Fate>> fate = build(*slot, tree, task_.sanitize.build.value_or(task_.build), Stage::sanitize,
                                             variables, turn, evaluation, stop);
    const StageCommand tests = task_.sanitize.test.value_or(task_.test);
    if (fate && !*fate && !tests.command.empty()) {
      fate = test(*slot, tests, Stage::sanitize, variables, turn, evaluation, stop);
    }
    if (!fate) return fate.error();
    pool_.give_back(BuildKind::sanitized, std::move(*slot));
    if (*fate) return std::optional(rejected(evaluation, {"sanitizer", true, std::move((*fate)->reason)}));
    evaluation.gates.push_back({"sanitizer", false, "builds and passes its tests under the sanitizers"});
    return std::optional<Fate>{};
  }

  // ---- The baseline ------------------------------------------------------------------------------------------------

  Result<Evaluation> evaluate_baseline(const std::stop_token& stop) {
    Evaluation evaluation;
    if (auto ready = build_baselines(stop, &evaluation); !ready) return ready.error();
    if (evaluation.status != EvaluationStatus::passed) return evaluation;
    {
      const Lanes::Turn turn = lanes_.measure();
      Comparison comparison(task_, Workload::benchmark, runner_, turn.cpus(), seed_of(kBaselineId));
      Slot& slot = *baselines_[static_cast<std::size_t>(turn.lane())];
      Result<Comparison::Outcome> outcome = comparison.run_alone(slot.side(), task_.sampling.min_pairs, stop);
      if (!outcome) return outcome.error();
      if (outcome->stage_report) evaluation.stages.push_back(std::move(*outcome->stage_report));
      if (outcome->fate) {
        evaluation.status = outcome->fate->status;
        evaluation.reason = std::move(outcome->fate->reason);
        return evaluation;
      }
      evaluation.benchmark = std::move(outcome->benchmark);
    }
    Result<std::optional<Fate>> profiled = profile(*baselines_.front(), baseline_tree_, {}, evaluation, stop);
    if (!profiled) return profiled.error();
    if (*profiled) {
      evaluation.status = (*profiled)->status;
      evaluation.reason = std::move((*profiled)->reason);
      return evaluation;
    }
    Result<std::optional<Fate>> sanitized = sanitize(baseline_tree_, evaluation, stop);
    if (!sanitized) return sanitized.error();
    evaluation.gates.clear();
    if (*sanitized) {
      evaluation.status = EvaluationStatus::tests_failed;
      evaluation.reason = "under the sanitizers that `sanitize` asks for: " + (*sanitized)->reason;
    }
    return evaluation;
  }

  /// Builds and tests the unmodified tree, for each lane once. Without `evaluation` (a resumed run) a failure is an
  /// Error.
  Result<void> build_baselines(const std::stop_token& stop, Evaluation* evaluation = nullptr) {
    const std::lock_guard lock(baseline_mutex_);
    for (std::size_t lane = 0; lane < baselines_.size(); ++lane) {
      if (baselines_[lane]) continue;
      Evaluation own;
      Evaluation& report = evaluation != nullptr && lane == 0 ? *evaluation : own;
      Result<std::optional<Fate>> fate = build_baseline(lane, report, stop);
      if (!fate) return fate.error();
      if (!*fate) continue;
      baselines_[lane].reset();
      if (evaluation == nullptr) {
        return Error{Error::Code::unavailable,
                     "the unmodified source no longer passes: " + telling_line((*fate)->reason)};
      }
      evaluation->status = (*fate)->status;
      evaluation->reason = std::move((*fate)->reason);
      return {};
    }
    return {};
  }

  Result<std::optional<Fate>> build_baseline(std::size_t lane, Evaluation& report, const std::stop_token& stop) {
    for (bool again = true; again;) {
      again = false;
      report = {};
      Result<Slot> slot = pool_.make(fmt::format("baseline-{}", lane), protected_);
      if (!slot) return slot.error();
      baselines_[lane] = std::move(*slot);
      const Lanes::Turn turn = lanes_.build();
      StageReport apply;
      if (auto checked_out = baselines_[lane]->workspace.check_out(baseline_tree_); !checked_out) {
        return checked_out.error();
      }
      report.stages.push_back(std::move(apply));
      Result<StageRun> ran = runner_.run(Stage::build, task_.build, setting(*baselines_[lane], turn, {}), stop);
      if (!ran) return ran.error();
      report.stages.push_back(ran->report);
      if (ran->report.status != StageStatus::passed) return std::optional(fate_of_failure(*ran));
      // The task's own build may make tracked files anew; from now on that is no candidate's doing.
      for (const std::string& path : baselines_[lane]->workspace.changed_protected()) {
        protected_.files[path].may_change = true;
        again = true;
      }
      if (again) {
        baselines_[lane].reset();
        continue;
      }
      baselines_[lane]->tree = baseline_tree_;
      if (auto sealed = baselines_[lane]->workspace.seal(task_.data); !sealed) return sealed.error();
      if (task_.test.command.empty()) break;
      return test(*baselines_[lane], task_.test, Stage::test, {}, turn, report, stop);
    }
    return std::optional<Fate>{};
  }

  bool is_baseline(const Slot& slot) const {
    return std::any_of(baselines_.begin(), baselines_.end(), [&](const auto& baseline) {
      return baseline && baseline->workspace.folder() == slot.workspace.folder();
    });
  }

  // ---- Comparisons outside the search -------------------------------------------------------------------------------

  StopRule of_comparison(const ComparisonOptions& options) const {
    return {.max_pairs = task_.sampling.max_pairs_compared, .pairs = options.pairs};
  }

  Result<ComparisonResult> compare_baseline_with_itself(const ComparisonOptions& options, const std::stop_token& stop) {
    if (auto ready = build_baselines(stop); !ready) return ready.error();
    const Lanes::Turn turn = lanes_.measure();
    Comparison comparison(task_, options.holdout ? Workload::holdout : Workload::benchmark, runner_, turn.cpus(),
                          options.seed);
    const Side side = baselines_[static_cast<std::size_t>(turn.lane())]->side();
    Result<Comparison::Outcome> outcome = comparison.run(side, side, of_comparison(options), stop);
    if (!outcome) return outcome.error();
    if (outcome->fate && outcome->fate->status != EvaluationStatus::rejected_by_gate) {
      return Error{Error::Code::unavailable,
                   "the unmodified program failed its own benchmark: " + outcome->fate->reason};
    }
    return ComparisonResult{std::move(outcome->benchmark), std::move(outcome->gates)};
  }

  Result<void> build_for_comparison(std::size_t place, const Candidate& candidate, bool afresh,
                                    const std::stop_token& stop) {
    std::optional<Slot>& slot = compared_[place];
    const bool is_built = slot && tree_sha256(slot->tree) == tree_sha256(candidate.tree);
    if (is_built && !afresh) return {};
    slot.reset();
    Result<Slot> made = pool_.make(fmt::format("compared-{}", place), protected_);
    if (!made) return made.error();
    Evaluation evaluation;
    Result<std::optional<Fate>> fate = build_and_test(*made, candidate.tree, evaluation, stop);
    if (!fate) return fate.error();
    if (*fate) {
      const std::string who =
          candidate.id == kBaselineId ? "the unmodified program" : fmt::format("candidate {}", to_number(candidate.id));
      return Error{Error::Code::unavailable, fmt::format("{}: {}", who, (*fate)->reason)};
    }
    slot = std::move(*made);
    return {};
  }

  // ---- What was measured before -------------------------------------------------------------------------------------

  struct Measurement {
    CandidateId id = kBaselineId;
    EvaluationStatus status = EvaluationStatus::passed;
    std::string reason;
    std::optional<BenchmarkResult> benchmark;
    Profile profile;
    std::vector<GateReport> gates;
  };

  std::string digest_of(const Slot& slot) const {
    const std::filesystem::path program =
        slot.workspace.folder() / split_assignments(task_.benchmark.run.command).program;
    return binary_digest_of_file(program).value_or("");
  }

  std::optional<Measurement> measurement_of(const std::string& program) {
    const std::lock_guard lock(measurements_mutex_);
    const auto known = measurements_.find(program);
    return known == measurements_.end() ? std::nullopt : std::optional(known->second);
  }

  void remember(const std::string& program, const Evaluation& evaluation, const std::optional<Fate>& fate) {
    const bool is_worth = !fate || fate->status == EvaluationStatus::rejected_by_gate;
    if (program.empty() || !is_worth) return;
    const std::lock_guard lock(measurements_mutex_);
    measurements_.emplace(
        program, Measurement{evaluation.id, fate ? fate->status : EvaluationStatus::passed, fate ? fate->reason : "",
                             evaluation.benchmark, evaluation.profile, evaluation.gates});
  }

  // ---- Small things
  // ---------------------------------------------------------------------------------------------------

  StageSetting setting(Slot& slot, const Lanes::Turn& turn, std::map<std::string, std::string> variables) {
    return {slot.workspace.folder(), &slot.tripwire, turn.cpus(), std::move(variables)};
  }

  bool is_on(const std::string& gate) const {
    return std::find(task_.gates.off.begin(), task_.gates.off.end(), gate) == task_.gates.off.end();
  }

  std::uint64_t seed_of(CandidateId id) const { return Rng(options_.seed ^ (to_number(id) << 32))(); }

  const Task& task_;
  const SourceTree& baseline_tree_;
  Lanes& lanes_;
  const LocalEvaluatorOptions options_;
  const StageRunner runner_;
  std::optional<Profiler> profiler_;  ///< With LocalEvaluatorOptions::profilers.

  WorkspacePool pool_;  ///< Before all that may hold a slot.

  std::mutex baseline_mutex_;  ///< Of the next three while the baselines are built; then they are only read.
  ProtectedFiles protected_;
  std::vector<std::optional<Slot>> baselines_;  ///< One a lane, used by whoever has the lane.
  int test_network_attempts_ = 0;               ///< Of the baseline's tests.

  std::mutex compare_mutex_;
  std::array<std::optional<Slot>, 2> compared_;

  std::mutex measurements_mutex_;
  std::map<std::string, Measurement> measurements_;  ///< By digest of the benchmark program.
};

}  // namespace

Result<std::unique_ptr<Evaluator>> make_local_evaluator(const Task& task, const SourceTree& baseline,
                                                        ProtectedFiles protected_files, Lanes& lanes,
                                                        const Sandbox& sandbox, LocalEvaluatorOptions options) {
  if (auto made = WorkspacePool::make_folder(options.folder); !made) return made.error();
  return std::unique_ptr<Evaluator>(
      std::make_unique<LocalEvaluator>(task, baseline, std::move(protected_files), lanes, sandbox, std::move(options)));
}

}  // namespace aiopt
