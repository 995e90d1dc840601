/// aiopt evolve: a run from its start.

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/duration.hpp"
#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/weighted_name.hpp"
#include "core/api_base.hpp"
#include "engine/builtins.hpp"
#include "select/strategies.hpp"
#include "view/terminal.hpp"

namespace aiopt {

namespace {

/// The task's name as a folder's: of one part, and seen by `ls`.
std::string folder_name(std::string name) {
  const auto is_unfit = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '/'; };
  std::replace_if(name.begin(), name.end(), is_unfit, '-');
  name.erase(0, name.find_first_not_of(".-"));
  return name.empty() ? "run" : name;
}

/// aiopt-runs/<task>-<n>: the first that is not there.
std::filesystem::path free_run_folder(const std::string& task_name) {
  const std::string name = folder_name(task_name);
  for (int number = 1;; ++number) {
    std::filesystem::path folder = std::filesystem::path("aiopt-runs") / fmt::format("{}-{}", name, number);
    std::error_code ignored;
    if (!std::filesystem::exists(folder, ignored)) return folder;
  }
}

/// Refuses a name that aiopt does not have, with those that it has.
Result<void> check_name(std::string_view option, const std::string& name, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), name) != known.end()) return {};
  const std::string near = nearest_name(name, known);
  return Error{Error::Code::invalid_argument,
               fmt::format("{} {}: there is none of that name{}; there are {}", option, name,
                           near.empty() ? "" : fmt::format(", did you mean '{}'?", near), fmt::join(known, ", "))};
}

/// Absolute, as a run may be resumed from another folder; empty where none was given.
Result<std::filesystem::path> file_argument(std::string_view option, const std::string& given) {
  if (given.empty()) return std::filesystem::path();
  std::error_code error;
  std::filesystem::path file = std::filesystem::absolute(given, error);
  if (!error) return file;
  return Error{Error::Code::invalid_argument, fmt::format("{} {}: {}", option, given, error.message())};
}

/// Models that the task knows too keep what it says of them, but for the weight.
Result<void> apply_models(const std::vector<std::string>& given, Task& task) {
  if (given.empty()) return {};
  Result<std::vector<WeightedName>> names = parse_weighted_names(given, "--model");
  if (!names) return names.error();
  std::vector<ModelTask> models;
  for (const WeightedName& model : *names) {
    ModelTask chosen;
    for (const ModelTask& known : task.llm.models) {
      if (known.name == model.name) chosen = known;
    }
    chosen.name = model.name;
    chosen.weight = model.weight;
    models.push_back(std::move(chosen));
  }
  task.llm.models = std::move(models);
  return {};
}

Result<void> apply_emitters(const std::vector<std::string>& given, Task& task) {
  if (given.empty()) return {};
  Result<std::vector<WeightedName>> names = parse_weighted_names(given, "--emitter");
  if (!names) return names.error();
  task.emitters.clear();
  for (const WeightedName& emitter : *names) {
    if (auto known = check_name("--emitter", emitter.name, emitter_names()); !known) return known;
    task.emitters.push_back({emitter.name, emitter.weight});
  }
  return {};
}

/// Puts what the command line says into the task and the options.
Result<void> apply(const EvolveArguments& arguments, Task& task, EvolutionOptions& options) {
  if (!arguments.selection.empty()) {
    if (auto known = check_name("--selection", arguments.selection, selection_names()); !known) return known;
    task.selection = arguments.selection;
  }
  if (!arguments.api_base.empty()) {
    if (const auto mistake = mistake_in_api_base(arguments.api_base)) {
      return Error{Error::Code::invalid_argument, fmt::format("--api-base {}", *mistake)};
    }
    task.llm.api_base = arguments.api_base;
  }
  if (auto applied = apply_models(arguments.models, task); !applied) return applied;
  if (auto applied = apply_emitters(arguments.emitters, task); !applied) return applied;
  if (arguments.budget_usd > 0.0) options.budget_usd = arguments.budget_usd;
  if (!arguments.budget_time.empty()) {
    const std::optional<std::chrono::milliseconds> time = parse_duration(arguments.budget_time);
    if (!time) {
      return Error{Error::Code::invalid_argument,
                   fmt::format("--budget-time {}: give a time like 30m or 2h, at most 168h", arguments.budget_time)};
    }
    options.budget_time = std::chrono::ceil<std::chrono::seconds>(*time);
  }
  Result<std::filesystem::path> record = file_argument("--record", arguments.record);
  if (!record) return record.error();
  Result<std::filesystem::path> replay = file_argument("--replay", arguments.replay);
  if (!replay) return replay.error();
  options.record = std::move(*record);
  options.replay = std::move(*replay);
  return {};
}

}  // namespace

int evolve_command(const EvolveArguments& arguments) {
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
