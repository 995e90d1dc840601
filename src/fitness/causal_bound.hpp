/// The gate causal_bound: a gain larger than what the unmodified program's profiles leave room for is looked at first.

#pragma once

#include <optional>

#include <aiopt/evaluation.hpp>
#include <aiopt/profile.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// The largest factor on throughput that the profiles of a program of one thread leave room for.
///
/// Of the time that is not idle, all may go that was spent waiting, in the kernel, or on lines that no experiment was
/// made of; of the lines with experiments as much as the upper end of their effect's interval says (Curtsinger and
/// Berger, SOSP 2015), in proportion as if they took no time at all. So with s a line's share of the samples and e that
/// end over its virtual speedup, the largest of those tried from 50 % on:
/// 1 / (1 - room), room = 1 - sum over lines of (s - e).
///
/// Nothing, that is no bound, where on the average more than one thread is not idle (OffCpuProfile::threads), or
/// records were lost: a line's share is of all threads' time then, and one with no effect may run beside what counts,
/// not in its way.
///
/// Nothing too where no line has both a share and experiments, or together they may give back as much as they take.
std::optional<double> causal_bound(const Profile& baseline);

/// Puts a candidate that passed in quarantine, the report of the gate with it, if even the lower bound of its speed-up
/// is above causal_bound(). It is no proof against it: the search goes on without it, and somebody has a look.
/// Not if the task has the gate off.
void check_causal_bound(const GatesTask& gates, const Profile& baseline, Evaluation& candidate);

}  // namespace aiopt
