/// What `perf script` prints, parsed into stacks.

#pragma once

#include <string_view>

#include <aiopt/result.hpp>

#include "profile/sampled_stacks.hpp"

namespace aiopt {

/// Reads the text of `perf script` (Linux 4 to 6) or of bperf's, with its default fields or others, as long as command,
/// thread, time and event are among them. What it makes of the events, as samples of 1 ms, the rest of each interval
/// carried on for each thread:
///
/// - sched:sched_switch: a wait, from leaving the CPU to coming back. Its class is of the kernel's frames
///   (wait_rules.hpp) and of prev_state: R is scheduling; D without a stack is taken for io. sched_waking, sched_wakeup
///   split it, scheduling after them. Recorded with -a, times are exact; without, nobody records when a thread came
///   back, and its next event ends the wait: `source` says so.
/// - PERF_RECORD_SWITCH (perf record --switch-events, perf script --show-switch-events): the same, exact for any user;
///   stacks are those of sched_switch or context-switches (-c 1) beside it.
/// - offcpu-time (perf record --off-cpu): its period is a wait in ns. The stack is of user space alone, so that the
///   class goes by the C library's function that waits.
/// - sched_switch with a period, which perf inject -s makes of sched_stat_*; and sched_stat_iowait, _blocked, _sleep,
///   _wait alone where there is no sched_switch.
/// - task-clock, cpu-clock: time on a CPU, their period in ns. Without them that of the switches, whose stacks nobody
///   knows; without either, 250 us for each sample of another event, perf's default of 4000 Hz.
/// - bperf's task-clock with -F +weight: weight + 1 samples, waits where the weight or the innermost function says so.
///
/// Left out: the idle tasks, threads of the kernel, and what runs on when the text ends. With a `command` (perf's comm,
/// 15 bytes), only threads of that name and, where processes are printed (-F +pid), those of the same process.
/// Errors: no line is an event; a binary file.
Result<SampledStacks> parse_perf_script(std::string_view text, std::string_view command = {});

}  // namespace aiopt
