/// aiopt evaluate: one candidate through the pipeline.

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>

#include <aiopt/fitness.hpp>

#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/one_off.hpp"
#include "core/evaluation_json.hpp"
#include "core/reason.hpp"
#include "engine/measures.hpp"
#include "fitness/causal_bound.hpp"
#include "fitness/causal_fitness.hpp"
#include "view/comparison_view.hpp"
#include "view/profile_view.hpp"

namespace aiopt {

namespace {

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
    if (!benchmark.baseline.empty()) text += describe_speedup(benchmark) + "\n";
  }
  if (const std::string profile = describe(evaluation.profile, "."); !profile.empty()) text += "\n" + profile + "\n";
  for (const GateReport& gate : evaluation.gates) {
    text += fmt::format("gate {:<16} {}  {}\n", gate.name, gate.fired ? "FIRED" : "ok   ", gate.detail);
  }
  if (fitness) text += fmt::format("objective  {:.4f}\n", fitness->objective);
  return text;
}

}  // namespace

int evaluate_command(const EvaluateArguments& arguments) {
  Result<std::unique_ptr<OneOff>> loaded = OneOff::load(arguments.task);
  if (!loaded) return fail(loaded.error());
  OneOff& judge = **loaded;
  std::optional<Evaluation> evaluation;
  Candidate candidate = judge.baseline();
  if (!arguments.patch.empty()) {
    Result<Candidate> made = judge.candidate_of(arguments.patch, CandidateId{1});
    if (!made && made.error().code != Error::Code::invalid_argument) return fail(made.error());
    if (!made) evaluation = rejection(made.error());
    if (made) candidate = std::move(*made);
  }

  set_verbosity(arguments.verbosity);
  const StopTokens stop = catch_interrupts();
  std::optional<Fitness> fitness;
  if (!evaluation) {
    if (auto prepared = judge.prepare(arguments.lanes, arguments.sandbox, 1, arguments.mode); !prepared)
      return fail(prepared.error());
    Result<Evaluation> of_baseline = judge.evaluator().evaluate(judge.baseline(), {}, stop.finish);
    if (!of_baseline) return fail(of_baseline.error());
    evaluation = *of_baseline;
    if (candidate.id != kBaselineId) {
      if (of_baseline->status != EvaluationStatus::passed) {
        return fail(
            {Error::Code::unavailable, "the unmodified source does not pass: " + telling_line(of_baseline->reason)});
      }
      Result<Evaluation> of_candidate = judge.evaluator().evaluate(candidate, {}, stop.finish);
      if (!of_candidate) return fail(of_candidate.error());
      evaluation = std::move(*of_candidate);
      check_causal_bound(judge.task().gates, of_baseline->profile, *evaluation);
    }
    if (evaluation->status == EvaluationStatus::passed) {
      Result<std::vector<Measure>> measures = measures_of(judge.task().axes, candidate, *evaluation);
      if (!measures) return fail(measures.error());
      const auto formula = make_fitness(judge.task().fitness);
      fitness = Fitness{formula->objective(*evaluation, *of_baseline), std::move(*measures), 0.0};
    }
  }
  return print_result(arguments.json
                          ? evaluation_to_json(*evaluation, candidate.tree_sha256, fitness, judge.task().axes) + "\n"
                          : describe(*evaluation, fitness));
}

}  // namespace aiopt
