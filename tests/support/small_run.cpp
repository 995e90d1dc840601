/// SmallRun.

#include "support/small_run.hpp"

#include <fmt/format.h>

#include <sstream>
#include <stdexcept>
#include <vector>

#include "archive/grid_archive.hpp"
#include "fitness/causal_fitness.hpp"
#include "search/emitters.hpp"
#include "select/strategies.hpp"
#include "store/run_export.hpp"

namespace aiopt {

namespace {

template <typename T>
T or_throw(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

}  // namespace

std::string reply_text_with_value(std::uint64_t value) {
  return fmt::format("A better value.\n```cpp main.cc\nint main() {{\n  int value = {};\n  return value;\n}}\n```\n",
                     value);
}

SmallRun::SmallRun() : prompts_(or_throw(PromptBuilder::load({default_prompt_folder()}))) {
  baseline["main.cc"] = make_source_file("int main() {\n  int value = 100;\n  return value;\n}\n");
  task.name = "small";
  task.editable = {"*.cc"};
  task.benchmark.throughput = "value";
  Axis parity;
  parity.measure = "parity";
  parity.cells = 2;
  Axis function;
  function.measure = "function";
  function.kind = Axis::Kind::category;
  function.cells = 8;
  task.axes = {parity, function};
  ModelTask model;
  model.name = "scripted";
  task.llm.models = {model};
}

std::unique_ptr<RunStore> SmallRun::create_store(const std::string& name) {
  return or_throw(RunStore::create(
      folder.path() / name, {"name: small", "task.yaml", "{}", tree_sha256(baseline), "", "test", "now"}, task.axes));
}

std::unique_ptr<RunStore> SmallRun::open_store(const std::string& name) {
  return or_throw(RunStore::open(folder.path() / name, RunStore::Access::read_write));
}

std::string SmallRun::exported(const std::string& name) {
  const auto store = or_throw(RunStore::open(folder.path() / name, RunStore::Access::read_only));
  std::ostringstream lines;
  if (auto exported = export_run(*store, lines); !exported) throw std::runtime_error(exported.error().message);
  return lines.str();
}

Result<RunEnd> SmallRun::run(RunStore& store, ChatClient& chat, const EvolutionOptions& options, StopTokens stop) {
  std::vector<Island> islands(1);
  islands[0].archive = make_grid_archive(task.axes, task.archive_depth);
  islands[0].selection = make_uniform_selection();
  islands[0].emitters.push_back({make_llm_emitter(), 1.0});
  Scheduler scheduler(std::move(islands));
  WorkerPool workers(options.workers);
  const auto fitness = make_causal_fitness(task.fitness);
  sink = RecordingSink{};
  sink.after_told = after_told;
  HostWatch host(task.sampling.max_pairs);
  Evolution evolution({task, baseline, scheduler, evaluator, *fitness, &chat, &*prompts_, store, workers, sink, host,
                       [] { return Lanes::Occupancy(); }},
                      options, std::move(stop));
  Result<RunEnd> end = evolution.run();
  progress = evolution.progress();
  return end;
}

}  // namespace aiopt
