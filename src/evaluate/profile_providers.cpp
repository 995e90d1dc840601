/// The order of profilers, and a small command under each.

#include "evaluate/profile_providers.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/files.hpp"
#include "base/text.hpp"
#include "core/reason.hpp"
#include "evaluate/command_words.hpp"
#include "profile/coz_profile.hpp"

namespace aiopt {

namespace {

namespace fs = std::filesystem;

/// Computes for some ten milliseconds, then waits for a hundred.
constexpr const char* kSmallCommand = "sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.1'";
/// It takes a third of a second; on a machine with a load, a profiler that is slow to start is none that does not work.
constexpr std::chrono::seconds kTrialLimit{10};

constexpr std::string_view kOwnKernel =
    "its own kernel, Linux 5.3.7 with the patches of Blocked Samples (OSDI 2024), and {} of the same in PATH";

ProviderTrial failed(std::string_view name, std::string why, std::string remedy) {
  return {std::string(name), false, std::move(why), std::move(remedy)};
}

std::string remedy_of(std::string_view name) {
  if (name == "perf") return "apt-get install linux-perf";
  if (name == "coz") return "apt-get install coz-profiler";
  return fmt::format(fmt::runtime(kOwnKernel), name);
}

/// A folder to run in, and who runs.
struct TrialPlace {
  explicit TrialPlace(const Sandbox& sandbox)
      : runner(sandbox, {folder.path(), folder.path() / "none", default_limits(sandbox, folder.path())}) {
    fs::create_directories(setting.workspace = folder.path() / "workspace");
  }

  TemporaryFolder folder{"aiopt-trial-"};
  StageRunner runner;
  StageSetting setting;
};

std::optional<StackRecorder> find_recorder(std::string_view name) {
  const std::string program = find_program(std::string(name));
  if (program.empty()) return std::nullopt;
  std::error_code failure;
  const fs::path absolute = fs::absolute(program, failure);
  return StackRecorder{name == "bperf" ? StackRecorder::Kind::bperf : StackRecorder::Kind::perf,
                       failure ? fs::path(program) : absolute};
}

Result<CozInstallation> find_causal(std::string_view name) {
  return name == "bcoz" ? find_bcoz() : find_coz();
}

/// Why a trial's command gave nothing.
std::string reason_of(const StageRun& run) {
  const bool passed = run.report.status == StageStatus::passed;
  return passed ? "it recorded nothing" : telling_line(fate_of_failure(run).reason);
}

/// @param must_see_kernel  or it counts as failed
ProviderTrial try_recorder(std::string_view name, bool must_see_kernel, const Sandbox& sandbox) {
  const std::optional<StackRecorder> recorder = find_recorder(name);
  if (!recorder) return failed(name, "not found in PATH", remedy_of(name));
  const TrialPlace place(sandbox);
  const Result<RecordedRun> run =
      record_stacks(*recorder, place.runner, {kSmallCommand, kTrialLimit}, place.setting, {});
  const std::string where = recorder->program.string();
  const std::string events = name == "perf" ? "sysctl -w kernel.perf_event_paranoid=1" : remedy_of(name);
  if (!run) return failed(name, fmt::format("{}: {}", where, run.error().message), remedy_of(name));
  if (!run->stacks) {
    return failed(name, fmt::format("{}: {}", where, run->why.empty() ? reason_of(run->run) : run->why), events);
  }
  const OffCpuProfile profile = summarize(*run->stacks);
  // What bperf of another kernel records is never a wait.
  if (profile.off_cpu_samples == 0) return failed(name, where + ": it saw no wait of a command that waits", events);
  if (must_see_kernel && !run->stacks->tells_kernel) {
    return failed(name, where + ": it may not see the kernel's events either", events);
  }
  return {std::string(name), true,
          fmt::format("{}, {}", where,
                      run->stacks->tells_kernel ? "stacks of each wait" : "lengths of waits without their stacks"),
          ""};
}

ProviderTrial try_sampler(SamplerLevel level) {
  switch (level) {
    case SamplerLevel::full:
      return {"sampler", true, "stacks of each wait, and who ends it", ""};
    case SamplerLevel::kernel:
      return {"sampler", true, "stacks of each wait", ""};
    case SamplerLevel::user:
      return {"sampler", true, "lengths of waits, and the function of the longer ones", ""};
    case SamplerLevel::nothing:
      return {"sampler", true, "a ratio alone, by /proc", ""};
  }
  return {};
}

/// A program without lines gives no experiment; that coz starts it and writes its file is what can be seen.
ProviderTrial try_causal(std::string_view name, const Sandbox& sandbox) {
  const Result<CozInstallation> coz = find_causal(name);
  if (!coz && coz.error().code == Error::Code::not_found && find_program(std::string(name)).empty()) {
    return failed(name, "not found in PATH", remedy_of(name));
  }
  if (!coz) return failed(name, one_line(coz.error().message, 200), remedy_of(name));
  TrialPlace place(sandbox);
  CozOptions options;
  options.output = place.setting.workspace / "trial.coz";
  place.setting.readable = {coz->program, coz->library};
  const std::string line = join_quoted(coz_command(coz->program, options)) + " /bin/true";
  const Result<StageRun> run = place.runner.run(Stage::causal, {line, kTrialLimit}, place.setting, {});
  const std::string where = coz->program.string();
  if (!run) return failed(name, fmt::format("{}: {}", where, run.error().message), remedy_of(name));
  constexpr std::size_t kMostBytes = 1 << 20;
  const Result<std::string> file = read_file_of_stranger(options.output, kMostBytes);
  if (run->report.status != StageStatus::passed || !file || !parse_coz(*file)) {
    return failed(name, fmt::format("{}: {}", where, reason_of(*run)),
                  "sysctl -w kernel.perf_event_paranoid=2, which its perf events need");
  }
  return {std::string(name), true, fmt::format("{}, {}", where, coz->reads_dwarf5 ? "reads DWARF 5" : "up to DWARF 4"),
          ""};
}

/// A temporary folder that cannot be made is a reason, too.
ProviderTrial try_tool(std::string_view name, bool must_see_kernel, const Sandbox& sandbox) {
  try {
    const bool is_causal = name == "coz" || name == "bcoz";
    return is_causal ? try_causal(name, sandbox) : try_recorder(name, must_see_kernel, sandbox);
  } catch (const fs::filesystem_error& error) {
    return failed(name, error.what(), "TMPDIR, a folder that can be written");
  }
}

}  // namespace

std::string ProviderChoice::describe() const {
  std::string others;
  std::string text = chosen;
  for (const ProviderTrial& trial : trials) {
    if (trial.name == chosen) {
      text += ", " + trial.what;
    } else {
      others += fmt::format("{}{}: {}", others.empty() ? "" : "; ", trial.name, trial.what);
    }
  }
  if (text.empty()) text = trials.empty() ? "off" : "none works";
  return others.empty() ? text : fmt::format("{} ({})", text, others);
}

std::string ProfileProviders::describe() const {
  return fmt::format("off-CPU profiles: {}; causal profiles: {}", off_cpu.describe(), causal.describe());
}

Result<ProviderChoice> choose_provider(std::string_view asked, const std::vector<ProviderCandidate>& best_first) {
  ProviderChoice choice;
  if (asked == "off") return choice;
  for (const ProviderCandidate& candidate : best_first) {
    if (asked != "auto" && candidate.name != asked) continue;
    choice.trials.push_back(candidate.attempt());
    const ProviderTrial& trial = choice.trials.back();
    if (trial.works) {
      choice.chosen = trial.name;
      return choice;
    }
    if (asked != "auto") {
      return Error{Error::Code::unavailable,
                   fmt::format("cannot profile by {}, which the task asks for: {}; it takes {} (or `provider: auto`)",
                               trial.name, trial.what, trial.remedy)};
    }
  }
  return choice;
}

Result<ProfileProviders> choose_providers(const ProfileTask& profile, const Sandbox& sandbox) {
  const SamplerLevel level = reached_sampler_level();
  const bool sees_kernel = level == SamplerLevel::full || level == SamplerLevel::kernel;
  const bool is_asked_for_perf = profile.offcpu_provider == "perf";
  const ProviderCandidate bperf{"bperf", [&] { return try_tool("bperf", false, sandbox); }};
  const ProviderCandidate perf{"perf", [&] { return try_tool("perf", !is_asked_for_perf, sandbox); }};
  const ProviderCandidate sampler{"sampler", [&] { return try_sampler(level); }};
  Result<ProviderChoice> off_cpu = choose_provider(
      profile.offcpu_provider, sees_kernel ? std::vector{bperf, sampler, perf} : std::vector{bperf, perf, sampler});
  if (!off_cpu) return off_cpu.error();
  const bool is_causal_wanted = profile.when != ProfileTask::When::never;
  Result<ProviderChoice> causal = choose_provider(is_causal_wanted ? profile.causal_provider : "off",
                                                  {{"bcoz", [&] { return try_tool("bcoz", false, sandbox); }},
                                                   {"coz", [&] { return try_tool("coz", false, sandbox); }}});
  if (!causal) return causal.error();
  ProfileProviders providers;
  providers.off_cpu = std::move(*off_cpu);
  providers.causal = std::move(*causal);
  if (providers.off_cpu.chosen == "bperf" || providers.off_cpu.chosen == "perf") {
    providers.recorder = find_recorder(providers.off_cpu.chosen);
  }
  if (!providers.causal.chosen.empty()) {
    Result<CozInstallation> coz = find_causal(providers.causal.chosen);
    if (!coz) return coz.error();
    providers.coz = std::move(*coz);
  }
  return providers;
}

ProviderTrial try_provider(std::string_view name, const Sandbox& sandbox) {
  return name == "sampler" ? try_sampler(reached_sampler_level()) : try_tool(name, false, sandbox);
}

SamplerLevel reached_sampler_level() {
  PerfRingsOptions options;
  options.dump_bytes = 0;
  const Result<PerfRings> rings = PerfRings::attach(::getpid(), options);
  return rings ? rings->level() : SamplerLevel::nothing;
}

}  // namespace aiopt
