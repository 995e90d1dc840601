/// What /proc tells of one process, read without allocation: the supervisor may not allocate.

#pragma once

#include <sys/types.h>

#include <cstdint>

namespace aiopt {

/// From /proc/<pid>/stat, see proc(5).
struct ProcessStat {
  char state = 0;  ///< 'R', 'S', 'D', 'T' (stopped), 'Z' (dead, not yet waited for)...
  pid_t parent = 0;
  pid_t session = 0;
  std::uint64_t children_cpu_ticks = 0;  ///< User and system of the children it has waited for.
  std::uint64_t start_ticks = 0;         ///< Since the machine's start; with the pid it names a process for good.

  bool is_alive() const { return state != 'Z' && state != 'X' && state != 'x'; }
};

/// @return Whether there is such a process. Async-signal-safe.
bool read_process_stat(pid_t pid, ProcessStat& stat);

/// Whether it is the first process of a PID namespace below ours, such as bwrap's own that waits for the others in
/// there. Async-signal-safe.
bool is_first_of_namespace(pid_t pid);

/// Calls `visit(context, pid)` for every process that /proc shows. Async-signal-safe.
void for_each_process(void (*visit)(void* context, pid_t pid), void* context);

}  // namespace aiopt
