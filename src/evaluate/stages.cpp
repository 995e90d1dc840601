/// Running a stage in its sandbox, and putting its failure into words.

#include "evaluate/stages.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/text.hpp"
#include "core/reason.hpp"
#include "evaluate/disk_watch.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kKeptOutputBytes = 16 << 10;
constexpr std::size_t kReasonBytes = 3 << 10;
constexpr int kReasonLines = 24;
constexpr const char* kRunFile = "run.db";  ///< Of store/run_store.hpp: a candidate must not read it.

StageStatus status_of(const CommandResult& result) {
  if (result.succeeded()) return StageStatus::passed;
  if (std::holds_alternative<TimedOut>(result.end)) return StageStatus::timed_out;
  // A shell reports the signal that ended its command as 128 + N.
  const int code = result.exit_code();
  return code > 128 && code < 128 + 65 ? StageStatus::crashed : StageStatus::failed;
}

}  // namespace

Result<StageRun> StageRunner::run(Stage stage, const StageCommand& stage_command, const StageSetting& setting,
                                  std::stop_token stop) const {
  SandboxPolicy policy;
  policy.workspace = setting.workspace;
  policy.readable = {rules_.source};
  policy.readable.insert(policy.readable.end(), setting.readable.begin(), setting.readable.end());
  policy.hidden = {rules_.run_folder};
  if (setting.tripwire != nullptr) {
    policy.decoy = setting.tripwire->decoy();
    policy.decoy_place = rules_.run_folder / kRunFile;
  }
  Result<SandboxedCommand> enclosed = sandbox_.enclose(policy);
  if (!enclosed) return enclosed.error();

  Command command;
  command.line = stage_command.command;
  // bwrap goes into the workspace itself: nothing outside of the sandbox is to start where a candidate writes.
  command.directory = sandbox_.is_active() ? std::filesystem::path("/") : setting.workspace;
  command.timeout = stage_command.timeout;
  command.variables = setting.variables;
  command.cpus = setting.cpus;
  command.limits = rules_.limits;
  command.count_threads = stage == Stage::benchmark;
  command.count_syncs = stage == Stage::benchmark;
  command.sync_delay = setting.sync_delay;
  command.before_start = setting.before_start;
  command.no_new_privileges = !sandbox_.is_active();
  apply(*enclosed, command);
  command.wrapper = setting.around;
  command.wrapper.insert(command.wrapper.end(), enclosed->wrapper.begin(), enclosed->wrapper.end());
  for (const auto& passed : enclosed->descriptors) {
    command.passed_descriptors.push_back({passed.file.get(), passed.number});
  }
  const DiskWatch disk(setting.workspace, std::move(stop));
  Result<CommandResult> ran = run_command(command, disk.token());
  if (!ran) return ran.error();
  if (std::holds_alternative<Cancelled>(ran->end) && !disk.was_full()) {
    return Error{Error::Code::cancelled, fmt::format("the {} was cancelled", to_string(stage))};
  }
  log_debug(fmt::format("{}: {} ended with {} after {:.2f} s: {}", setting.workspace.string(), to_string(stage),
                        ran->how_it_ended(), std::chrono::duration<double>(ran->wall_time).count(), command.line));

  StageRun run;
  run.report.stage = stage;
  run.report.status = status_of(*ran);
  run.report.exit_code = ran->exit_code();
  run.report.wall_time = ran->wall_time;
  run.report.cpu_time = ran->cpu_time;
  run.report.peak_rss_bytes = ran->peak_rss_bytes;
  run.report.output = valid_utf8(shorten_middle(ran->output, kKeptOutputBytes));
  run.command = std::move(*ran);
  run.filled_disk = disk.was_full();
  if (run.filled_disk) run.report.status = StageStatus::failed;
  if (const auto seen = enclosed->observations()) {
    run.command.processes_left += seen->processes_left;
    run.network_attempts = seen->network_attempts;
  } else {
    run.was_unwatched = sandbox_.is_active() && run.report.status == StageStatus::passed;
  }
  run.opened_run_folder = setting.tripwire != nullptr && setting.tripwire->fired();
  return run;
}

ResourceLimits default_limits(const Sandbox& sandbox, const std::filesystem::path& folder) {
  constexpr std::uint64_t kMostProcesses = 4096;
  // RLIMIT_NPROC counts all that the user runs; the sandbox sets one of its own, within its user namespace.
  constexpr std::uint64_t kMostProcessesOfUser = 16384;
  ResourceLimits limits;
  const auto pages = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PHYS_PAGES)));
  const auto page_bytes = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_PAGESIZE)));
  limits.tree_memory_bytes = pages * page_bytes / 4 * 3;
  limits.tree_processes = kMostProcesses;
  if (!sandbox.is_active()) limits.processes = kMostProcessesOfUser;
  std::error_code failure;
  const std::filesystem::space_info space = std::filesystem::space(folder, failure);
  if (!failure) limits.file_bytes = space.available / 2;
  return limits;
}

EvaluationStatus status_of_failure(const StageReport& report) {
  if (report.status == StageStatus::timed_out) return EvaluationStatus::timed_out;
  if (report.stage == Stage::build) return EvaluationStatus::build_failed;
  if (report.status == StageStatus::crashed) return EvaluationStatus::crashed;
  return report.stage == Stage::test ? EvaluationStatus::tests_failed : EvaluationStatus::benchmark_failed;
}

std::string reason_of_failure(const StageReport& report, std::string_view how_it_ended) {
  std::string reason = fmt::format("the {} ended with {}", to_string(report.stage), how_it_ended);
  const std::vector<std::string_view> lines = split_lines(report.output);
  // From the first line that names an error on: what follows a compiler's error explains it.
  auto first = first_error(lines);
  if (first == lines.end()) first = lines.end() - std::min<std::ptrdiff_t>(kReasonLines, std::ssize(lines));
  const auto last = first + std::min<std::ptrdiff_t>(kReasonLines, lines.end() - first);
  std::string excerpt;
  for (auto line = first; line != last; ++line) excerpt.append("\n").append(*line);
  return reason + (excerpt.empty() ? "; it printed nothing" : ":" + shorten_middle(excerpt, kReasonBytes));
}

void add_run(StageReport& report, const StageReport& more) {
  report.wall_time += more.wall_time;
  report.cpu_time += more.cpu_time;
  report.peak_rss_bytes = std::max(report.peak_rss_bytes, more.peak_rss_bytes);
}

Fate fate_of_failure(const StageRun& run) {
  std::string reason = reason_of_failure(run.report, run.command.how_it_ended());
  if (run.filled_disk) reason = "it was about to fill the disk; " + reason;
  if (run.command.hit_memory_limit) reason = "it ran into its memory limit; " + reason;
  return {status_of_failure(run.report), std::move(reason)};
}

}  // namespace aiopt
