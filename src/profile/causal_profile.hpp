/// From experiments to a causal profile: effects, their error bars, and which of them can be believed.

#pragma once

#include <cstddef>
#include <string>

#include <aiopt/profile.hpp>
#include <aiopt/rng.hpp>

#include "profile/causal_experiments.hpp"

namespace aiopt {

/// Which experiments are enough to say something. One or two at a virtual speedup are noise: on a machine with load
/// the same line gave anything from -23 to +23 %.
struct CausalRules {
  int min_baseline_experiments = 5;  ///< At a virtual speedup of 0; at least 1.
  int min_experiments = 5;           ///< At each other point of a curve; at least 1.
  /// Mean of the experiments of a place and a virtual speedup above 0, their delays taken off: see rules_for_coz().
  double min_time_ns = 0.0;
  int min_visits = 5;    ///< At each point of a curve, its experiments together, as coz's viewer has it.
  int min_speedups = 1;  ///< Points of a curve beside 0.
  /// Neighbouring virtual speedups become one point of the curve until they have so many experiments together, but no
  /// farther apart than pooled_width: coz draws one of 21, so that a short profile has few at each of them.
  int pooled_experiments = 15;
  double pooled_width = 0.2;  ///< 0: never.
  int resamples = 1000;
  double confidence = 0.95;  ///< Of each interval, in (0, 1).
  /// A line that runs in a part of the run only has its experiments there, and their effect is one on that part. The
  /// correction (Curtsinger and Berger, SOSP 2015, section 3.4) multiplies it by that part's share of the run: the
  /// line's samples per time over the whole run, divided by those during its experiments; at most 1. It needs the runs'
  /// own end (a run that was killed has no samples), and leaves classes of waits alone. Off: the paper's phases are
  /// those of a program that is run once from start to end, a benchmark has one.
  bool phase_correction = false;
};

/// What was sped up, out of a profiler's words.
struct SelectedCode {
  CodePlace place;    ///< File and line; empty for a class of waits.
  std::string scope;  ///< CausalTarget::scope. A class that is not known keeps its word.
  std::string given;  ///< CausalTarget::given.

  bool operator==(const SelectedCode&) const = default;
};

/// "/src/wal.cc:47" is a line; BCOZ's "IO" a class, its "SCHEDULING(IO,0.50%|)" the class SCHEDULING given "IO,0.50%".
SelectedCode split_selected(const std::string& selected);

/// The arithmetic is that of coz's viewer. Experiments of the same place, progress point and virtual speedup are
/// pooled over all runs. Each point's time is (sum of durations) / (sum of visits); that of a latency is by Little's
/// law (in flight, weighted by duration) / (arrivals per time), which is sum(in flight * duration) / sum(arrivals). The
/// effect is 1 - time / time at 0.
///
/// Where it is not: a lower latency is a positive effect (the viewer shows it as a negative one). An effect
/// below -1, that the viewer leaves out, is given as -1.
///
/// Intervals are expanded percentile intervals of the bootstrap (Hesterberg, The American Statistician 69(4), 2015,
/// section 4.1): experiments are drawn anew within each point of the curve, that at 0 included. They hold what varies
/// from experiment to experiment; what varies from run to run is in them only where speedups alternate within a run, as
/// with coz's own random ones, and a note says where they did not. Whether an effect can be believed is asked at
/// `confidence` of all points of the profile together (Bonferroni): of a hundred lines without any effect some have an
/// interval above 0. One experiment alone says nothing: -1 to 1.
///
/// Not used: experiments without a duration or a visit; at a virtual speedup that leaves less than min_time_ns; of
/// coz.h's own lines; of a place and progress point whose points at 0 or elsewhere are fewer than the rules ask for.
/// The notes say how many.
///
/// @param rng the same state gives the same profile
CausalProfile analyse(const CausalExperiments& experiments, const CausalRules& rules, Rng& rng);

/// What a curve must have for more experiments to tell little.
struct SettledRules {
  std::size_t points = 1;  ///< That at 0 is one of them.
  int experiments = 1;     ///< At each.
  double width = 0.0;      ///< Of each point's interval, at most.
};

/// Whether the curve of every target, of which there is one, has that. To be asked between runs: it looks at how wide
/// intervals are, and not at the effects.
bool is_settled(const CausalProfile& profile, const SettledRules& rules);

}  // namespace aiopt
