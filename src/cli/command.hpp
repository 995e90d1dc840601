/// What the subcommands share: how they end, what they print errors with, the run they look at.

#pragma once

#include <filesystem>
#include <string>

#include <aiopt/evolution.hpp>
#include <aiopt/result.hpp>
#include <aiopt/source_tree.hpp>
#include <aiopt/task.hpp>

#include "source/patch_apply.hpp"

namespace aiopt {

/// Exit statuses of the program.
enum ExitCode : int { kDone = 0, kFailed = 1, kUsage = 2, kInterrupted = 130 };

/// "aiopt: <message>" on stderr. @return kFailed; kInterrupted for Error::Code::cancelled.
int fail(const Error& error);

/// Prints "aiopt: <line>" to stderr. That stderr is closed or full stops nothing.
void say(const std::string& line);

/// Writes a result to stdout. @return kDone, or kFailed if it could not be written.
int print_result(const std::string& text);

/// Tokens that SIGINT and SIGTERM turn: the first `finish`, the second `kill`. Call once, before threads are started.
StopTokens catch_interrupts();

/// The log that so many -v ask for: none, what is tried again, every command too.
void set_verbosity(int verbosity);

/// A run's task as it stands in run.db, with what the command line had set.
struct RunTask {
  Task task;
  EvolutionOptions options;
};

Result<RunTask> task_of_run(const class RunStore& store);

/// The files a run started from. An Error if the source is gone or its editable files have changed since.
Result<SourceTree> baseline_of_run(const class RunStore& store, const Task& task);

PatchRules rules_of(const Task& task);

/// After a run: writes best.patch into its folder and prints what `aiopt show` prints.
int show_run(const std::filesystem::path& folder, bool json);

}  // namespace aiopt
