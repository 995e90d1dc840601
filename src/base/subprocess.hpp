/// Runs a command with a deadline, bounded output, and an end for every process it started.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include <aiopt/result.hpp>

namespace aiopt {

struct Command {
  std::string line;  ///< Given to /bin/sh -c.
  std::filesystem::path directory;
  std::chrono::milliseconds timeout{300'000};
  std::string input;                             ///< Its standard input; empty: /dev/null.
  std::vector<std::string> hidden_variables;     ///< Names taken out of its environment.
  std::map<std::string, std::string> variables;  ///< Set in its environment.
  std::size_t output_limit_bytes = 1 << 20;      ///< Of each of CommandResult's texts; the middle goes.
  /// Fill CommandResult::thread_time in. Costs a look at /proc every 10 ms: under 2 % of a processor, for with many
  /// threads the looks come less often.
  bool count_threads = false;
};

struct Exited {
  int code = 0;
};
struct Signalled {
  int signal = 0;
};
struct TimedOut {};
struct Cancelled {};  ///< The stop token asked for it.

struct CommandResult {
  std::variant<Exited, Signalled, TimedOut, Cancelled> end;
  std::string output;  ///< stdout and stderr as they came; any bytes.
  std::string out;     ///< stdout alone.
  std::chrono::microseconds wall_time{0};
  std::chrono::microseconds cpu_time{0};  ///< User and system, of the whole tree.
  /// For how long its threads had work, summed over threads; at least cpu_time. A thread counts from a moment at
  /// which it was seen to have used CPU (its run time or its count of context switches grew) until it next does,
  /// but of a gap longer than 250 ms only the CPU time at its end counts. So a thread that waits for a disk or a
  /// lock is in; one that is blocked in a join all along, an idle pool thread and a shell that waits are out.
  std::chrono::microseconds thread_time{0};
  /// Of the largest process of the tree. Where that was smaller than aiopt itself, Linux tells aiopt's size
  /// (a process keeps its peak over execve(2)), unless count_threads is set: then it is sampled.
  std::uint64_t peak_rss_bytes = 0;

  bool succeeded() const;
  /// 0 to 255 as the shell has it: 128 + N for signal N, 124 for a time-out as timeout(1) has it.
  int exit_code() const;
  /// "exit code 2", "killed by SIGSEGV", "timed out after 60 s".
  std::string how_it_ended() const;
};

/// From now on no child inherits this variable: for a model's key. OPENAI_API_KEY is hidden from the start. Safe from
/// any thread.
void hide_from_children(const std::string& variable);

/// Runs the command and waits for its end. A supervisor process of its own, child subreaper
/// (prctl(2), PR_SET_CHILD_SUBREAPER), stands between aiopt and the command: whatever the command
/// left behind, daemons that forked twice too, is killed before this returns, and also if aiopt
/// itself dies. Safe from any thread.
///
/// @return An Error only if the command could not be started; a failing command is a result.
Result<CommandResult> run_command(const Command& command, std::stop_token stop = {});

/// The same for a program and its arguments, without a shell between. `command.line` is unused.
Result<CommandResult> run_program(const std::vector<std::string>& arguments, const Command& command,
                                  std::stop_token stop = {});

}  // namespace aiopt
