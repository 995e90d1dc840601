/// Runs a command with a deadline, bounded output, and an end for every process it started.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include <aiopt/result.hpp>

namespace aiopt {

/// 0: as inherited. Set with setrlimit(2) in the command's process, so that all its children have them, or with control
/// groups where they can be made (see probe_containment()); what can't be set is left out.
struct ResourceLimits {
  std::uint64_t address_space_bytes = 0;  ///< RLIMIT_AS, of each process.
  std::uint64_t file_bytes = 0;           ///< RLIMIT_FSIZE: SIGXFSZ, or EFBIG where that is ignored.
  std::uint64_t open_files = 0;           ///< RLIMIT_NOFILE, of each process.
  /// RLIMIT_NPROC: of the user, whatever else that user runs; nothing for root outside of a user namespace.
  std::uint64_t processes = 0;
  std::uint64_t cpu_seconds = 0;        ///< RLIMIT_CPU, of each process: SIGXCPU, a second later SIGKILL.
  std::uint64_t tree_memory_bytes = 0;  ///< Of the whole tree, the page cache of its files included.
  std::uint64_t tree_processes = 0;     ///< Processes and threads of the whole tree.
};

/// `descriptor`, open here, is open as `target` (3 or higher) in the command.
struct PassedDescriptor {
  int descriptor = -1;
  int target = -1;
};

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

  /// Called in the caller's thread when the process exists from which all of the tree will be forked, and before that:
  /// for profilers, whose perf events are inherited. May be empty.
  std::function<void(pid_t)> before_start;

  /// A program, looked for in PATH, and its arguments, put before the command's own: {"bwrap", ..., "--"}.
  std::vector<std::string> wrapper;
  std::vector<PassedDescriptor> passed_descriptors;  ///< Beside 0 to 2; at most 16. Lent until the command has ended.
  ResourceLimits limits;
  /// prctl(2), PR_SET_NO_NEW_PRIVS; from Linux 6.12 on its tree can't signal any process outside of it either
  /// (Landlock), neither its supervisor nor aiopt.
  bool no_new_privileges = false;
  std::vector<int> cpus;     ///< sched_setaffinity(2) of the command, see base/cpu_set.hpp; empty: as inherited.
  bool count_syncs = false;  ///< Fill CommandResult::syncs in where the kernel lets us. What it costs: SyncCounter.
  std::chrono::microseconds sync_delay{0};  ///< Each sync of its tree begins so much later, see SlowSyncs; 0: at once.
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

  // Of the whole tree; 0 and empty if the command killed its supervisor.
  std::uint64_t bytes_written = 0;     ///< To files on disks: as the kernel charges it to who dirtied the pages.
  std::optional<std::uint64_t> syncs;  ///< fsync, fdatasync, msync(MS_SYNC), O_DSYNC writes...; empty: not counted.
  std::optional<std::uint64_t> delayed_syncs;  ///< With Command::sync_delay; empty: the kernel lets nobody delay them.
  /// How many processes were still there when the command had ended by itself; they were killed. Of those in a PID
  /// namespace that the wrapper made, which die with it, all, some or none are seen; its first process doesn't count.
  int processes_left = 0;
  /// Used by those left after the command had ended by itself; they are killed at once, so it is little.
  std::chrono::microseconds cpu_after_end{0};
  std::uint64_t tree_peak_bytes = 0;  ///< Of memory, with limits.tree_memory_bytes only; 0: not measured.
  bool hit_memory_limit = false;      ///< The kernel killed for want of memory below limits.tree_memory_bytes.

  bool succeeded() const;
  /// 0 to 255 as the shell has it: 128 + N for signal N, 124 for a time-out as timeout(1) has it.
  int exit_code() const;
  /// "exit code 2", "exit code 139 (SIGSEGV)" from a shell, "killed by SIGSEGV", "timed out after 60 s".
  std::string how_it_ended() const;
};

/// From now on no child inherits this variable: for a model's key. OPENAI_API_KEY is hidden from the start. Safe from
/// any thread.
void hide_from_children(const std::string& variable);

/// Runs the command and waits for its end. A supervisor process of its own, child subreaper
/// (prctl(2), PR_SET_CHILD_SUBREAPER), stands between aiopt and the command: whatever the command
/// left behind, daemons that forked twice too, is killed before this returns, and also if aiopt
/// itself dies. A command that stops its supervisor finds it continued; one that kills it is taken for
/// killed, and aiopt, a child subreaper too while a command runs, ends what it left. Safe from any thread.
///
/// Returns within `timeout` and some seconds, whatever the command does. Only what hangs in the kernel or is another
/// user's may be alive then.
///
/// @return An Error only if the command could not be started; a failing command is a result.
Result<CommandResult> run_command(const Command& command, std::stop_token stop = {});

/// The same for a program and its arguments, without a shell between. `command.line` is unused.
Result<CommandResult> run_program(const std::vector<std::string>& arguments, const Command& command,
                                  std::stop_token stop = {});

}  // namespace aiopt
