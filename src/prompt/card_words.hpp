/// Figures of a profile in the words of the bottleneck card. Whatever a profile holds, they are one short line.

#pragma once

#include <string>

#include <aiopt/profile.hpp>

namespace aiopt {

/// A share of the time that goes away, with its interval at 95 %. Negative where it takes longer.
struct TimeReduction {
  double effect = 0.0;
  double lower = 0.0;
  double upper = 0.0;
};

/// "41 %", "<1 %". Clipped to [0, 1]; no number is 0.
std::string share_in_words(double share);

/// "-43 % (-47 to -38 %)": how the time changes, with the interval.
std::string change_in_words(const TimeReduction& reduction);

/// "-43 % time = 1.75x the throughput (-47 to -38 %)"; of a latency "-43 % latency (-47 to -38 %)".
std::string effect_in_words(const TimeReduction& reduction, bool is_latency);

/// The point of a curve that says most: at the largest virtual speed-up of those whose interval lies above 0 if the
/// target is credible, below 0 if it is one of contention only; else the last one. Null for an empty curve, and
/// where it has no finite effect.
const CausalPoint* telling_point(const CausalTarget& target);

}  // namespace aiopt
