/// Evaluations to store, and a text in which every field of one shows.

#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "core/evaluation_json.hpp"
#include "store/run_store.hpp"

namespace aiopt {

inline const std::vector<Axis> kExampleAxes = {{"offcpu_ratio", Axis::Kind::linear, 10, 0.0, 1.0},
                                               {"function", Axis::Kind::category, 20, 0.0, 1.0}};

inline RunHeader example_header() {
  return {"name: walkv\nbuild: make\n", "walkv/task.yaml",    R"({"seed":42,"workers":4,"mode":"fast"})",
          std::string(64, 'b'),         std::string(64, 'c'), "0.1.0",
          "2026-11-22T08:00:00Z"};
}

/// Some text that compresses as prompts do.
inline std::string example_text(std::size_t bytes, std::uint64_t seed) {
  Rng rng(seed);
  std::string text;
  while (text.size() < bytes) text += fmt::format("  memtable_->insert(key_{}, value);\n", rng.index(1000));
  text.resize(bytes);
  return text;
}

inline BenchmarkRun example_run(double throughput) {
  BenchmarkRun run;
  run.throughput_ops_sec = throughput;
  run.latency_us = 1e6 / throughput;
  run.metrics = {{"fillrandom", throughput}, {"fillrandom.P99", 1e6 / throughput}};
  run.wall_seconds = 1.25;
  run.cpu_seconds = 0.5;
  run.thread_seconds = 4.5;
  run.peak_rss_bytes = 12'345'678;
  return run;
}

inline StoredEvaluation example_baseline() {
  StoredEvaluation stored;
  stored.proposal.ask.change = Patch{};
  stored.tree_sha256 = std::string(64, 'b');
  stored.exact = Patch{};
  stored.evaluation.benchmark = BenchmarkResult{{example_run(1000.0)}, {}};
  stored.fitness = Fitness{1.0, {0.5, std::string("baseline")}};
  stored.added = AddResult{AddStatus::new_cell, 3, 1.0};
  return stored;
}

/// A candidate that a model proposed and that passed.
inline StoredEvaluation example_evaluation(std::uint64_t number, std::uint64_t parent = 0) {
  StoredEvaluation stored;
  Proposal& proposal = stored.proposal;
  proposal.id = CandidateId{number};
  proposal.island = IslandId{1};
  proposal.emitter = "llm";
  proposal.ask = {CandidateId{parent}, {kBaselineId}, ModelQuestion{"diff_user", ""}, R"({"n": 1})"};
  proposal.patch = Patch{{{Edit::Kind::replace, "src/wal.cc", "lock();", fmt::format("lock_{}();", number), 3}}};
  proposal.model = "small-model";
  proposal.prompt = example_text(5000, number);
  proposal.reply = example_text(1000, number + 1'000'000);
  proposal.usage = {1400, 300};
  proposal.latency = std::chrono::milliseconds(1234);
  stored.asked_after = number > 2 ? number - 2 : 0;
  stored.told = number;
  stored.exact = Patch{{{Edit::Kind::replace, "src/wal.cc", "  lock();", fmt::format("  lock_{}();", number), 3}}};
  stored.tree_sha256 = fmt::format("{:064x}", number);
  stored.generation = 2;
  stored.changed_function = "Wal::append";
  stored.evaluation.id = proposal.id;
  for (const Stage stage : {Stage::apply, Stage::build, Stage::test, Stage::benchmark}) {
    stored.evaluation.stages.push_back({stage, StageStatus::passed, 0, std::chrono::microseconds(1'234'567),
                                        std::chrono::microseconds(765'432), 4096, example_text(300, number)});
  }
  const double throughput = 1000.0 + static_cast<double>(number);
  stored.evaluation.benchmark = BenchmarkResult{{example_run(throughput), example_run(throughput + 1)},
                                                {example_run(1000.0), example_run(999.0)},
                                                SpeedupEstimate{1.01, 0.99, 1.03, 0.95, 0.0625}};
  stored.evaluation.gates = {{"clock", false, "0.1 s"}, {"syncs", true, "2 of 40"}};
  OffCpuProfile& off_cpu = stored.evaluation.profile.off_cpu.emplace();
  off_cpu.source = "sampler";
  off_cpu.ratio = 0.1 + 0.2;
  off_cpu.samples = number;
  off_cpu.top_blockers = {
      {{"Wal::sync", "src/wal.cc", 47}, WaitClass::io, 0.5, "folio_wait_bit", {{"main", "m.cc", 3}}}};
  CausalProfile& causal = stored.evaluation.profile.causal.emplace();
  causal.max_speedup = throughput / 100.0;
  causal.targets.resize(1);
  causal.targets.front().curve = {{0.0, 0.0, 0.0, 0.0, 12}, {0.5, 0.1 + 0.2, 0.2, 0.4, 11}};
  stored.fitness = Fitness{throughput / 1000.0, {0.1 + 0.2, std::string("Wal::append")}, 0.125};
  stored.added = AddResult{AddStatus::improve_existing, number % 7, 0.001};
  stored.run_seconds = 10.0 * static_cast<double>(number);
  return stored;
}

inline StoredAsk ask_of(const StoredEvaluation& stored) {
  return {stored.proposal.id, stored.asked_after, stored.proposal.emitter, ask_to_json(stored.proposal.ask)};
}

inline std::string patch_text(const std::optional<Patch>& patch) {
  return patch ? patch_to_json(*patch) : "none";
}

/// @param heavy  With what each_evaluation() leaves out.
inline std::string every_field(StoredEvaluation stored, bool heavy = true) {
  Proposal& proposal = stored.proposal;
  if (!heavy) {
    proposal.prompt.clear();
    proposal.reply.clear();
    for (StageReport& stage : stored.evaluation.stages) stage.output.clear();
  }
  std::string text = fmt::format("{} {} {} {} {} {} {} {} {} {} {}\n", to_number(proposal.id),
                                 static_cast<std::uint32_t>(proposal.island), proposal.emitter, proposal.reason,
                                 proposal.model, proposal.prompt, proposal.reply, proposal.usage.prompt_tokens,
                                 proposal.usage.completion_tokens, proposal.latency.count(), ask_to_json(proposal.ask));
  text += fmt::format("{}\n{}\n", patch_text(proposal.patch), patch_text(stored.exact));
  text += fmt::format("{} {} {} {} {} {}\n", stored.asked_after, stored.told, stored.tree_sha256, stored.generation,
                      stored.changed_function, stored.run_seconds);
  text += evaluation_to_json(stored.evaluation, stored.tree_sha256, stored.fitness, kExampleAxes);
  for (const StageReport& stage : stored.evaluation.stages) text += stage.output;
  if (stored.evaluation.benchmark) text += benchmark_to_json(*stored.evaluation.benchmark);
  if (stored.fitness) text += fmt::format("{}", stored.fitness->standard_error);
  if (stored.added) {
    text +=
        fmt::format("{} {} {}", static_cast<int>(stored.added->status), stored.added->cell, stored.added->improvement);
  }
  return text;
}

inline Result<void> commit_one(RunStore& store, const StoredEvaluation& stored, const std::vector<StoredAsk>& asks = {},
                               const Rng::State& rng = {1, 2, 3, 4}) {
  return store.commit({&stored, 1}, asks, rng);
}

/// Commits the baseline and `count` evaluations, each asked just before.
inline void fill(RunStore& store, std::uint64_t count) {
  const Rng rng(7);
  const StoredEvaluation baseline = example_baseline();
  if (auto done = store.commit({&baseline, 1}, {}, rng.state()); !done) {
    throw std::runtime_error(done.error().message);
  }
  for (std::uint64_t i = 1; i <= count; ++i) {
    const StoredEvaluation stored = example_evaluation(i, i - 1);
    const StoredAsk ask = ask_of(stored);
    if (auto done = store.commit({&stored, 1}, {&ask, 1}, rng.state()); !done) {
      throw std::runtime_error(done.error().message);
    }
  }
}

}  // namespace aiopt
