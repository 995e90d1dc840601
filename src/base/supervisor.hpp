/// The process between aiopt and a command: it outlives both just long enough to end all that the command started.

#pragma once

#include <sched.h>
#include <sys/resource.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/sync_counter.hpp"

namespace aiopt {

/// `descriptor` is open in aiopt, the command finds it as `target` (3 or higher).
struct DescriptorMove {
  int descriptor = -1;
  int target = -1;
};

struct LimitToSet {
  int resource = 0;  ///< RLIMIT_AS and so on.
  rlimit limit{};    ///< What is above the hard limit that there is stays below it.
};

/// All that the supervisor needs, prepared before the fork: after it, nothing may be allocated.
struct Launch {
  const char* const* programs = nullptr;  ///< Paths, tried in this order; a null ends them.
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* directory = nullptr;  ///< Null: where aiopt is.

  // Descriptors, each 3 or higher.
  int input = -1;  ///< The command's standard input, output and error.
  int output = -1;
  int errors = -1;
  int control = -1;  ///< Read end. A byte, or its end because aiopt is gone: the command must end.
  int report = -1;   ///< Write end, for SupervisorReports.

  static constexpr std::size_t kMostPassed = 16;
  std::span<const DescriptorMove> passed;  ///< At most kMostPassed.

  // What bounds the command. Each is done as far as the kernel lets us.
  std::span<const LimitToSet> limits;
  static constexpr std::size_t kMostGroups = 3;
  std::span<const int> groups;  ///< See TreeCgroup; at most kMostGroups.
  int stop_forks = -1;
  int kill_group = -1;
  int go = -1;                      ///< Read end. The command is started when a byte comes, or its end; -1: at once.
  int slow_syncs = -1;              ///< See hand_over_syncs().
  const cpu_set_t* cpus = nullptr;  ///< Null: as inherited.
  std::size_t cpus_bytes = 0;
  bool no_new_privileges = false;  ///< And, from Linux 6.12 on, no signals to processes outside of the tree.

  std::span<const SyncEvent> sync_events;  ///< Empty: not counted.
};

/// What comes over Launch::report, each in one write. Last comes tree_ended, if nobody kills the supervisor.
struct SupervisorReport {
  enum class Kind : std::int32_t {
    no_directory,   ///< `value` is the errno of chdir(2).
    no_program,     ///< `value` is the errno of execve(2) or fork(2).
    command_ended,  ///< `value` is its wait status, see waitpid(2).
    tree_ended,     ///< Nothing that the command started is left. `value` as above.
  };

  Kind kind = Kind::tree_ended;
  std::int32_t value = 0;
  bool was_asked = false;  ///< The command had not ended by itself when aiopt asked for its end.
  std::int64_t wall_ns = 0;
  std::int32_t processes_left = 0;  ///< Alive when the command had ended by itself.

  // tree_ended only.
  std::int64_t cpu_us = 0;  ///< User and system, all that was waited for.
  std::int64_t cpu_after_end_us = 0;
  std::int64_t peak_rss_bytes = 0;  ///< Of the largest process.
  std::int64_t bytes_written = 0;
  std::int64_t syncs = -1;  ///< -1: not counted.
  /// Linux keeps the size from before execve(2) in the peak: below this, `peak_rss_bytes` says nothing.
  std::int64_t rss_floor_bytes = 0;
};

/// Becomes the supervisor. Call it in the child of a fork, with all signals blocked; async-signal-safe.
[[noreturn]] void supervise(const Launch& launch);

}  // namespace aiopt
