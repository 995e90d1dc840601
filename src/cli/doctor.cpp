/// aiopt doctor: what this machine can build, measure and profile, and how to get the rest.

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/cpu_set.hpp"
#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/machine_probes.hpp"
#include "cli/profiler_probes.hpp"
#include "core/task_yaml.hpp"
#include "evaluate/lanes.hpp"
#include "measure/host_fingerprint.hpp"
#include "prompt/prompt_builder.hpp"
#include "source/source_tree.hpp"

namespace aiopt {

namespace {

Finding program(const std::string& name, const std::string& what, const std::string& package, bool needed) {
  Command command;
  command.directory = "/";
  command.timeout = std::chrono::seconds(10);
  const Result<CommandResult> ran = run_program({name, "--version"}, command);
  const bool works = ran && ran->succeeded();
  const std::string first_line = works ? ran->output.substr(0, ran->output.find('\n')) : "not found";
  return {name, works, needed, fmt::format("{}: {}", what, first_line), works ? "" : "apt-get install " + package};
}

bool can_read(const std::string& file) {
  std::ifstream stream(file);
  std::string word;
  return static_cast<bool>(stream >> word);
}

Finding accounting() {
  // A program that computes for 0.2 s on one thread: its CPU time and thread time must both be seen.
  Command command;
  command.directory = "/";
  command.line = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done";
  command.timeout = std::chrono::seconds(10);
  command.count_threads = true;
  const Result<CommandResult> ran = run_command(command);
  const bool works = ran && ran->succeeded() && ran->cpu_time.count() > 0 && ran->thread_time.count() > 0;
  return {"CPU accounting", works, false, "off-CPU ratio in fast mode, from /proc/PID/task/*/schedstat",
          works ? "" : "a kernel with CONFIG_SCHED_INFO (Debian's and Raspberry Pi OS's have it)"};
}

Finding space() {
  std::error_code error;
  const auto info = std::filesystem::space(std::filesystem::current_path(error), error);
  const bool enough = !error && info.available > (std::uintmax_t{1} << 30);
  return {"disk", enough, false,
          fmt::format("{:.1f} GiB free here for workspaces", static_cast<double>(info.available) / (1 << 30)),
          enough ? "" : "free some space, or give --run a folder on another disk"};
}

Finding processors() {
  const std::vector<int> cpus = usable_cpus();
  const Result<LanePlan> plan = plan_lanes(cpus, 0, {});
  return {"processors", plan.has_value(), false,
          plan ? fmt::format("{} CPU{}: {}", cpus.size(), cpus.size() == 1 ? "" : "s", plan->describe(cpus.size()))
               : plan.error().message,
          ""};
}

/// What this machine is, and one finding for each thing that makes it noisy.
std::vector<Finding> look_at_noise() {
  std::error_code error;
  const HostFingerprint host = read_host_fingerprint(std::filesystem::current_path(error));
  std::vector<Finding> findings = {{"machine", true, false, describe(host), ""}};
  for (const NoiseSource& source : noise_sources(host)) {
    findings.push_back({"quiet", false, false, source.what, source.remedy});
  }
  if (findings.size() == 1)
    findings.push_back({"quiet", true, false, "nothing seen that makes measurements noisy", ""});
  return findings;
}

std::vector<Finding> look_at_machine() {
  const bool has_key = std::getenv("OPENAI_API_KEY") != nullptr;
  const ContainmentLayers containment = probe_containment();
  return {
      processors(),
      program("git", "diffs and workspaces", "git", true),
      program("c++", "C++ compiler", "g++", false),
      program("make", "build tool", "make", false),
      program("ninja", "build tool", "ninja-build", false),
      program("cmake", "build tool", "cmake", false),
      program("meson", "build tool", "meson", false),
      program("ccache", "a candidate's build compiles only what it changed", "ccache", false),
      {"process trees", can_read("/proc/self/stat"), true, "every process of a candidate is found and ended",
       "mount /proc"},
      accounting(),
      probe_bubblewrap(),
      probe_user_namespaces(),
      probe_cgroup_limits(containment),
      probe_perf_events(),
      probe_fsync_count(containment),
      space(),
      {"prompts", std::filesystem::is_directory(default_prompt_folder()), false,
       "texts for the model in " + default_prompt_folder().string(),
       "set AIOPT_PROMPTS to the folder prompts/ of aiopt's source"},
      {"OPENAI_API_KEY", has_key, false, has_key ? "set" : "not set: fine for a local endpoint, or without a model",
       has_key ? "" : "export OPENAI_API_KEY=... for an endpoint that asks for a key"},
  };
}

std::vector<Finding> look_at_profilers() {
  std::vector<Finding> findings = probe_sampler();
  for (Finding& finding : probe_profilers()) findings.push_back(std::move(finding));
  return findings;
}

std::vector<Finding> look_at_task(const std::string& file) {
  const Result<Task> task = load_task(file);
  if (!task) return {{"task", false, true, task.error().message, "mend the task file"}};
  std::vector<Finding> findings = {
      {"task", true, true, fmt::format("{} in {}", task->name, task->source.string()), ""}};
  const Result<SourceTree> tree = load_source_tree(task->source, task->editable);
  findings.push_back(tree ? Finding{"editable files", true, true, fmt::format("{} files", tree->size()), ""}
                          : Finding{"editable files", false, true, tree.error().message, "mend `editable:`"});
  for (Finding& finding : probe_task_for_coz(*task)) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace

int doctor_command(const std::string& task, bool json) {
  // Before any program is called.
  if (const Result<Task> read = load_task(task); read && !task.empty()) hide_from_children(read->llm.api_key_env);
  std::vector<Finding> findings = look_at_machine();
  for (Finding& finding : look_at_profilers()) findings.push_back(std::move(finding));
  for (Finding& finding : look_at_noise()) findings.push_back(std::move(finding));
  if (!task.empty()) {
    for (Finding& finding : look_at_task(task)) findings.push_back(std::move(finding));
  }
  bool can_work = true;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  std::string text;
  for (const Finding& finding : findings) {
    can_work = can_work && (finding.works || !finding.needed);
    all.push_back({{"name", finding.name},
                   {"works", finding.works},
                   {"needed", finding.needed},
                   {"what", finding.what},
                   {"remedy", finding.remedy}});
    text += fmt::format("{:<4}{:<16}{}\n",
                        finding.works    ? "ok"
                        : finding.needed ? "NO"
                                         : "-",
                        finding.name, finding.what);
    if (!finding.works && !finding.remedy.empty()) text += fmt::format("{:20}-> {}\n", "", finding.remedy);
  }
  const int printed =
      print_result(json ? nlohmann::ordered_json{{"ok", can_work}, {"findings", all}}.dump(2) + "\n" : text);
  if (printed != kDone) return printed;
  return can_work ? kDone : kFailed;
}

}  // namespace aiopt
