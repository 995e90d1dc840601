/// Wait rules: what a thread waited for, told from the kernel functions that were on its stack when it left its CPU.

#pragma once

#include <span>
#include <string>
#include <string_view>

#include <aiopt/profile.hpp>

namespace aiopt {

/// The class of a wait. `preempted`: the thread was still runnable when it left (sched_switch's prev_state R,
/// PERF_RECORD_MISC_SWITCH_OUT_PREEMPT), which is scheduling whatever is on the stack. `other` where no rule fits, and
/// where there are no functions. Unlike bperf, whose flag only device waits set: a commit of ext4's journal is io.
/// @param kernel_functions names without offset, as /proc/kallsyms has them; what a compiler or perf put behind one
///        (".isra.0", " [jbd2]") does not matter
WaitClass class_of_wait(std::span<const std::string> kernel_functions_innermost_first, bool preempted);

/// The kernel function in which the thread slept: the first that is not the scheduler's, perf's or the way into the
/// kernel. Empty if there is none, as where it was preempted in its own code.
std::string sleeping_function(std::span<const std::string> kernel_functions_innermost_first);

/// Whether it belongs to the scheduler, to what recorded the stack, or to the way into the kernel and out of it.
bool is_wait_plumbing(std::string_view kernel_function);

}  // namespace aiopt
