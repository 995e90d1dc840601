/// One stage: a command, and what became of it.

#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include <aiopt/evaluation.hpp>
#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

#include "base/subprocess.hpp"

namespace aiopt {

/// Runs the stage's command in the workspace and reports it. The output kept is at most 16 KiB.
///
/// @param result  If not null, gets the whole CommandResult (the benchmark's parser needs its stdout).
/// @return cancelled if `stop` was requested.
Result<StageReport> run_stage(Stage stage, const StageCommand& stage_command, const std::filesystem::path& workspace,
                              std::stop_token stop, CommandResult* result = nullptr);

/// What a stage that did not pass makes of its candidate: build_failed, tests_failed, timed_out, ...
EvaluationStatus status_of_failure(const StageReport& report);

/// The reason to give: how the command ended and the lines of its output that say why: those with "error", or the end.
std::string reason_of_failure(const StageReport& report, std::string_view how_it_ended);

}  // namespace aiopt
