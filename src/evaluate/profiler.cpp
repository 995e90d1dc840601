/// The off-CPU run, the causal runs under coz or bcoz, and places as the source tree has them.

#include "evaluate/profiler.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include <aiopt/rng.hpp>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "core/reason.hpp"
#include "evaluate/command_words.hpp"
#include "profile/causal_profile.hpp"
#include "profile/coz_profile.hpp"
#include "profile/coz_target.hpp"
#include "profile/idle_rule.hpp"
#include "profile/offcpu_sampler.hpp"
#include "profile/offcpu_stacks.hpp"
#include "source/function_names.hpp"

namespace aiopt {

namespace {

/// In the workspace, where a command in the sandbox can write.
constexpr const char* kCozFile = ".aiopt.coz";
/// Of all runs of a profile: half a second's experiment takes some 200 bytes, and the end of a run 100 for each line
/// seen.
constexpr std::size_t kMostCozBytes = 8 << 20;

/// The effect of each takes half a minute.
constexpr std::size_t kMostCozLines = 8;

/// What is not the candidate's source keeps its absolute path.
void make_relative(CodePlace& place, const std::string& workspace) {
  if (place.file.starts_with("./")) place.file.erase(0, 2);  // As `g++ -I .` in the workspace has headers.
  if (place.file.starts_with(workspace + "/")) place.file.erase(0, workspace.size() + 1);
}

void make_relative(OffCpuProfile& profile, const std::string& workspace) {
  for (Blocker& blocker : profile.top_blockers) {
    make_relative(blocker.place, workspace);
    for (CodePlace& caller : blocker.callers) make_relative(caller, workspace);
  }
}

/// The function that holds a line of the tree; empty where none does.
std::string function_of(const SourceTree& tree, const std::string& file, int line) {
  const auto found = tree.find(file);
  return found == tree.end() ? "" : function_at_line(*found->second.text, line);
}

void name_functions(CausalProfile& profile, const SourceTree& tree, const std::string& workspace) {
  for (CausalTarget& target : profile.targets) {
    make_relative(target.place, workspace);
    if (target.place.function.empty()) target.place.function = function_of(tree, target.place.file, target.place.line);
  }
  if (profile.max_speedup_location.starts_with(workspace + "/")) {
    profile.max_speedup_location.erase(0, workspace.size() + 1);
  }
}

/// A profile's command may be ended when it has run for long enough; that is no failure.
bool ran(const StageRun& run) {
  return run.report.status == StageStatus::passed || run.report.status == StageStatus::timed_out;
}

template <typename Kind>
Kind without_profile(StageReport report, std::string why, ProfiledFaults faults) {
  report.status = StageStatus::failed;
  report.output = std::move(why);
  Kind none;
  none.report = std::move(report);
  none.faults = std::move(faults);
  return none;
}

CausalRules rules_of(const CozInstallation& coz) {
  return coz.name == "bcoz" ? rules_for_bcoz() : rules_for_coz();
}

/// Whether what coz wrote for a line says enough of it.
bool is_settled(const std::string& text, const CausalRules& rules) {
  const Result<CausalExperiments> experiments = parse_coz(text);
  if (!experiments) return false;
  Rng rng(1);
  return is_settled(analyse(*experiments, rules, rng), settled_for_coz());
}

/// Puts the workspace back as it was.
Result<void> end_run(const StageRun& run, Workspace& workspace, ProfiledFaults& faults) {
  Result<RunTraces> traces = workspace.restore();
  if (!traces) return traces.error();
  faults.changed.insert(faults.changed.end(), traces->changed.begin(), traces->changed.end());
  faults.opened_run_folder = faults.opened_run_folder || run.opened_run_folder;
  faults.filled_disk = faults.filled_disk || run.filled_disk;
  return {};
}

/// By functions alone: perf and bperf do not tell who ended a wait.
void mark_idle(SampledStacks& stacks, const std::vector<std::string>& idle_functions) {
  IdleRules rules;
  rules.idle_functions = idle_functions;
  for (SampledStack& stack : stacks.stacks) {
    if (!stack.wait) continue;
    std::vector<std::string> functions;
    for (const StackFrame& frame : stack.frames) {
      if (!frame.object.starts_with("[kernel")) functions.push_back(frame.place.function);
    }
    RecordedWait wait;
    wait.activity = *stack.wait == WaitClass::scheduling ? ThreadActivity::scheduling : ThreadActivity::blocked;
    wait.samples = stack.samples;
    stack.is_idle = idle_reason({*stack.wait, wait, functions}, rules).has_value();
  }
}

/// bcoz speeds waits up, too: first where the program waits most. coz has nothing to say on such a line.
void add_waiting_lines(ProfiledOffCpu& made, const SourceTree& tree) {
  std::vector<BusyLine> lines;
  const auto add = [&](const BusyLine& line) {
    const bool is_known = std::any_of(lines.begin(), lines.end(), [&](const BusyLine& known) {
      return known.place.file == line.place.file && known.place.line == line.place.line;
    });
    if (!is_known && line.place.line > 0 && tree.contains(line.place.file)) lines.push_back(line);
  };
  for (const Blocker& blocker : made.profile->top_blockers) add({blocker.place, blocker.share});
  for (const BusyLine& line : made.busiest_lines) add(line);
  lines.resize(std::min(lines.size(), kMostCozLines));
  made.busiest_lines = std::move(lines);
}

}  // namespace

bool is_worth_a_causal_profile(ProfileTask::When when, const Evaluation& evaluation, const EvaluateOptions& how) {
  using When = ProfileTask::When;
  if (when == When::always || when == When::never) return when == When::always;
  if (evaluation.id == kBaselineId) return true;
  const EliteStanding standing = how.standing ? how.standing(evaluation) : EliteStanding::behind;
  if (when == When::elites) return standing != EliteStanding::behind;
  return evaluation.benchmark->speedup() >= how.bar || standing == EliteStanding::opens_cell;
}

Profiler::Profiler(const Task& task, const StageRunner& runner, ProfileProviders providers)
    : task_(task), runner_(runner), providers_(std::move(providers)) {
  if (auto kernel = KernelSymbols::load()) kernel_ = std::move(*kernel);
}

Result<RecordedRun> Profiler::sample(const StageSetting& setting, std::stop_token stop) const {
  std::optional<OffCpuSampler> sampler;
  RecordedRun recorded;
  StageSetting sampled = setting;
  sampled.before_start = [&](pid_t supervisor) {
    Result<OffCpuSampler> attached = OffCpuSampler::attach_before_exec(supervisor, {});
    if (attached) {
      sampler = std::move(*attached);
    } else {
      recorded.why = attached.error().message;
    }
  };
  Result<StageRun> run =
      runner_.run(Stage::off_cpu, {profiled_command(task_), task_.profile.offcpu_duration}, sampled, std::move(stop));
  std::optional<OffCpuRecording> recording;
  if (sampler) recording = sampler->finish();
  if (!run) return run.error();
  recorded.run = std::move(*run);
  if (!recording || !ran(recorded.run)) return recorded;
  const Sandbox& sandbox = runner_.sandbox();
  leave_out(*recording, [&](std::string_view path) { return sandbox.is_own_program(path); });
  IdleRules rules;
  rules.idle_functions = task_.profile.idle;
  recorded.stacks = name_stacks(*recording, kernel_, rules).stacks;
  return recorded;
}

Result<ProfiledOffCpu> Profiler::off_cpu(Side side, const SourceTree& tree, const std::vector<int>& cpus,
                                         std::stop_token stop) const {
  const StageSetting setting{side.workspace->folder(), side.tripwire, cpus, {}};
  Result<RecordedRun> recorded = [&] {
    if (!providers_.recorder) return sample(setting, std::move(stop));
    const StageCommand command{profiled_command(task_), task_.profile.offcpu_duration};
    return record_stacks(*providers_.recorder, runner_, command, setting, std::move(stop));
  }();
  if (!recorded) return recorded.error();
  StageRun& run = recorded->run;
  ProfiledFaults faults;
  if (auto ended = end_run(run, *side.workspace, faults); !ended) return ended.error();
  const auto without = [&](std::string reason) {
    return without_profile<ProfiledOffCpu>(run.report, std::move(reason), std::move(faults));
  };
  if (!ran(run)) return without(fate_of_failure(run).reason);
  if (!recorded->stacks) return without(recorded->why);
  if (providers_.recorder) mark_idle(*recorded->stacks, task_.profile.idle);
  const SampledStacks& stacks = *recorded->stacks;
  OffCpuProfile profile = summarize(stacks);
  if (profile.samples == 0) return without("it ended before it gave a sample");
  if (!providers_.recorder) {  // Of perf the time that it takes to begin and to end is not known.
    const std::chrono::duration<double, std::nano> lasted = run.report.wall_time;
    profile.threads = static_cast<double>((profile.samples - profile.idle_samples) * stacks.period_ns) / lasted.count();
  }
  make_relative(profile, setting.workspace.string());
  run.report.status = StageStatus::passed;
  ProfiledOffCpu made{{std::move(profile), std::move(run.report), std::move(faults)}, {}};
  const auto is_of_tree = [&](CodePlace place) {
    make_relative(place, setting.workspace.string());
    return tree.contains(place.file);
  };
  made.busiest_lines = busiest_lines(stacks, kMostCozLines, is_of_tree);
  for (BusyLine& line : made.busiest_lines) make_relative(line.place, setting.workspace.string());
  if (providers_.causal.chosen == "bcoz") add_waiting_lines(made, tree);
  return made;
}

struct Profiler::CausalRuns {
  StageReport report;
  ProfiledFaults faults;
  std::string text;                ///< What coz wrote in runs that ended as they should.
  std::vector<std::string> notes;  ///< Of runs that did not, one for each line.
};

Result<void> Profiler::run_coz(const CozRun& planned, const StageSetting& setting, Workspace& workspace,
                               std::stop_token stop, CausalRuns& runs) const {
  const CommandWords words = split_assignments(profiled_command(task_));
  const std::string line = words.assignments + join_quoted(planned.command) + " " + words.rest;
  const auto started = monotonic_now();
  std::optional<std::string> fate;
  const std::size_t begin = runs.text.size();
  for (bool is_first = true; !fate && runs.text.size() < kMostCozBytes; is_first = false) {
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(monotonic_now() - started);
    const std::chrono::milliseconds left = planned.length - passed;
    if (!is_first && left < kShortestCozRun) break;
    Result<StageRun> run = runner_.run(Stage::causal, {line, left}, setting, stop);
    if (!run) return run.error();
    Result<std::string> file = read_file_of_stranger(workspace.folder() / kCozFile, kMostCozBytes - runs.text.size());
    if (auto ended = end_run(*run, workspace, runs.faults); !ended) return ended.error();
    add_run(runs.report, run->report);
    if (!ran(*run)) {
      fate = telling_line(fate_of_failure(*run).reason);
    } else if (file) {
      runs.text += *file;
      if (!planned.line.empty() && is_settled(runs.text.substr(begin), rules_of(*providers_.coz))) break;
    } else if (file.error().code != Error::Code::not_found) {
      fate = "its output is no regular file, or too large";
    }
  }
  if (fate) {
    std::string_view place = planned.line;
    if (const std::string prefix = workspace.folder().string() + "/"; place.starts_with(prefix)) {
      place.remove_prefix(prefix.size());
    }
    runs.notes.push_back(
        fmt::format("a run under {}{}{} failed: {}", providers_.coz->name, place.empty() ? "" : " for ", place, *fate));
  }
  return {};
}

Result<Profiled<CausalProfile>> Profiler::causal(Side side, const SourceTree& tree, const std::vector<BusyLine>& lines,
                                                 const std::vector<int>& cpus, std::stop_token stop) const {
  CausalRuns runs;
  runs.report.stage = Stage::causal;
  const auto without = [&](std::string why) {
    return without_profile<Profiled<CausalProfile>>(std::move(runs.report), std::move(why), std::move(runs.faults));
  };
  const CozInstallation& coz = *providers_.coz;
  const std::filesystem::path workspace = side.workspace->folder();
  Result<std::vector<std::string>> problems =
      problems_for_coz(coz, workspace / split_assignments(profiled_command(task_)).program);
  if (!problems) return without(problems.error().message);
  if (!problems->empty()) return without(problems->front());

  CozRequest request;
  request.options.output = workspace / kCozFile;
  // What is not of the candidate's source is taken for the line of it that called.
  request.options.source_scope = {workspace.string() + "/%"};
  request.duration = task_.profile.causal_duration;
  const auto fitting = static_cast<std::size_t>(request.duration / duration_for_coz(1));
  for (std::size_t i = 0; i < std::min(lines.size(), std::max<std::size_t>(1, fitting)); ++i) {
    // Whole: of a name alone coz takes the first file that ends with it.
    request.lines.push_back(fmt::format("{}:{}", (workspace / lines[i].place.file).string(), lines[i].place.line));
  }
  StageSetting setting{workspace, side.tripwire, cpus, {}};
  setting.readable = {coz.program, coz.library};
  const auto run_all = [&]() -> Result<void> {
    for (const CozRun& planned : plan_coz(coz.program, request).runs) {
      if (auto done = run_coz(planned, setting, *side.workspace, stop, runs); !done) return done;
    }
    return {};
  };
  if (auto done = run_all(); !done) return done.error();
  // Where coz knows none of the lines: a program may have been built from other files.
  if (runs.text.empty() && !request.lines.empty()) {
    request.lines.clear();
    if (auto done = run_all(); !done) return done.error();
  }
  if (runs.text.empty() && !runs.notes.empty()) return without(runs.notes.back());
  Result<CausalExperiments> experiments = parse_coz(runs.text);
  if (!experiments) return without(experiments.error().message);
  if (!request.lines.empty()) {
    const std::size_t others = keep_lines(*experiments, request.lines, workspace);
    if (others > 0) runs.notes.push_back(fmt::format("{} experiments of lines that {} was not told", others, coz.name));
  }
  if (!task_.profile.progress.empty()) keep_progress_point(*experiments, task_.profile.progress);
  Rng rng(1);  // The same experiments give the same intervals.
  CausalProfile profile = analyse(*experiments, rules_of(coz), rng);
  profile.notes.insert(profile.notes.end(), runs.notes.begin(), runs.notes.end());
  name_functions(profile, tree, workspace.string());
  for (CausalTarget& target : profile.targets) {
    for (const BusyLine& line : lines) {
      const bool is_it = line.place.file == target.place.file && line.place.line == target.place.line;
      if (is_it && target.scope == "line") target.share = std::min(1.0, line.share);
    }
  }
  for (const std::string& note : profile.notes) runs.report.output += note + "\n";
  return Profiled<CausalProfile>{std::move(profile), std::move(runs.report), std::move(runs.faults)};
}

}  // namespace aiopt
