/// A race against a threshold: pairs are measured until the interval decides.

#pragma once

#include <span>
#include <vector>

#include "measure/paired_estimate.hpp"

namespace aiopt {

/// The defaults, simulated by tests/benchmarks/statistics.cpp.
/// - Where a pair's log-ratio has a standard deviation of 4 %, the baseline against itself is told apart in 3.7 to
///   4.8 % of races, whatever the noise, a drift included. Under normal noise a slow-down by 5 % is told in 95 % of
///   races, a speed-up by 5 % in 93 %, 10 % always. A candidate like the baseline takes 13.5 pairs on the average, 5 %
///   take 9, 10 % take 5, 25 % take 3.4.
/// - Up to 50 pairs, as `aiopt compare` takes, tell 5 % in 95 % of races and more where a pair varies by 8 % (in 78 %
/// if
///   there are large outliers), after 25 pairs. But they take 48 for what changes nothing: most of a search's
///   candidates.
/// - On a quiet machine (1 %) half_width ends those after 6 pairs, and 2 % are told in 81 %.
struct RacingRules {
  int min_pairs = 3;         ///< At least 1; equal to max_pairs makes it an ordinary test of so many pairs.
  int max_pairs = 14;        ///< At least min_pairs.
  double half_width = 0.02;  ///< Log-ratio, at least 0: an interval as narrow as +-2 % is enough, whatever it holds.
  double confidence = 0.95;  ///< Of all looks together, in (0, 1).
};

enum class Verdict {
  undecided,      ///< Measure on.
  faster,         ///< The whole interval is above the threshold.
  slower,         ///< The whole interval is below the threshold.
  no_difference,  ///< It holds the threshold, and is narrow enough or the last there is.
};

struct Look {
  PairedEstimate estimate;  ///< Its confidence is this look's own, above the race's.
  Verdict verdict = Verdict::undecided;
  bool is_last = false;  ///< The race is over: decided, or max_pairs reached.
  int next_look = 0;     ///< How many pairs there must be before the next look; 0 after the last.
};

/// The part of alpha that may be spent by the time that this share of the pairs is measured: Lan and DeMets (Biometrika
/// 70(3), 1983), their function of Pocock's type, alpha * ln(1 + (e - 1) * share). It spends early, as a search wants:
/// most candidates are to be dropped or kept after a few pairs.
/// @pre share in [0, 1]
double spent_alpha(double share, double alpha);

/// Two-sided levels for looks at these shares of the information, such that the chance that a Brownian motion without
/// drift was outside at any look is spent_alpha() of that look's share: by numerical integration (Armitage, McPherson
/// and Rowe, JRSS A 132(2), 1969).
/// @pre shares ascend, in (0, 1]
std::vector<double> levels_of_looks(std::span<const double> shares, double alpha);

/// One look after another at the log-ratios of one race.
///
/// The intervals are repeated confidence intervals (Jennison and Turnbull, Controlled Clinical Trials 5(1), 1984): all
/// those of a race hold the truth at once with RacingRules::confidence, so that one may stop at whichever look, for
/// whatever reason, and compare with whatever threshold.
/// A race ends as soon as the interval leaves the threshold, to either side: a hopeless candidate at the first look.
/// What ended early was lucky on the average: claim `lower`, not `log_ratio`, or measure anew.
///
/// Immutable; may be used by several threads.
class SequentialTest {
 public:
  explicit SequentialTest(const RacingRules& rules = {});

  /// How many pairs there are at each planned look: few of them, each costs width. 3, 5, 7, 10, 14 by default.
  const std::vector<int>& looks() const { return looks_; }
  /// The confidence of the interval at each of looks().
  const std::vector<double>& confidences() const { return confidences_; }

  /// Looks at the pairs measured so far, in the order measured. Pure: the same values give the same look.
  /// Between the planned looks it gives what a race that must end now may claim; going on after such a look spends
  /// a little more than alpha. Below min_pairs the verdict is undecided. Of more than max_pairs, all are used.
  /// @param threshold log-ratio: 0 asks "faster than the baseline?", an elite's log speed-up "faster than the elite?"
  /// @pre every value finite
  Look look(std::span<const double> log_ratios, double threshold = 0.0) const;

 private:
  double confidence_at(int pairs) const;

  RacingRules rules_;
  std::vector<int> looks_;
  std::vector<double> confidences_;
};

}  // namespace aiopt
