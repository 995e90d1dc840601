/// aiopt evolve: a run from its start.

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/duration.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/weighted_name.hpp"
#include "core/task_yaml.hpp"
#include "view/terminal.hpp"

namespace aiopt {

namespace {

/// aiopt-runs/<task>-<n>: the first that is not there.
std::filesystem::path free_run_folder(const std::string& task_name) {
  for (int number = 1;; ++number) {
    std::filesystem::path folder = std::filesystem::path("aiopt-runs") / fmt::format("{}-{}", task_name, number);
    std::error_code ignored;
    if (!std::filesystem::exists(folder, ignored)) return folder;
  }
}

/// Puts what the command line says into the task and the options.
Result<void> apply(const EvolveArguments& arguments, Task& task, EvolutionOptions& options) {
  if (!arguments.selection.empty()) task.selection = arguments.selection;
  if (!arguments.api_base.empty()) task.llm.api_base = arguments.api_base;
  if (!arguments.models.empty()) {
    std::vector<ModelTask> models;
    for (const std::string& text : arguments.models) {
      Result<WeightedName> model = parse_weighted_name(text, "--model");
      if (!model) return model.error();
      ModelTask chosen;
      for (const ModelTask& known : task.llm.models) {
        if (known.name == model->name) chosen = known;
      }
      chosen.name = model->name;
      chosen.weight = model->weight;
      models.push_back(std::move(chosen));
    }
    task.llm.models = std::move(models);
  }
  if (!arguments.emitters.empty()) {
    task.emitters.clear();
    for (const std::string& text : arguments.emitters) {
      Result<WeightedName> emitter = parse_weighted_name(text, "--emitter");
      if (!emitter) return emitter.error();
      task.emitters.push_back({emitter->name, emitter->weight});
    }
  }
  if (arguments.budget_usd > 0.0) options.budget_usd = arguments.budget_usd;
  if (!arguments.budget_time.empty()) {
    const std::optional<std::chrono::milliseconds> time = parse_duration(arguments.budget_time);
    if (!time) {
      return Error{Error::Code::invalid_argument,
                   fmt::format("--budget-time {}: give a time like 30m or 2h, at most 168h", arguments.budget_time)};
    }
    options.budget_time = std::chrono::duration_cast<std::chrono::seconds>(*time);
  }
  options.record = arguments.record;
  options.replay = arguments.replay;
  return {};
}

}  // namespace

int evolve_command(const EvolveArguments& arguments) {
  if (arguments.mode != "fast") {
    return fail({Error::Code::invalid_argument,
                 fmt::format("--mode={} needs the profilers, which this version does not have yet; use --mode=fast",
                             arguments.mode)});
  }
  Result<Task> task = load_task(arguments.task);
  if (!task) return fail(task.error());
  EvolutionOptions options = arguments.options;
  if (auto applied = apply(arguments, *task, options); !applied) {
    fail(applied.error());
    return kUsage;
  }
  const std::filesystem::path folder =
      arguments.run_folder.empty() ? free_run_folder(task->name) : std::filesystem::path(arguments.run_folder);
  set_verbosity(arguments.verbosity);
  const StopTokens stop = catch_interrupts();
  Result<RunOutcome> outcome = Error{Error::Code::cancelled, ""};
  {
    TerminalView view(stderr, arguments.verbosity == 0 && isatty(STDERR_FILENO) != 0);
    view.on_notice(fmt::format("evolving {} with seed {} in {}", task->name, options.seed, folder.string()));
    outcome = evolve(*task, options, folder, view, stop);
  }
  if (!outcome) return fail(outcome.error());
  if (const int shown = show_run(folder, arguments.json); shown != kDone) return shown;
  if (outcome->end != RunEnd::interrupted) return kDone;
  say(fmt::format("interrupted; `aiopt resume {}` goes on", folder.string()));
  return kInterrupted;
}

}  // namespace aiopt
