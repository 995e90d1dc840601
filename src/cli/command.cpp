/// What the subcommands share.

#include "cli/command.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <stop_token>
#include <thread>

#include "archive/grid_archive.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "core/task_yaml.hpp"
#include "engine/candidate_tree.hpp"
#include "engine/run_options.hpp"
#include "llm/openai_chat.hpp"
#include "source/source_tree.hpp"
#include "store/run_store.hpp"
#include "view/run_summary.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kMessageBytes = 2000;

}  // namespace

void say(const std::string& line) {
  std::fputs(fmt::format("aiopt: {}\n", line).c_str(), stderr);
}

int fail(const Error& error) {
  say(one_line(error.message, kMessageBytes));
  return error.code == Error::Code::cancelled ? kInterrupted : kFailed;
}

int print_result(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return written ? kDone : fail({Error::Code::io, "cannot write to stdout: is the disk full, or the reader gone?"});
}

void set_verbosity(int verbosity) {
  set_log_level(verbosity <= 0 ? LogLevel::off : verbosity == 1 ? LogLevel::info : LogLevel::debug);
}

StopTokens catch_interrupts() {
  signal(SIGPIPE, SIG_IGN);  // That the reader of its lines has gone is no reason to end a run.
  // Blocked here, so in every thread made later too; taken by one that does nothing else.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::stop_source finish;
  std::stop_source kill;
  StopTokens tokens{finish.get_token(), kill.get_token()};
  std::thread([signals, finish, kill]() mutable {
    int signal = 0;
    sigwait(&signals, &signal);
    finish.request_stop();
    std::fputs("\naiopt: finishing what runs; once more to end it now\n", stderr);
    sigwait(&signals, &signal);
    kill.request_stop();
    while (sigwait(&signals, &signal) == 0) continue;
  }).detach();
  return tokens;
}

Result<RunTask> task_of_run(const RunStore& store) {
  Result<Task> task = parse_task(store.header().task_yaml, store.header().task_file);
  if (!task) return task.error();
  take_api_key(task->llm.api_key_env);
  Result<EvolutionOptions> options = run_options_from_json(store.header().options_json, *task);
  if (!options) return options.error();
  return RunTask{std::move(*task), std::move(*options)};
}

Result<SourceTree> baseline_of_run(const RunStore& store, const Task& task) {
  Result<SourceTree> baseline = load_source_tree(task.source, task.editable);
  if (!baseline) return baseline.error();
  if (tree_sha256(*baseline) != store.header().baseline_sha256) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("the editable files of {} are not those that the run started from; restore them first",
                             task.source.string())};
  }
  return baseline;
}

PatchRules rules_of(const Task& task) {
  return {task.editable, task.max_patch_bytes};
}

namespace {

/// The patch of the best candidate as a file in the run's folder; "" if there is none to write.
Result<std::string> write_best_patch(const std::filesystem::path& folder, const RunStore& store, const Task& task,
                                     const RunSummary& summary) {
  const Elite* best = summary.best();
  if (best == nullptr || best->candidate->id == kBaselineId) return std::string();
  Result<SourceTree> baseline = baseline_of_run(store, task);
  if (!baseline) return baseline.error();
  Result<SourceTree> tree = candidate_tree(store, *baseline, best->candidate->id, rules_of(task));
  if (!tree) return tree.error();
  Result<std::string> diff = unified_diff(*baseline, *tree);
  if (!diff) return diff.error();
  const std::filesystem::path file = folder / "best.patch";
  if (auto written = write_file_atomic(file, *diff); !written) return written.error();
  return file.string();
}

}  // namespace

int show_run(const std::filesystem::path& folder, bool json) {
  Result<std::unique_ptr<RunStore>> store = RunStore::open(folder, RunStore::Access::read_only);
  if (!store) return fail(store.error());
  Result<RunTask> run = task_of_run(**store);
  if (!run) return fail(run.error());
  Result<RunSummary> summary = summarize(**store, run->task, run->options.iterations,
                                         make_grid_archive(run->task.axes, run->task.archive_depth));
  if (!summary) return fail(summary.error());
  std::string patch_file;
  if (Result<std::string> written = write_best_patch(folder, **store, run->task, *summary); written) {
    patch_file = *written;
  } else {
    say(one_line(fmt::format("no best.patch: {}", written.error().message), kMessageBytes));
  }
  return print_result(json ? to_json(*summary, patch_file) : describe(*summary, patch_file));
}

}  // namespace aiopt
