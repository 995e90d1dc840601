/// The command line, all of it. The one translation unit that sees CLI11, which costs seconds to compile.

#include "cli/arguments.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/cpu_set.hpp"
#include "base/duration.hpp"
#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "engine/run_options.hpp"
#include "engine/version.hpp"

namespace aiopt {

namespace {

/// Set by the subcommand that the arguments chose.
using Action = std::function<int()>;

/// The whole text as a number; nothing where it is none, or beyond the type.
template <typename T>
std::optional<T> number_in(const std::string& text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// CLI11 itself reads -1 and what is too large as 2^64 - 1, and 010 as 8.
CLI::Validator whole_number() {
  const auto check = [](std::string& text) {
    const auto number = number_in<std::uint64_t>(text);
    if (!number) return fmt::format("'{}' is no whole number from 0 to 2^64 - 1", text);
    text = fmt::format("{}", *number);
    return std::string();
  };
  return {check, ""};
}

CLI::Validator amount_of_money() {
  const auto check = [](std::string& text) {
    const auto amount = number_in<double>(text);
    const bool is_amount = amount && std::isfinite(*amount) && *amount > 0.0;
    return is_amount ? std::string() : fmt::format("'{}' is no amount above 0, like 2.50", text);
  };
  return {check, "POSITIVE"};
}

CLI::Validator cpu_list() {
  const auto check = [](std::string& text) {
    const auto cpus = parse_cpu_list(text);
    return cpus ? std::string() : cpus.error().message;
  };
  return {check, ""};
}

CLI::Validator duration() {
  const auto check = [](std::string& text) {
    return parse_duration(text) ? std::string() : fmt::format("'{}' is no duration like 500ms, 30s or 2m", text);
  };
  return {check, ""};
}

/// @param lane_cpus  Outlives the parsing.
void add_lanes(CLI::App& command, LaneOptions& lanes) {
  command.add_option("--lanes", lanes.lanes, "Benchmarks measured at once, each on cores of its own; 0: one")
      ->transform(whole_number())
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command
      .add_option_function<std::string>(
          "--lane-cpus", [&lanes](const std::string& list) { lanes.lane_cpus = *parse_cpu_list(list); },
          "CPUs for measuring alone, like 2-3,6; builds and tests get the others")
      ->check(cpu_list());
}

/// @param sandbox  Outlives the parsing.
void add_sandbox(CLI::App& command, SandboxMode& sandbox) {
  static const std::map<std::string, SandboxMode> modes = {
      {"off", SandboxMode::off}, {"auto", SandboxMode::automatic}, {"require", SandboxMode::require}};
  command
      .add_option("--sandbox", sandbox,
                  "Run candidates in bubblewrap: auto (where it works), require, or off: with your rights")
      ->transform(CLI::CheckedTransformer(modes).description("off|auto|require"))
      ->default_str("auto");
}

void add_mode(CLI::App& command, Mode& mode) {
  static const std::map<std::string, Mode> modes = {{"fast", Mode::fast}, {"full", Mode::full}};
  command.add_option("--mode", mode, "fast: by benchmark and CPU accounting; full: off-CPU and causal profiles too")
      ->transform(CLI::CheckedTransformer(modes).description("fast|full"))
      ->default_str("fast");
}

void add_verbose(CLI::App& command, int& verbosity) {
  command.add_flag("-v,--verbose", verbosity,
                   "Log to stderr what is tried again; -vv: every build, test and benchmark too");
}

void add_evolve(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<EvolveArguments>();
  CLI::App* command = app.add_subcommand("evolve", "Evolve a program: the main job");
  command->add_option("TASK", arguments->task, "A task.yaml, or the folder that holds it")->required();
  add_mode(*command, arguments->options.mode);
  command->add_option("--iterations", arguments->options.iterations, "Evaluations to make")
      ->transform(whole_number())
      ->check(CLI::Range(std::uint64_t{1}, kMostIterations))
      ->capture_default_str();
  command->add_option("--run", arguments->run_folder, "Folder for run.db; default aiopt-runs/<task>-<n>");
  command->add_option("--seed", arguments->options.seed, "Of all randomness")
      ->transform(whole_number())
      ->capture_default_str();
  command
      ->add_option("--workers", arguments->options.workers, "Candidates built and tested at once; 0: one a processor")
      ->transform(whole_number())
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  add_lanes(*command, arguments->options.lanes);
  add_sandbox(*command, arguments->options.sandbox);
  command->add_option("--window", arguments->options.window, "Proposals in flight at most; 0: by the workers")
      ->transform(whole_number())
      ->check(CLI::Range(0, kWidestWindow))
      ->capture_default_str();
  command->add_option("--selection", arguments->selection, "How parents are picked; see `aiopt list`");
  command->add_option("--api-base", arguments->api_base,
                      "OpenAI-compatible endpoint, http://127.0.0.1:8080/v1; the key comes from OPENAI_API_KEY");
  command->add_option("--model", arguments->models, "NAME[:WEIGHT], may be given again")->allow_extra_args(false);
  command->add_option("--emitter", arguments->emitters, "NAME[:WEIGHT], may be given again; see `aiopt list`")
      ->allow_extra_args(false);
  command->add_option("--budget-usd", arguments->budget_usd, "Ask no model once this much is spent")
      ->check(amount_of_money());
  command->add_option("--budget-time", arguments->budget_time, "End after this long: 30m, 2h");
  command->add_flag("--reproducible", arguments->options.reproducible,
                    "Tell results in the order asked: a seed and recorded replies give the same run again");
  command
      ->add_option("--claim-pairs", arguments->options.claim_pairs,
                   "Pairs in which the best are measured again at the end; 0: not")
      ->transform(whole_number())
      ->check(CLI::Range(0, kMostClaimPairs))
      ->capture_default_str();
  command
      ->add_option("--claim-candidates", arguments->options.claim_candidates, "How many of the best are measured again")
      ->transform(whole_number())
      ->check(CLI::Range(1, kMostClaimCandidates))
      ->capture_default_str();
  CLI::Option* record = command->add_option("--record", arguments->record, "Append the model's replies to this file");
  command->add_option("--replay", arguments->replay, "Take the model's replies from this file, without network")
      ->excludes(record)
      ->check(CLI::ExistingFile);
  add_verbose(*command, arguments->verbosity);
  command->add_flag("--json", arguments->json, "Print the result as JSON");
  command->callback([arguments, &action] { action = [arguments] { return evolve_command(*arguments); }; });
}

void add_resume(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<ResumeArguments>();
  CLI::App* command = app.add_subcommand("resume", "Go on with a run where it stopped, however it stopped");
  command->add_option("RUN", arguments->folder, "The run's folder")->required();
  command->add_option("--iterations", arguments->iterations, "A new total of evaluations")
      ->transform(whole_number())
      ->check(CLI::Range(std::uint64_t{1}, kMostIterations));
  command->add_option("--workers", arguments->workers, "Candidates built and tested at once; 0: one a processor")
      ->transform(whole_number())
      ->check(CLI::Range(0, 1024));
  add_lanes(*command, arguments->lanes);
  add_sandbox(*command, arguments->sandbox);
  add_verbose(*command, arguments->verbosity);
  command->add_flag("--json", arguments->json, "Print the result as JSON");
  command->callback([arguments, &action] { action = [arguments] { return resume_command(*arguments); }; });
}

void add_evaluate(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<EvaluateArguments>();
  CLI::App* command = app.add_subcommand("evaluate", "One candidate through apply, build, test and benchmark");
  command->add_option("TASK", arguments->task, "A task.yaml, or the folder that holds it")->required();
  command->add_option("--patch", arguments->patch, "A patch file, - for stdin; without one the unmodified source");
  add_mode(*command, arguments->mode);
  add_lanes(*command, arguments->lanes);
  add_sandbox(*command, arguments->sandbox);
  add_verbose(*command, arguments->verbosity);
  command->add_flag("--json", arguments->json, "Print the Evaluation as JSON");
  command->callback([arguments, &action] { action = [arguments] { return evaluate_command(*arguments); }; });
}

void add_compare(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<CompareArguments>();
  CLI::App* command =
      app.add_subcommand("compare", "Two trees run in turn: the pairs, the ratio with its interval, a verdict");
  command->add_option("TASK", arguments->task, "A task.yaml, or the folder that holds it")->required();
  command
      ->add_option(
          "--patch", arguments->patches,
          "A patch file, - for stdin; a second one is what it is compared with instead of the unmodified program")
      ->allow_extra_args(false)
      ->expected(0, 2);
  command->add_option("--pairs", arguments->pairs, "Exactly so many pairs; 0: until it is decided")
      ->transform(whole_number())
      ->check(CLI::Range(0, kMostClaimPairs))
      ->capture_default_str();
  command->add_flag("--holdout", arguments->holdout, "On the task's held-out workload");
  command->add_option("--seed", arguments->seed, "Of the runs' order and of AIOPT_SEED")
      ->transform(whole_number())
      ->capture_default_str();
  add_lanes(*command, arguments->lanes);
  add_sandbox(*command, arguments->sandbox);
  add_verbose(*command, arguments->verbosity);
  command->add_flag("--json", arguments->json, "Print the comparison as JSON");
  command->callback([arguments, &action] { action = [arguments] { return compare_command(*arguments); }; });
}

constexpr const char* kProfileFooter =
    R"(Results go to stdout, and then what CMD prints on its stdout goes to stderr; with -o F, CMD's stdout is left alone.

--off-cpu records each context switch of CMD and of what it starts: where its threads wait, for the disk, for a lock, for
a CPU. --causal runs CMD under coz: what making a line faster would gain. CMD must be a program built with a progress
point of coz.h and with lines that coz reads. `aiopt doctor` says what either lacks here.

Exit status: 0 done, also where --duration cut CMD short; 1 no profile, or CMD failed, whose profile is printed all the
same; 2 usage; 130 interrupted, the profile up to there is printed.

  aiopt profile -- ./db_bench --benchmarks=fillsync
  aiopt profile --folded - -- ./server --once | flamegraph.pl > waits.svg
  aiopt profile --pid 4711 --duration 30s --idle '*::BGThread' --json
  aiopt profile --causal --duration 60s --coz profile.coz -- ./bench && coz plot)";

void add_profile(CLI::App& app, Action& action, const std::vector<std::string>& words) {
  auto arguments = std::make_shared<ProfileArguments>();
  CLI::App* command = app.add_subcommand("profile", "Where any command waits, and which of its lines would pay off");
  command->footer(kProfileFooter);
  command->add_option("CMD", arguments->command, "The command and its arguments, after --");
  command->add_flag("--off-cpu", arguments->off_cpu, "Where threads wait: what is done without --causal");
  command->add_flag("--causal", arguments->causal, "What making a line faster would gain, by coz");
  command->add_option("--pid", arguments->pid, "Attach to this process, until it ends or Ctrl-C, instead of a command")
      ->transform(whole_number())
      ->check(CLI::Range(1, 1 << 22));
  command
      ->add_option("--duration", arguments->duration,
                   "End CMD after this long; --causal runs it again until then. Else one run each")
      ->check(duration());
  command
      ->add_option("--idle", arguments->idle,
                   "Waits with such a function on their stack are idle: '*::BGThread'; may be given again")
      ->allow_extra_args(false);
  command
      ->add_option("--source-scope", arguments->source_scope,
                   "Source files for coz to choose lines from, % is any text: '/src/%'; may be given again")
      ->allow_extra_args(false);
  command
      ->add_option("--binary-scope", arguments->binary_scope,
                   "Programs and libraries for coz, MAIN is CMD's own; may be given again")
      ->allow_extra_args(false);
  command->add_option("-o,--output", arguments->output,
                      "Write the table or the JSON to this file; here and below, - is stdout");
  command->add_flag("--json", arguments->json, "JSON instead of the table");
  command->add_option("--folded", arguments->folded, "Write folded stacks, for flame graphs, to this file");
  command->add_option("--speedscope", arguments->speedscope, "Write a profile for speedscope to this file");
  command->add_option("--coz", arguments->coz, "Write the experiments, as coz writes them, to this file");
  command->callback([arguments, &action, &words] {
    arguments->command.insert(arguments->command.end(), words.begin(), words.end());
    action = [arguments] { return profile_command(*arguments); };
  });
}

void add_show(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<ShowArguments>();
  CLI::App* command = app.add_subcommand("show", "The state of a run and its elites, or one candidate's story");
  command->add_option("RUN", arguments->folder, "The run's folder")->required();
  command->add_option("CANDIDATE", arguments->candidate, "A candidate's number; 0 is the unmodified source")
      ->transform(whole_number());
  command->add_flag("--json", arguments->json, "Print it as JSON");
  command->callback([arguments, &action] { action = [arguments] { return show_command(*arguments); }; });
}

void add_best(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<BestArguments>();
  CLI::App* command = app.add_subcommand("best", "The best candidate's patch against the unmodified source");
  command->add_option("RUN", arguments->folder, "The run's folder")->required();
  command->add_option("CANDIDATE", arguments->candidate, "Another candidate's number")->transform(whole_number());
  command->add_option("-o,--output", arguments->output, "Write the patch to this file");
  command->add_option("--apply", arguments->apply, "Apply the patch to the source in this folder")
      ->check(CLI::ExistingDirectory);
  command->add_flag("--json", arguments->json, "Print id and patch as JSON");
  command->callback([arguments, &action] { action = [arguments] { return best_command(*arguments); }; });
}

void add_export(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<ExportArguments>();
  CLI::App* command =
      app.add_subcommand("export", "Everything that a run decided, as JSON lines; equal for equal searches");
  command->add_option("RUN", arguments->folder, "The run's folder")->required();
  command->add_flag("--timings", arguments->timings,
                    "With times, raw measurements and outputs, which differ from run to run");
  command->callback([arguments, &action] { action = [arguments] { return export_command(*arguments); }; });
}

void add_init(CLI::App& app, Action& action) {
  auto folder = std::make_shared<std::string>(".");
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("init", "Write a task.yaml for a source tree");
  command->add_option("DIR", *folder, "The source tree")->check(CLI::ExistingDirectory)->capture_default_str();
  command->add_flag("--json", *json, "Print the file's place as JSON");
  command->callback([folder, json, &action] { action = [folder, json] { return init_command(*folder, *json); }; });
}

void add_doctor(CLI::App& app, Action& action) {
  auto task = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  CLI::App* command =
      app.add_subcommand("doctor", "What this machine can build, measure and profile, and how to get the rest");
  command->add_option("TASK", *task, "Look at this task too");
  command->add_flag("--json", *json, "Print it as JSON");
  command->callback([task, json, &action] { action = [task, json] { return doctor_command(*task, *json); }; });
}

void add_list(CLI::App& app, Action& action) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command =
      app.add_subcommand("list", "Emitters, selection strategies, archives, fitness functions, parsers");
  command->add_flag("--json", *json, "Print them as JSON");
  command->callback([json, &action] { action = [json] { return list_command(*json); }; });
}

/// Names the nearest option that there is, where one was not known.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error) {
  std::string message = error.what();
  const auto chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  const std::vector<std::string> left = chosen.empty() ? app.remaining() : command.remaining();
  if (left.empty()) return message;
  const std::string unknown = left.front().substr(0, left.front().find('='));
  std::vector<std::string> names;
  if (unknown.starts_with("-")) {
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  } else if (chosen.empty()) {
    for (const CLI::App* subcommand : app.get_subcommands([](const CLI::App*) { return true; }))
      names.push_back(subcommand->get_name());
  }
  const std::string near = nearest_name(unknown, names);
  const char* what = unknown.starts_with("-") ? "option" : chosen.empty() ? "command" : "argument";
  return fmt::format("unknown {} '{}'{}", what, unknown, near.empty() ? "" : fmt::format("; did you mean '{}'?", near));
}

/// How many of the arguments come before "--" and another program's command line.
int words_before_command(int argc, char** argv) {
  const bool takes_command = argc > 1 && std::string_view(argv[1]) == "profile";
  const auto found = std::find_if(argv, argv + argc, [](const char* word) { return std::string_view(word) == "--"; });
  return takes_command ? static_cast<int>(found - argv) : argc;
}

}  // namespace

int run_arguments(int argc, char** argv) {
  CLI::App app("Evolves C and C++ programs towards speed: patch, build, test, measure, keep the best of every kind.",
               "aiopt");
  app.set_version_flag("--version", std::string("aiopt ") + std::string(kVersion));
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  Action action;
  // CLI11 would split a word like "[1,2]", and know its own flags among another program's.
  const int own_words = words_before_command(argc, argv);
  const std::vector<std::string> command_words(argv + std::min(argc, own_words + 1), argv + argc);
  for (const auto add : {add_evolve, add_resume, add_evaluate, add_compare}) add(app, action);
  add_profile(app, action, command_words);
  for (const auto add : {add_show, add_best, add_export, add_init, add_doctor, add_list}) add(app, action);
  try {
    app.parse(own_words, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    const std::string command = app.get_subcommands().empty() ? "" : app.get_subcommands().front()->get_name() + " ";
    fmt::print(stderr, "aiopt: {}\nTry 'aiopt {}--help'.\n", usage_message(app, error), command);
    return kUsage;
  }
  return action();
}

}  // namespace aiopt
