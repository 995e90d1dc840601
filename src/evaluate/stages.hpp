/// One stage: a command, where it runs, what it may see, and what became of it.

#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/evaluation.hpp>
#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

#include "base/subprocess.hpp"
#include "evaluate/sandbox.hpp"
#include "evaluate/tripwire.hpp"

namespace aiopt {

/// What holds for every command of an evaluator.
struct StageRules {
  std::filesystem::path source;      ///< Readable: a workspace's symbolic links and its repository lead there.
  std::filesystem::path run_folder;  ///< Hidden, but for the workspace.
  ResourceLimits limits;
};

/// What differs from one command to the next.
struct StageSetting {
  std::filesystem::path workspace;
  Tripwire* tripwire = nullptr;  ///< Of the workspace; may be null. Asked when the command has ended.
  std::vector<int> cpus;         ///< None: wherever.
  std::map<std::string, std::string> variables;
  std::chrono::microseconds sync_delay{0};  ///< See Command, the next too.
  std::function<void(pid_t)> before_start = nullptr;
  /// Started outside of the sandbox, with what starts that as its last arguments: a profiler that needs its privileges.
  std::vector<std::string> around = {};
  std::vector<std::filesystem::path> readable = {};  ///< Beside the source, wherever it lies.
};

/// A stage's command once it has ended.
struct StageRun {
  StageReport report;     ///< Its output is at most 16 KiB.
  CommandResult command;  ///< processes_left: also those that ended with the sandbox.
  int network_attempts = 0;
  bool opened_run_folder = false;
  bool filled_disk = false;    ///< It was ended for that.
  bool was_unwatched = false;  ///< It passed, and ended what was to look for processes that it left.
};

/// Runs stages in the sandbox. Safe from any thread.
class StageRunner {
 public:
  /// @param sandbox  Borrowed; outlives the runner.
  StageRunner(const Sandbox& sandbox, StageRules rules) : sandbox_(sandbox), rules_(std::move(rules)) {}

  /// @return cancelled if `stop` was requested.
  Result<StageRun> run(Stage stage, const StageCommand& stage_command, const StageSetting& setting,
                       std::stop_token stop) const;
  const Sandbox& sandbox() const { return sandbox_; }

 private:
  const Sandbox& sandbox_;
  const StageRules rules_;
};

/// Bounds for a candidate's commands that no honest build or benchmark meets: three quarters of the machine's memory,
/// as many processes as a large parallel build has, a file as large as half of what is free at `folder`.
ResourceLimits default_limits(const Sandbox& sandbox, const std::filesystem::path& folder);

/// How a try at something of the candidate's ended its way.
struct Fate {
  EvaluationStatus status = EvaluationStatus::passed;
  std::string reason;
};

/// What a stage that did not pass makes of its candidate: build_failed, tests_failed, timed_out, ...
EvaluationStatus status_of_failure(const StageReport& report);

/// The reason to give: how the command ended and the lines of its output that say why: those with "error", or the end.
std::string reason_of_failure(const StageReport& report, std::string_view how_it_ended);

/// Both of the above.
Fate fate_of_failure(const StageRun& run);

/// Of several runs of a stage one report is kept: adds the times of `more`, and the larger peak.
void add_run(StageReport& report, const StageReport& more);

}  // namespace aiopt
