/// What `aiopt doctor` tries out for profiles: the sampler and its privileges, coz, other tools, a task's program.

#pragma once

#include <vector>

#include <aiopt/task.hpp>

#include "cli/machine_probes.hpp"

namespace aiopt {

/// Opens the sampler's events on itself and tells how far that went, one finding a piece, what it gives, and what
/// brings it; then names of the kernel's and the C library's functions.
std::vector<Finding> probe_sampler();

/// What `profile: {offcpu: {provider: auto}}` picks; then coz, perf, and bperf and bcoz, which run on a kernel of their
/// own: those that are there profile a small command.
std::vector<Finding> probe_profilers();

/// Whether the program that full mode profiles can be profiled by coz, as far as its file tells: one finding for each
/// thing in the way. The program is where the task's source was built; nothing is built or run.
std::vector<Finding> probe_task_for_coz(const Task& task);

}  // namespace aiopt
