/// evolve() and resume(): puts the parts of a run together around the loop.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include <aiopt/evolution.hpp>

#include "archive/grid_archive.hpp"
#include "base/clock.hpp"
#include "base/cpu_set.hpp"
#include "base/files.hpp"
#include "base/worker_pool.hpp"
#include "core/task_yaml.hpp"
#include "engine/builtins.hpp"
#include "engine/claims.hpp"
#include "engine/evolution.hpp"
#include "engine/host_watch.hpp"
#include "engine/run_options.hpp"
#include "engine/version.hpp"
#include "evaluate/local_evaluator.hpp"
#include "evaluate/profile_providers.hpp"
#include "evaluate/sandbox.hpp"
#include "fitness/causal_fitness.hpp"
#include "llm/openai_chat.hpp"
#include "llm/recorded_chat.hpp"
#include "measure/host_fingerprint.hpp"
#include "prompt/prompt_builder.hpp"
#include "select/strategies.hpp"
#include "source/protected_files.hpp"
#include "source/source_tree.hpp"
#include "store/run_store.hpp"

namespace aiopt {

namespace {

constexpr int kReproducibleWindow = 4;
constexpr const char* kWorkspaces = "workspaces";  ///< Within the run's folder.

bool has_model(const Task& task, const EvolutionOptions& options) {
  return !task.llm.api_base.empty() || !options.replay.empty();
}

/// Fills in what the options leave open, so that run.db says what was used.
Result<void> complete(Task& task, EvolutionOptions& options, const SourceTree& baseline) {
  const bool model = has_model(task, options);
  task.emitters = emitters_of(task, baseline, model);
  const bool asks_model = std::any_of(task.emitters.begin(), task.emitters.end(),
                                      [](const EmitterTask& emitter) { return emitter_needs_model(emitter.name); });
  if (asks_model && !model) {
    return Error{Error::Code::invalid_argument,
                 "the emitter 'llm' needs an endpoint; give --api-base URL, or `llm: {api_base: ...}` in the task"};
  }
  if (asks_model && task.llm.models.empty()) {
    return Error{Error::Code::invalid_argument,
                 "the emitter 'llm' needs a model; give --model NAME, or `llm: {models: ...}` in the task"};
  }
  const auto has_price = [](const ModelTask& priced) {
    return priced.usd_per_million_prompt_tokens > 0.0 || priced.usd_per_million_completion_tokens > 0.0;
  };
  if (options.budget_usd && asks_model && std::none_of(task.llm.models.begin(), task.llm.models.end(), has_price)) {
    return Error{
        Error::Code::invalid_argument,
        fmt::format("a budget in dollars needs prices, and the task gives none; add `llm: {{models: [{{name: {}, "
                    "usd_per_million_prompt_tokens: P, usd_per_million_completion_tokens: C}}]}}`",
                    task.llm.models.front().name)};
  }
  if (options.workers <= 0) options.workers = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  if (options.window <= 0) {
    const int wide = asks_model ? 2 * options.workers + 2 : options.workers + 2;
    options.window = options.reproducible ? kReproducibleWindow : wide;
  }
  return {};
}

Result<std::unique_ptr<ChatClient>> make_chat(const Task& task, const EvolutionOptions& options, ApiKey key) {
  if (!options.replay.empty()) return make_replaying_chat(options.replay);
  if (task.llm.api_base.empty()) return std::unique_ptr<ChatClient>{};
  Result<std::unique_ptr<ChatClient>> chat = make_openai_chat(task.llm, std::move(key));
  if (!chat || options.record.empty()) return chat;
  return make_recording_chat(std::move(*chat), options.record);
}

Result<std::unique_ptr<PromptBuilder>> load_prompts(const Task& task) {
  std::vector<std::filesystem::path> folders = {default_prompt_folder()};
  std::error_code ignored;
  const std::filesystem::path own = task.file.parent_path() / "prompts";
  if (std::filesystem::is_directory(own, ignored)) folders.insert(folders.begin(), own);
  Result<PromptBuilder> builder = PromptBuilder::load(folders);
  if (!builder) return builder.error();
  if (task.repair > 0) {
    // Not first when a build fails, hours later.
    if (auto known = builder->build_repair(task, {}, "", ""); !known) return known.error();
  }
  return std::make_unique<PromptBuilder>(std::move(*builder));
}

Result<Scheduler> make_scheduler(const Task& task, const SourceTree& baseline) {
  Island island;
  island.archive = make_grid_archive(task.axes, task.archive_depth);
  island.selection = make_selection(task.selection);
  if (!island.selection) {
    return Error{Error::Code::invalid_argument, fmt::format("unknown selection '{}'; there are {}", task.selection,
                                                            fmt::join(selection_names(), ", "))};
  }
  for (const EmitterTask& emitter : task.emitters) {
    Result<std::unique_ptr<Emitter>> made = make_emitter(emitter.name, task, baseline);
    if (!made) return made.error();
    island.emitters.push_back({std::move(*made), emitter.weight});
  }
  std::vector<Island> islands;
  islands.push_back(std::move(island));
  return Scheduler(std::move(islands));
}

void say_what_proposes(const Task& task, bool model, EventSink& events) {
  std::vector<std::string> names;
  for (const EmitterTask& emitter : task.emitters) names.push_back(emitter.name);
  events.on_notice(fmt::format("proposals come from {}{}", fmt::join(names, " and "),
                               model ? "" : " (no endpoint given: --api-base URL --model NAME asks a model)"));
}

/// What this sitting runs on goes into run.db; that it is not what an earlier one ran on is said.
Result<void> note_host(const std::filesystem::path& folder, RunStore& store, EventSink& events) {
  const HostFingerprint host = read_host_fingerprint(folder);
  Result<std::vector<StoredObservation>> earlier = store.observations();
  if (!earlier) return earlier.error();
  const auto last = std::find_if(earlier->rbegin(), earlier->rend(), [](const StoredObservation& seen) {
    return seen.kind == StoredObservation::Kind::fingerprint;
  });
  if (last != earlier->rend()) {
    Result<HostFingerprint> before = host_fingerprint_from_json(last->content);
    if (!before) return Error{Error::Code::corruption, "run.db, host: " + before.error().message};
    const std::vector<std::string> changed = differences(*before, host);
    if (!changed.empty()) {
      events.on_notice(
          fmt::format("this host is not the one that the run was measured on ({}): speed-ups are each against the "
                      "unmodified program on "
                      "its own host, figures in ops/s are not comparable",
                      fmt::join(changed, "; ")));
    }
  }
  StoredObservation seen;
  seen.told = last != earlier->rend() ? last->told : 0;
  seen.content = host_observation(host);
  return store.add_observation(seen);
}

/// What one sitting needs beside its task and options.
struct Sitting {
  const SourceTree& baseline;
  ProtectedFiles protected_files;
  ChatClient* chat;
  const std::filesystem::path& folder;
  RunStore& store;
  EventSink& events;
  const StopTokens& stop;
  const Sandbox& sandbox;
  const std::optional<ProfileProviders>& profilers;
};

/// Nothing in a mode that makes no profiles.
Result<std::optional<ProfileProviders>> choose_profilers(const Task& task, Mode mode, const Sandbox& sandbox) {
  if (mode != Mode::full) return std::optional<ProfileProviders>();
  Result<ProfileProviders> profilers = choose_providers(task.profile, sandbox);
  if (!profilers) return profilers.error();
  return std::optional(std::move(*profilers));
}

Result<RunOutcome> run_sitting(const Task& task, const EvolutionOptions& options, Sitting sitting) {
  const auto& [baseline, protected_files, chat, folder, store, events, stop, sandbox, profilers] = sitting;
  Result<Scheduler> scheduler = make_scheduler(task, baseline);
  if (!scheduler) return scheduler.error();
  std::unique_ptr<PromptBuilder> prompts;
  if (chat != nullptr) {
    Result<std::unique_ptr<PromptBuilder>> loaded = load_prompts(task);
    if (!loaded) return loaded.error();
    prompts = std::move(*loaded);
  }
  const std::unique_ptr<FitnessFunction> fitness = make_fitness(task.fitness);
  if (!sandbox.warning().empty()) events.on_notice(sandbox.warning());
  const std::vector<int> cpus = usable_cpus();
  Result<LanePlan> plan = plan_lanes(cpus, options.lanes.lanes, options.lanes.lane_cpus);
  if (!plan) return plan.error();
  events.on_notice(plan->describe(cpus.size()));
  if (profilers) events.on_notice(profilers->describe());
  Lanes lanes(std::move(*plan));
  LocalEvaluatorOptions local;
  // Within a sandbox there is no other way to them.
  local.run_folder = std::filesystem::canonical(folder);
  local.folder = local.run_folder / kWorkspaces;
  local.seed = options.seed;
  local.reuses_measurements = !options.reproducible;
  local.profilers = profilers;
  Result<std::unique_ptr<Evaluator>> evaluator =
      make_local_evaluator(task, baseline, std::move(sitting.protected_files), lanes, sandbox, std::move(local));
  if (!evaluator) return evaluator.error();
  if (auto noted = note_host(folder, store, events); !noted) return noted.error();
  HostWatch host(task.sampling.max_pairs);
  WorkerPool workers(options.workers);
  Evolution evolution({task, baseline, *scheduler, **evaluator, *fitness, chat, prompts.get(), store, workers, events,
                       host, [&lanes] { return lanes.occupancy(); }},
                      options, stop);

  say_what_proposes(task, chat != nullptr, events);
  Result<RunEnd> end = evolution.run();
  if (!end) return end.error();
  RunOutcome outcome{*end, evolution.progress(), evolution.progress().best, std::nullopt};
  if (*end == RunEnd::interrupted) return outcome;
  Result<std::vector<StoredClaim>> claims =
      make_claims(task, options, baseline, evolution.archive(), **evaluator, store, events, stop.kill);
  if (!claims && claims.error().code == Error::Code::cancelled) {
    outcome.end = RunEnd::interrupted;
    return outcome;
  }
  if (!claims) return claims.error();
  if (!claims->empty()) {
    outcome.best = claims->front().id;
    outcome.claim = std::move(claims->front().benchmark);
  }
  return outcome;
}

}  // namespace

Result<RunOutcome> evolve(const Task& given_task, const EvolutionOptions& given_options,
                          const std::filesystem::path& folder, EventSink& events, StopTokens stop) {
  Task task = given_task;
  EvolutionOptions options = given_options;
  ApiKey key = take_api_key(task.llm.api_key_env);
  Result<std::string> yaml = read_file(task.file);
  if (!yaml) return yaml.error();
  Result<SourceTree> baseline = load_source_tree(task.source, task.editable);
  if (!baseline) return baseline.error();
  if (auto completed = complete(task, options, *baseline); !completed) return completed.error();
  Result<ProtectedFiles> protected_files = read_protected(task.source, *baseline);
  if (!protected_files) return protected_files.error();
  // Before a folder is made: a mistake in the task or the options leaves nothing behind.
  if (auto scheduler = make_scheduler(task, *baseline); !scheduler) return scheduler.error();
  Result<std::unique_ptr<ChatClient>> chat = make_chat(task, options, std::move(key));
  if (!chat) return chat.error();
  const Result<Sandbox> sandbox = Sandbox::probe(options.sandbox);
  if (!sandbox) return sandbox.error();
  const Result<std::optional<ProfileProviders>> profilers = choose_profilers(task, options.mode, *sandbox);
  if (!profilers) return profilers.error();

  std::error_code ignored;
  if (std::filesystem::exists(folder / kWorkspaces, ignored)) {
    return Error{Error::Code::invalid_argument, fmt::format("{} is there already; choose another folder for the run",
                                                            (folder / kWorkspaces).string())};
  }

  for (const std::string& notice : fit_axes(task, options.mode, options.reproducible)) events.on_notice(notice);
  RunHeader header;
  header.task_yaml = std::move(*yaml);
  header.task_file = std::filesystem::absolute(task.file).string();
  header.options_json = run_options_to_json(options, task);
  header.baseline_sha256 = tree_sha256(*baseline);
  header.protected_sha256 = protected_files->sha256();
  header.aiopt_version = kVersion;
  header.started_at = utc_timestamp();
  Result<std::unique_ptr<RunStore>> store = RunStore::create(folder, header, task.axes);
  if (!store) return store.error();
  return run_sitting(
      task, options,
      {*baseline, std::move(*protected_files), chat->get(), folder, **store, events, stop, *sandbox, *profilers});
}

Result<RunOutcome> resume(const std::filesystem::path& folder, const ResumeOptions& changes, EventSink& events,
                          StopTokens stop) {
  Result<std::unique_ptr<RunStore>> store = RunStore::open(folder, RunStore::Access::read_write);
  if (!store) return store.error();
  const RunHeader& header = (*store)->header();
  Result<Task> task = parse_task(header.task_yaml, header.task_file);
  if (!task) return Error{task.error().code, fmt::format("the task of {}: {}", folder.string(), task.error().message)};
  Result<EvolutionOptions> options = run_options_from_json(header.options_json, *task);
  if (!options) return options.error();
  ApiKey key = take_api_key(task->llm.api_key_env);
  Result<SourceTree> baseline = load_source_tree(task->source, task->editable);
  if (!baseline) return baseline.error();
  if (tree_sha256(*baseline) != header.baseline_sha256) {
    return Error{
        Error::Code::invalid_argument,
        fmt::format("cannot resume {}: the editable files of {} are not those that the run started from; restore them, "
                    "or start a new run",
                    folder.string(), task->source.string())};
  }
  Result<ProtectedFiles> protected_files = read_protected(task->source, *baseline);
  if (!protected_files) return protected_files.error();
  if (protected_files->sha256() != header.protected_sha256) {
    return Error{
        Error::Code::invalid_argument,
        fmt::format(
            "cannot resume {}: tests, benchmark or other files of {} that no patch may change are not those that "
            "the run started with; restore them, or start a new run",
            folder.string(), task->source.string())};
  }
  options->iterations = changes.iterations.value_or(options->iterations);
  options->workers = changes.workers;
  options->lanes = changes.lanes;
  options->sandbox = changes.sandbox;
  if (auto completed = complete(*task, *options, *baseline); !completed) return completed.error();
  const Result<Sandbox> sandbox = Sandbox::probe(options->sandbox);
  if (!sandbox) return sandbox.error();
  const Result<std::optional<ProfileProviders>> profilers = choose_profilers(*task, options->mode, *sandbox);
  if (!profilers) return profilers.error();
  if (auto kept = (*store)->set_options(run_options_to_json(*options, *task)); !kept) return kept.error();
  Result<std::unique_ptr<ChatClient>> chat = make_chat(*task, *options, std::move(key));
  if (!chat) return chat.error();
  return run_sitting(
      *task, *options,
      {*baseline, std::move(*protected_files), chat->get(), folder, **store, events, stop, *sandbox, *profilers});
}

}  // namespace aiopt
