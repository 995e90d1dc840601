/// The gate causal_bound: a gain larger than what the unmodified program's profiles leave room for is looked at first.

#pragma once

#include <optional>

#include <aiopt/evaluation.hpp>
#include <aiopt/profile.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// The largest factor on throughput that the profiles of a program leave room for.
///
/// Of the time that is not idle, all may go that was spent waiting or in code that no causal experiment was made of;
/// the time on a line with experiments only so far as the upper end of its effect's interval goes, at the largest
/// virtual speedup tried. So with s the line's share of the samples and e that end (Curtsinger and Berger, SOSP 2015):
/// 1 / (1 - room), room = 1 - sum over lines of max(0, s - e).
///
/// Nothing: no line has both a share and experiments, or none of them takes more time than it may give back. Then a
/// profile bounds nothing.
std::optional<double> causal_bound(const Profile& baseline);

/// Puts a candidate that passed in quarantine, the report of the gate with it, if even the lower bound of its speed-up
/// is above causal_bound(). It is no proof against it: the search goes on without it, and somebody has a look.
/// Not if the task has the gate off.
void check_causal_bound(const GatesTask& gates, const Profile& baseline, Evaluation& candidate);

}  // namespace aiopt
