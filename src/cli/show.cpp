/// aiopt show: the state of a run, or one candidate's story.

#include <fmt/format.h>

#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "core/evaluation_json.hpp"
#include "engine/candidate_tree.hpp"
#include "source/source_tree.hpp"
#include "store/run_store.hpp"
#include "view/comparison_view.hpp"
#include "view/profile_view.hpp"
#include "view/run_summary.hpp"

namespace aiopt {

namespace {

/// The patch against the parent, as a diff; a word on why there is none.
std::string diff_to_parent(const RunStore& store, const Task& task, const StoredEvaluation& stored) {
  if (!stored.exact) return stored.proposal.reply;
  Result<SourceTree> baseline = baseline_of_run(store, task);
  if (!baseline) return fmt::format("(no diff: {})\n", baseline.error().message);
  Result<SourceTree> parent = candidate_tree(store, *baseline, stored.proposal.ask.parent, rules_of(task));
  Result<SourceTree> tree = candidate_tree(store, *baseline, stored.proposal.id, rules_of(task));
  if (!parent || !tree) return fmt::format("(no diff: {})\n", (parent ? tree : parent).error().message);
  Result<std::string> diff = unified_diff(*parent, *tree);
  return diff ? *diff : fmt::format("(no diff: {})\n", diff.error().message);
}

std::string describe(const RunStore& store, const Task& task, const StoredEvaluation& stored) {
  const Proposal& proposal = stored.proposal;
  const Evaluation& evaluation = stored.evaluation;
  std::string text = fmt::format("candidate {}", to_number(proposal.id));
  if (proposal.id != kBaselineId) {
    text += fmt::format(", made from {} by {}{}{}", to_number(proposal.ask.parent), proposal.emitter,
                        proposal.model.empty() ? "" : " with " + proposal.model,
                        proposal.ask.note.empty() ? "" : " " + proposal.ask.note);
  } else {
    text += ", the unmodified source";
  }
  text += fmt::format("\n  status     {}", to_string(evaluation.status));
  if (evaluation.reused_from) text += fmt::format(" (the program of candidate {})", to_number(*evaluation.reused_from));
  if (stored.fitness) {
    text += fmt::format("\n  objective  {:.4f}  {}", stored.fitness->objective,
                        measures_to_json(task.axes, stored.fitness->measures));
  }
  if (evaluation.benchmark) {
    const BenchmarkResult& benchmark = *evaluation.benchmark;
    text += fmt::format("\n  measured   {:.0f} ops/s", benchmark.throughput_ops_sec());
    if (!benchmark.baseline.empty()) {
      text += fmt::format(", {} of the baseline", describe_speedup(benchmark));
    }
  }
  for (const GateReport& gate : evaluation.gates) {
    text += fmt::format("\n  gate       {} {}: {}", gate.name, gate.fired ? "FIRED" : "passed", gate.detail);
  }
  for (const StageReport& stage : evaluation.stages) {
    text +=
        fmt::format("\n  {:<10} {}, exit {}, {:.2f} s, {:.2f} s CPU", to_string(stage.stage), to_string(stage.status),
                    stage.exit_code, std::chrono::duration<double>(stage.wall_time).count(),
                    std::chrono::duration<double>(stage.cpu_time).count());
  }
  text += "\n";
  if (const std::string profile = describe(evaluation.profile, "."); !profile.empty()) text += "\n" + profile;
  if (!evaluation.reason.empty()) text += fmt::format("\n{}\n", evaluation.reason);
  if (proposal.id != kBaselineId) text += "\n" + diff_to_parent(store, task, stored);
  return text;
}

}  // namespace

int show_command(const ShowArguments& arguments) {
  if (!arguments.candidate) return show_run(arguments.folder, arguments.json);
  Result<std::unique_ptr<RunStore>> store = RunStore::open(arguments.folder, RunStore::Access::read_only);
  if (!store) return fail(store.error());
  Result<RunTask> run = task_of_run(**store);
  if (!run) return fail(run.error());
  Result<StoredEvaluation> stored = (*store)->evaluation(CandidateId{*arguments.candidate});
  if (!stored) return fail(stored.error());
  if (!arguments.json) return print_result(describe(**store, run->task, *stored));
  return print_result(evaluation_to_json(stored->evaluation, stored->tree_sha256, stored->fitness, run->task.axes) +
                      "\n");
}

}  // namespace aiopt
