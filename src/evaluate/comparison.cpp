/// Comparison: the loop over pairs, and what one run is.

#include "evaluate/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/clock.hpp"
#include "core/reason.hpp"
#include "evaluate/unsynced_files.hpp"
#include "measure/benchmark_output.hpp"
#include "measure/sequential_test.hpp"
#include "measure/speedup_estimate.hpp"

namespace aiopt {

namespace {

/// A candidate this much slower than the baseline in one pair is not measured in more: they would take longest of all.
constexpr double kHopelessRatio = 0.4;

/// From this speed-up on it is looked whether the candidate waits for its syncs: for less nobody cheats.
constexpr double kWorthDoubting = 1.05;

RacingRules racing_rules(const SamplingTask& sampling, const StopRule& rule) {
  RacingRules rules;
  rules.min_pairs = rule.pairs > 0 ? rule.pairs : sampling.min_pairs;
  rules.max_pairs = rule.pairs > 0 ? rule.pairs : rule.max_pairs;
  rules.half_width = std::log1p(std::max(sampling.half_width, rule.noise_floor));
  return rules;
}

Error of_baseline(std::string_view what, const std::string& why) {
  return {Error::Code::unavailable, fmt::format("the unmodified program {}: {}", what, telling_line(why))};
}

}  // namespace

Comparison::Comparison(const Task& task, Workload kind, const StageRunner& runner, const std::vector<int>& cpus,
                       std::uint64_t seed)
    : task_(task), kind_(kind), workload_(workload_of(task, kind)), runner_(runner), cpus_(cpus), rng_(seed) {}

Result<Comparison::Outcome> Comparison::run(Side candidate, Side baseline, const StopRule& rule, std::stop_token stop) {
  RunSeries of_candidate;
  RunSeries of_baseline_runs;
  const RacingRules rules = racing_rules(task_.sampling, rule);
  const SequentialTest race(rules);
  int next_look = race.looks().front();
  const auto started = monotonic_now();
  for (int pair = -workload_.warmup; pair < rules.max_pairs; ++pair) {
    RunSeries candidates_run;
    RunSeries baselines_run;
    const std::string seed = draw_seed();
    const bool candidate_first = rng_.index(2) == 0;
    // The candidate cannot know which run is looked into; a claim has all of them looked into.
    const Side verifier = pair <= 0 || rule.pairs > 0 ? baseline : Side{};
    for (const bool candidates_turn : {candidate_first, !candidate_first}) {
      Result<std::optional<Fate>> fate =
          candidates_turn ? run_once(candidate, verifier, {seed, Reported::yes}, candidates_run, stop)
                          : run_once(baseline, {}, {seed}, baselines_run, stop);
      if (!fate) return fate.error();
      if (!*fate) continue;
      if (!candidates_turn) return of_baseline("failed its own benchmark", (*fate)->reason);
      return finished(std::move(of_candidate), std::move(of_baseline_runs), std::move(*fate));
    }
    if (pair < 0) continue;
    for (const auto& [all, one] : {std::pair{&of_candidate, &candidates_run}, {&of_baseline_runs, &baselines_run}}) {
      all->runs.push_back(std::move(one->runs.front()));
      all->witnesses.push_back(std::move(one->witnesses.front()));
    }
    if (!of_candidate.witnesses.back().files_changed.empty()) break;
    if (!of_baseline_runs.witnesses.back().files_changed.empty()) {
      return of_baseline("was changed while it ran", of_baseline_runs.witnesses.back().files_changed.front());
    }
    if (rule.pairs > 0) continue;
    // None is left out: what was understood is above 0.
    const std::vector<double> log_ratios = BenchmarkResult{of_candidate.runs, of_baseline_runs.runs}.log_ratios();
    if (rule.ends_hopeless && log_ratios.back() < std::log(kHopelessRatio)) break;
    if (pair + 1 == next_look) {
      const Look look = race.look(log_ratios, std::log(rule.bar));
      if (look.is_last) break;
      next_look = look.next_look;
    }
    if (pair + 1 >= rules.min_pairs && monotonic_now() - started > task_.sampling.max_time) break;
  }
  charge_hidden_time(workload_, of_candidate, of_baseline_runs);
  Outcome outcome = finished(of_candidate, std::move(of_baseline_runs), std::nullopt);
  outcome.benchmark.estimate = to_speedup(race.look(outcome.benchmark.log_ratios()).estimate, rules.confidence);
  if (auto doubted = doubt(candidate, baseline, of_candidate, outcome, stop); !doubted) return doubted.error();
  return outcome;
}

Result<void> Comparison::doubt(Side candidate, Side baseline, const RunSeries& runs, Outcome& outcome,
                               std::stop_token stop) {
  if (outcome.fate || outcome.benchmark.speedup() < kWorthDoubting) return {};
  const auto syncs = std::find_if(outcome.gates.begin(), outcome.gates.end(),
                                  [](const GateReport& gate) { return gate.name == "syncs"; });
  if (syncs == outcome.gates.end()) return {};
  const std::chrono::microseconds delay = doubting_delay(task_, runs);
  if (delay.count() == 0) {
    syncs->detail += "; whether it waits for them was not checked: that would take too long";
    return {};
  }
  const RunRules slowed{draw_seed(), Reported::no, delay};
  RunSeries one;
  if (auto fate = run_once(candidate, {}, slowed, one, stop); !fate) return fate.error();
  GateReport waits = check_waits(task_, delay, one);
  if (waits.fired) {
    // Not if the task says of the unmodified program what is not so.
    RunSeries usual;
    if (auto fate = run_once(baseline, {}, slowed, usual, stop); !fate) return fate.error();
    if (check_waits(task_, delay, usual).fired) {
      syncs->detail += "; whether it waits for them was not checked: the unmodified program does not";
      return {};
    }
    outcome.fate = Fate{EvaluationStatus::rejected_by_gate, *reason_of_gates({waits})};
  }
  *syncs = std::move(waits);
  return {};
}

/// Of 32 bits: one that every benchmark's flags can take.
std::string Comparison::draw_seed() {
  return fmt::format("{}", rng_() >> 32);
}

Result<Comparison::Outcome> Comparison::run_alone(Side side, int runs, std::stop_token stop) {
  RunSeries series;
  for (int run = -workload_.warmup; run < runs; ++run) {
    if (run == 0) series = {};
    Result<std::optional<Fate>> fate = run_once(side, side, {draw_seed(), Reported::yes}, series, stop);
    if (!fate) return fate.error();
    if (*fate) return finished(std::move(series), {}, std::move(*fate));
    if (!series.witnesses.back().verify_failure.empty()) {
      return of_baseline("fails its own verification", series.witnesses.back().verify_failure);
    }
    if (!series.witnesses.back().files_changed.empty()) {
      return of_baseline("does not leave what it was built from alone; name what it writes in `benchmark: {data: ...}`",
                         "it changed " + series.witnesses.back().files_changed.front());
    }
  }
  return finished(std::move(series), {}, std::nullopt);
}

Result<std::optional<Fate>> Comparison::run_once(Side side, Side verifier, const RunRules& rules, RunSeries& series,
                                                 std::stop_token stop) {
  StageSetting setting{side.workspace->folder(), side.tripwire, cpus_, {{"AIOPT_SEED", rules.seed}}, rules.sync_delay};
  Result<StageRun> ran = runner_.run(Stage::benchmark, workload_.run, setting, stop);
  if (!ran) return ran.error();
  const bool passed = ran->report.status == StageStatus::passed;
  Result<Metrics> metrics = passed ? parse_benchmark_output(workload_, ran->command.out) : Result<Metrics>(Metrics{});
  if (passed && !metrics) ran->report.status = StageStatus::failed;

  RunWitness witness;
  if (task_.gates.writers > 0) witness.unsynced_bytes = unsynced_bytes(setting.workspace, task_.data);
  witness.delayed_syncs = ran->command.delayed_syncs;
  witness.processes_left = ran->command.processes_left + (ran->was_unwatched ? 1 : 0);
  witness.cpu_after_end = ran->command.cpu_after_end;
  witness.network_attempts = static_cast<std::uint64_t>(ran->network_attempts);
  witness.opened_run_folder = ran->opened_run_folder;
  witness.hit_memory_limit = ran->command.hit_memory_limit;
  if (passed && metrics && verifier.workspace != nullptr && !task_.verify.command.empty() &&
      kind_ == Workload::benchmark) {
    Result<std::string> failure = verify(side, verifier, setting, stop);
    if (!failure) return failure.error();
    witness.verify_failure = std::move(*failure);
  }
  if (auto restored = put_back(side, witness); !restored) return restored.error();

  Fate fate;
  if (!passed) fate = fate_of_failure(*ran);
  if (passed && !metrics) fate = {EvaluationStatus::benchmark_failed, metrics.error().message};
  if (rules.reported == Reported::yes) keep_report(std::move(ran->report));
  series.witnesses.push_back(std::move(witness));
  if (!passed || !metrics) return std::optional(std::move(fate));

  BenchmarkRun& run = series.runs.emplace_back();
  run.throughput_ops_sec = metrics->at(workload_.throughput);
  if (!workload_.latency.empty()) run.latency_us = metrics->at(workload_.latency);
  run.metrics = std::move(*metrics);
  run.wall_seconds = std::chrono::duration<double>(ran->command.wall_time).count();
  run.cpu_seconds = std::chrono::duration<double>(ran->command.cpu_time).count();
  run.thread_seconds = std::chrono::duration<double>(ran->command.thread_time).count();
  run.peak_rss_bytes = ran->command.peak_rss_bytes;
  run.bytes_written = ran->command.bytes_written;
  run.syncs = ran->command.syncs;
  return std::optional<Fate>{};
}

/// What is wrong with the data that the run left, as the unmodified program sees it; empty if nothing is.
Result<std::string> Comparison::verify(Side side, Side verifier, const StageSetting& setting, std::stop_token stop) {
  if (side.workspace != verifier.workspace) {
    if (auto taken = verifier.workspace->take_data(*side.workspace, task_.data); !taken) {
      if (taken.error().code != Error::Code::invalid_argument) return taken.error();
      // It left no such thing, or something else in its place. What was taken before is not to stay.
      RunWitness ignored;
      if (auto restored = put_back(verifier, ignored); !restored) return restored.error();
      return taken.error().message;
    }
  }
  StageSetting verifying = setting;
  verifying.workspace = verifier.workspace->folder();
  verifying.tripwire = verifier.tripwire;
  Result<StageRun> ran = runner_.run(Stage::verify, task_.verify, verifying, std::move(stop));
  if (!ran) return ran.error();
  if (side.workspace != verifier.workspace) {
    RunWitness ignored;
    if (auto restored = put_back(verifier, ignored); !restored) return restored.error();
  }
  return ran->report.status == StageStatus::passed ? std::string() : fate_of_failure(*ran).reason;
}

Result<void> Comparison::put_back(Side side, RunWitness& witness) {
  Result<RunTraces> traces = side.workspace->restore();
  if (!traces) return traces.error();
  witness.files_left = std::move(traces->left);
  witness.files_changed = std::move(traces->changed);
  return {};
}

/// Of many runs the last one's report, with the times summed.
void Comparison::keep_report(StageReport report) {
  if (report_) add_run(report, *report_);
  report_ = std::move(report);
}

Comparison::Outcome Comparison::finished(RunSeries candidate, RunSeries baseline, std::optional<Fate> fate) const {
  Outcome outcome;
  outcome.fate = std::move(fate);
  outcome.stage_report = report_;
  outcome.was_changed = std::any_of(candidate.witnesses.begin(), candidate.witnesses.end(),
                                    [](const RunWitness& witness) { return !witness.files_changed.empty(); });
  if (!baseline.runs.empty() && candidate.runs.size() == baseline.runs.size()) {
    outcome.gates = check_gates(task_, kind_, candidate, baseline);
    const auto reason = reason_of_gates(outcome.gates);
    if (reason && !outcome.fate) outcome.fate = Fate{EvaluationStatus::rejected_by_gate, *reason};
  }
  outcome.benchmark.candidate = std::move(candidate.runs);
  outcome.benchmark.baseline = std::move(baseline.runs);
  return outcome;
}

}  // namespace aiopt
