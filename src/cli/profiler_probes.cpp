/// The trials behind `aiopt doctor` that are of profiles: see the header.

#include "cli/profiler_probes.hpp"

#include <fmt/format.h>
#include <link.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "base/files.hpp"
#include "base/text.hpp"
#include "evaluate/command_words.hpp"
#include "evaluate/profile_providers.hpp"
#include "evaluate/sandbox.hpp"
#include "profile/coz.hpp"
#include "profile/coz_target.hpp"
#include "profile/kernel_symbols.hpp"
#include "profile/object_file.hpp"

namespace aiopt {

namespace {

namespace fs = std::filesystem;

/// `brings` where it does not work.
Finding piece(std::string name, bool works, std::string what, const std::string& brings) {
  return {std::move(name), works, false, std::move(what), works ? "" : brings};
}

/// Of a file with capabilities the loader takes libraries from the system's folders alone: not in a build folder.
std::string perfmon_command() {
  return "setcap cap_perfmon+ep $(command -v aiopt), once that is installed";
}

/// Debian's own kernels refuse everything at 3.
std::string events_command() {
  const Result<std::string> paranoid = read_file("/proc/sys/kernel/perf_event_paranoid", 64);
  if (!paranoid) return "a kernel with CONFIG_PERF_EVENTS (Debian's have it)";
  const bool is_refused = std::atoi(paranoid->c_str()) >= 3;
  return is_refused ? "sysctl -w kernel.perf_event_paranoid=1"
                    : "in a container: start it with --cap-add=PERFMON --security-opt seccomp=unconfined";
}

std::string wakings_command() {
  const bool has_tracepoint = read_file("/sys/kernel/tracing/events/sched/sched_waking/id", 64).has_value() ||
                              read_file("/sys/kernel/debug/tracing/events/sched/sched_waking/id", 64).has_value();
  const std::string sysctl = "sysctl -w kernel.perf_event_paranoid=-1";
  return fmt::format("{} (or {}); in the machine's first PID namespace, outside of containers",
                     has_tracepoint ? sysctl : sysctl + " && " + tracefs_command(), perfmon_command());
}

/// The file that this process has mapped; empty in a static program.
std::string own_c_library() {
  std::string path;
  const auto look = [](dl_phdr_info* info, std::size_t, void* found) {
    if (std::string_view(info->dlpi_name).find("/libc.so") == std::string_view::npos) return 0;
    *static_cast<std::string*>(found) = info->dlpi_name;
    return 1;
  };
  ::dl_iterate_phdr(look, &path);
  return path;
}

bool has_debug_file(const fs::path& object) {
  constexpr std::uint64_t kMostBytes = 64 << 20;
  const auto elf = ObjectFile::open(object, kMostBytes);
  if (!elf || (*elf)->build_id().size() < 3) return false;
  const std::string& id = (*elf)->build_id();
  std::error_code error;
  return fs::exists(fs::path("/usr/lib/debug/.build-id") / id.substr(0, 2) / (id.substr(2) + ".debug"), error);
}

/// The tool's trial as a finding; `gives`: what it is there for.
Finding finding_of(const ProviderTrial& trial, const std::string& gives) {
  return {trial.name, trial.works, false, fmt::format("{}: {}", gives, trial.what), trial.remedy};
}

std::string coz_build_command() {
  return fmt::format("build it with CXXFLAGS='-O2 {}' LDFLAGS='{}', and COZ_PROGRESS_NAMED(\"op\") of coz.h in it",
                     kCozFlagsOfGcc, kCozLinkFlags);
}

/// "what is wrong: what to do about it", as problems_for_coz() has it.
Finding finding_of_problem(const std::string& problem) {
  const std::size_t colon = problem.find(": ");
  const bool is_split = colon != std::string::npos;
  return piece("coz on task", false, problem.substr(0, colon),
               is_split ? problem.substr(colon + 2) : coz_build_command());
}

}  // namespace

std::vector<Finding> probe_sampler() {
  const SamplerLevel level = reached_sampler_level();
  const fs::path c_library = own_c_library();
  return {
      piece("wait sampler", level != SamplerLevel::nothing,
            "off-CPU ratio and classes of waits; without it, a ratio by /proc alone", events_command()),
      piece("wait stacks", level <= SamplerLevel::kernel,
            "at each switch: which function and line waits, and in which of the kernel's",
            "sysctl -w kernel.perf_event_paranoid=1 (or " + perfmon_command() + ")"),
      piece("wake-ups", level == SamplerLevel::full,
            "who ends a wait, how long a thread is runnable after it; without, that time counts as blocked",
            wakings_command()),
      piece("kernel symbols", KernelSymbols::load().has_value(), "names of the kernel's functions: waits told apart",
            "sysctl -w kernel.kptr_restrict=0 kernel.perf_event_paranoid=1"),
      piece("libc symbols", c_library.empty() || has_debug_file(c_library),
            "names and lines inside of the C library; without, of what it exports", "apt-get install libc6-dbg"),
  };
}

std::vector<Finding> probe_profilers() {
  const Result<Sandbox> sandbox = Sandbox::probe(SandboxMode::automatic);  // Which is no error where there is none.
  const Result<ProfileProviders> picked = choose_providers({}, *sandbox);  // Nor is this, of `auto`.
  const auto tried = [&](std::string_view name) {
    if (name == "perf") return try_provider(name, *sandbox);  // `auto` asks more of it.
    for (const ProviderChoice* choice : {&picked->off_cpu, &picked->causal}) {
      for (const ProviderTrial& trial : choice->trials) {
        if (trial.name == name) return trial;
      }
    }
    return try_provider(name, *sandbox);
  };
  return {
      piece("profilers", true, "what --mode=full takes if the task does not say: " + picked->describe(), ""),
      finding_of(tried("coz"), "causal profiles, which line would pay off"),
      finding_of(tried("bperf"), "off-CPU profiles by the kernel"),
      finding_of(tried("bcoz"), "causal profiles of waits"),
      finding_of(tried("perf"), "off-CPU profiles where the sampler may see less; profiles of your own"),
  };
}

std::vector<Finding> probe_task_for_coz(const Task& task) {
  const std::string name = split_assignments(profiled_command(task)).program;
  const bool is_path = name.find('/') != std::string::npos;
  const fs::path program = is_path ? task.source / name : fs::path(find_program(name));
  std::error_code error;
  if (name.empty() || !fs::exists(program, error)) {
    return {piece("coz on task", false, fmt::format("{} is not built in {} yet", name, task.source.string()),
                  coz_build_command())};
  }
  const Result<CozInstallation> coz = find_coz();
  const Result<std::vector<std::string>> problems = problems_for_coz(coz ? *coz : CozInstallation(), program);
  if (!problems) return {finding_of_problem(problems.error().message)};
  std::vector<Finding> findings;
  for (const std::string& problem : *problems) findings.push_back(finding_of_problem(problem));
  if (findings.empty()) {
    findings.push_back(piece("coz on task", true, fmt::format("{} has lines and a progress point", name), ""));
  }
  return findings;
}

}  // namespace aiopt
