/// What is left to aiopt itself when a command killed its own supervisor.

#pragma once

#include <sys/types.h>

#include <chrono>

namespace aiopt {

/// fork(2). The child is to become a supervisor. Until the last one is forgotten, this process is a child subreaper
/// (prctl(2), PR_SET_CHILD_SUBREAPER): if a supervisor dies, its tree becomes this process's.
pid_t fork_supervisor();

/// @return Whether it has ended. It stays as a zombie, and this process a subreaper.
bool wait_for_supervisor(pid_t supervisor, std::chrono::milliseconds patience);

/// Kills and waits for all that came to this process from supervisors that ended before their trees: its children in
/// other sessions which are no supervisors, and all below them. (A supervisor's tree can't get into aiopt's session.)
/// So a program that uses aiopt as a library loses a child of its own here only if that called setsid(2), and was
/// started after the command. @return Whether nothing is left.
bool end_orphans(std::chrono::steady_clock::time_point command_started, std::chrono::milliseconds patience);

/// waitpid(2) for one that has ended.
void forget_supervisor(pid_t supervisor);

}  // namespace aiopt
