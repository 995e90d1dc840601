/// What a machine's noise allows to be seen, and whether the machine itself changed.

#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace aiopt {

/// Qn (Rousseeuw and Croux, JASA 88, 1993): about the first quartile of all distances between two values, scaled to be
/// the standard deviation under normal noise, for few values too. Nearly half of the values may be spoiled before it
/// breaks, and it is twice as steady as the MAD (efficiency 0.82, not 0.37), which with ten values matters.
/// @pre at least two values, every one finite
double robust_sd(std::span<const double> values);

/// The smallest speed-up, as a fraction (0.018 is 1.8 %), that so many pairs show with the probability `power` in a
/// test at the level `alpha`: (t(1 - alpha / 2) + t(power)) standard errors (Bloom, Evaluation Review 19(5), 1995), the
/// standard error being that of Hodges-Lehmann under normal noise of robust_sd().
/// @param aa_log_ratios of an A/A test: the baseline against itself, in pairs
/// @pre at least two log-ratios, every one finite; pairs >= 2; alpha in (0, 1); power in [0.5, 1)
double minimum_detectable_effect(std::span<const double> aa_log_ratios, int pairs, double alpha = 0.05,
                                 double power = 0.8);

/// "this host tells 1.8 % apart in 7 pairs"
std::string noise_floor_sentence(double effect, int pairs);

struct Drift {
  enum class Kind {
    step,   ///< From run `since` on it has another level.
    trend,  ///< It rises or falls all the time.
  };
  Kind kind = Kind::step;
  double size = 0.0;      ///< Now against the beginning, as a fraction: -0.1 is a tenth slower.
  std::size_t since = 0;  ///< Index of the first run after the step; 0 for a trend.
  double p_value = 1.0;   ///< That a machine without drift looks like this.
};

/// Whether the baseline's throughput has changed its level, from its runs in the order of time.
///
/// Two sorts are looked for:
/// - a step: the split whose two sides' means differ most for their lengths, each at least three runs, against 2,000
///   shuffles of the runs with a fixed seed (as E-Divisive tests its splits: Matteson and James, JASA 109, 2014); its
///   size by the sides' medians;
/// - a trend: Mann-Kendall's test (Mann, Econometrica 13(3), 1945); its size by Theil-Sen's slope.
///
/// Either counts if its p-value is below 0.01 and its size above the noise: robust_sd() of the runs once it is taken
/// away. Of both, the one that leaves less noise is told.
/// Pairing takes most of a drift out of the log-ratios; what it spoils is throughputs compared across time.
///
/// @return nothing if there is no drift, or fewer than eight runs
/// @pre every throughput finite and above 0
std::optional<Drift> find_drift(std::span<const double> throughputs);

}  // namespace aiopt
