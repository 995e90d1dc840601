/// aiopt evaluate: one candidate through the pipeline.

#include <fmt/format.h>

#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include <aiopt/evaluator.hpp>
#include <aiopt/fitness.hpp>

#include "base/files.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "core/evaluation_json.hpp"
#include "core/reason.hpp"
#include "core/task_yaml.hpp"
#include "engine/measures.hpp"
#include "evaluate/local_evaluator.hpp"
#include "fitness/causal_fitness.hpp"
#include "llm/openai_chat.hpp"
#include "source/patch_apply.hpp"
#include "source/patch_parser.hpp"
#include "source/source_tree.hpp"
#include "view/run_summary.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kPatchFileLimitBytes = 16 << 20;

Result<std::string> read_patch(const std::string& file) {
  if (file != "-") return read_file(file, kPatchFileLimitBytes);
  std::string text;
  char buffer[1 << 16];
  while (std::cin.read(buffer, sizeof buffer) || std::cin.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > kPatchFileLimitBytes) {
      return Error{Error::Code::invalid_argument, "the patch on stdin is over 16 MiB"};
    }
  }
  return text;
}

/// The candidate that the patch makes, or an Evaluation that says why it makes none.
Result<Candidate> make_candidate(const Task& task, const SourceTree& baseline, const std::string& patch_text) {
  Result<Patch> patch = parse_patch(patch_text, baseline.size() == 1 ? baseline.begin()->first : "");
  if (!patch) return patch.error();
  Result<AppliedPatch> applied = apply_patch(baseline, *patch, rules_of(task));
  if (!applied) return applied.error();
  Candidate candidate;
  candidate.id = CandidateId{1};
  candidate.parent = kBaselineId;
  candidate.generation = 1;
  candidate.tree_sha256 = tree_sha256(applied->tree);
  candidate.tree = std::move(applied->tree);
  candidate.changed_function = std::move(applied->changed_function);
  return candidate;
}

Evaluation rejection(const Error& error) {
  Evaluation evaluation;
  evaluation.id = CandidateId{1};
  evaluation.status = EvaluationStatus::patch_rejected;
  evaluation.reason = error.message;
  evaluation.stages.emplace_back();
  evaluation.stages.back().status = StageStatus::failed;
  return evaluation;
}

std::string describe(const Evaluation& evaluation, const std::optional<Fitness>& fitness) {
  std::string text;
  for (const StageReport& stage : evaluation.stages) {
    text += fmt::format("{:<10} {:<10} {:6.2f} s  {:6.2f} s CPU  {:5} MiB\n", to_string(stage.stage),
                        to_string(stage.status), std::chrono::duration<double>(stage.wall_time).count(),
                        std::chrono::duration<double>(stage.cpu_time).count(), stage.peak_rss_bytes >> 20);
  }
  text += fmt::format("{}\n", to_string(evaluation.status));
  if (!evaluation.reason.empty()) text += evaluation.reason + "\n";
  if (evaluation.benchmark) {
    const BenchmarkResult& benchmark = *evaluation.benchmark;
    text += fmt::format("throughput {:.0f} ops/s", benchmark.throughput_ops_sec());
    if (benchmark.latency_us()) text += fmt::format(", latency {:.1f} us", *benchmark.latency_us());
    if (benchmark.off_cpu_ratio()) text += fmt::format(", off-CPU ratio {:.2f}", *benchmark.off_cpu_ratio());
    text += "\n";
    if (!benchmark.baseline.empty()) {
      const BenchmarkResult::Spread spread = benchmark.speedup_spread();
      text += fmt::format("{} of the baseline: median of {} pairs, lowest {}, highest {}\n",
                          format_ratio(benchmark.speedup()), benchmark.baseline.size(), format_ratio(spread.lowest),
                          format_ratio(spread.highest));
    }
  }
  if (fitness) text += fmt::format("objective  {:.4f}\n", fitness->objective);
  return text;
}

}  // namespace

int evaluate_command(const EvaluateArguments& arguments) {
  Result<Task> task = load_task(arguments.task);
  if (!task) return fail(task.error());
  take_api_key(task->llm.api_key_env);
  Result<SourceTree> tree = load_source_tree(task->source, task->editable);
  if (!tree) return fail(tree.error());

  Candidate baseline;
  baseline.tree = *tree;
  baseline.tree_sha256 = tree_sha256(*tree);
  std::optional<Candidate> candidate;
  std::optional<Evaluation> evaluation;
  if (!arguments.patch.empty()) {
    Result<std::string> text = read_patch(arguments.patch);
    if (!text) return fail(text.error());
    Result<Candidate> made = make_candidate(*task, *tree, *text);
    if (made) candidate = std::move(*made);
    if (!made) evaluation = rejection(made.error());
  }

  set_verbosity(arguments.verbosity);
  const StopTokens stop = catch_interrupts();
  std::optional<Fitness> fitness;
  if (!evaluation) {
    const TemporaryFolder folder;
    Lanes lanes;
    const Result<std::unique_ptr<Evaluator>> made =
        make_local_evaluator(*task, *tree, lanes, {folder.path() / "workspaces", 1});
    if (!made) return fail(made.error());
    Evaluator& evaluator = **made;
    Result<Evaluation> of_baseline = evaluator.evaluate(baseline, stop.finish);
    if (!of_baseline) return fail(of_baseline.error());
    evaluation = *of_baseline;
    if (candidate && of_baseline->status != EvaluationStatus::passed) {
      return fail(
          {Error::Code::unavailable, "the unmodified source does not pass: " + telling_line(of_baseline->reason)});
    }
    if (candidate) {
      Result<Evaluation> of_candidate = evaluator.evaluate(*candidate, stop.finish);
      if (!of_candidate) return fail(of_candidate.error());
      evaluation = std::move(*of_candidate);
    }
    if (evaluation->status == EvaluationStatus::passed) {
      Result<std::vector<Measure>> measures = measures_of(task->axes, candidate ? *candidate : baseline, *evaluation);
      if (!measures) return fail(measures.error());
      fitness = Fitness{make_fitness(task->fitness)->objective(*evaluation, *of_baseline), std::move(*measures)};
    }
  }
  const std::string& digest = candidate ? candidate->tree_sha256 : baseline.tree_sha256;
  return print_result(arguments.json ? evaluation_to_json(*evaluation, digest, fitness, task->axes) + "\n"
                                     : describe(*evaluation, fitness));
}

}  // namespace aiopt
