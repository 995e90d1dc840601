/// Qn, the minimum detectable effect, steps and trends.

#include "measure/noise_floor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include <aiopt/rng.hpp>

#include "measure/paired_estimate.hpp"

namespace aiopt {

namespace {

/// Asymptotic variance of the mean over that of Hodges-Lehmann, under normal noise: 3 / pi.
constexpr double kHodgesLehmannEfficiency = 0.954929658551372;
constexpr std::size_t kFewestRuns = 8;
constexpr std::size_t kShortestSide = 3;
constexpr int kShuffles = 2000;
constexpr std::uint64_t kShufflingSeed = 2014;
constexpr double kDriftLevel = 0.01;

double median(std::vector<double> values) {
  const std::size_t half = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 == 1 ? values[half] : 0.5 * values[half - 1] + 0.5 * values[half];
}

/// Makes Qn unbiased for so many normal values: Croux and Rousseeuw's table, and robustbase's fit beyond it.
double qn_correction(std::size_t count) {
  constexpr std::array kOfFew = {0.399356, 0.99365, 0.51321, 0.84401, 0.61220, 0.85877,
                                 0.66993,  0.87344, 0.72014, 0.88906, 0.75743};
  if (count - 2 < kOfFew.size()) return kOfFew[count - 2];
  const auto n = static_cast<double>(count);
  if (count % 2 == 1) return 1.0 / (1.0 + (1.60188 + (-2.1284 - 5.172 / n) / n) / n);
  return 1.0 / (1.0 + (3.67561 + (1.9654 + (6.987 - 77.0 / n) / n) / n) / n);
}

struct Split {
  std::size_t at = 0;
  double distance = 0.0;
};

/// Where the means before and after differ most, as a multiple of what they would by chance.
Split widest_split(const std::vector<double>& levels) {
  const auto n = static_cast<double>(levels.size());
  const double mean = std::accumulate(levels.begin(), levels.end(), 0.0) / n;
  Split widest;
  double excess = 0.0;
  for (std::size_t at = 1; at + kShortestSide <= levels.size(); ++at) {
    excess += levels[at - 1] - mean;
    if (at < kShortestSide) continue;
    const auto before = static_cast<double>(at);
    const double distance = std::abs(excess) / std::sqrt(before * (n - before));
    if (distance > widest.distance) widest = {at, distance};
  }
  return widest;
}

/// Share of shuffles that differ as much somewhere; the order found is one of them. Where it cannot come below
/// kDriftLevel any more, the least that it can be: a machine without drift is told after a few dozen shuffles.
double p_value_of_split(std::vector<double> levels, double distance) {
  Rng rng(kShufflingSeed);
  int as_wide = 1;
  for (int shuffle = 0; shuffle < kShuffles; ++shuffle) {
    for (std::size_t left = levels.size(); left > 1; --left) std::swap(levels[left - 1], levels[rng.index(left)]);
    // Sums of the same numbers in another order differ in the last digits.
    if (widest_split(levels).distance >= distance * (1.0 - 1e-9)) ++as_wide;
    if (as_wide >= kDriftLevel * (kShuffles + 1)) break;
  }
  return static_cast<double>(as_wide) / (kShuffles + 1);
}

/// Mann-Kendall, two-sided, with corrections for ties and continuity.
double p_value_of_trend(const std::vector<double>& levels) {
  double rises = 0.0;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    for (std::size_t j = i + 1; j < levels.size(); ++j) {
      if (levels[j] != levels[i]) rises += levels[j] > levels[i] ? 1.0 : -1.0;
    }
  }
  std::vector<double> sorted = levels;
  std::sort(sorted.begin(), sorted.end());
  const auto spread = [](double n) { return n * (n - 1.0) * (2.0 * n + 5.0); };
  double variance = spread(static_cast<double>(sorted.size()));
  for (auto first = sorted.begin(); first != sorted.end();) {
    const auto end = std::upper_bound(first, sorted.end(), *first);
    variance -= spread(static_cast<double>(end - first));
    first = end;
  }
  if (variance <= 0.0) return 1.0;
  const double z = std::max(0.0, std::abs(rises) - 1.0) / std::sqrt(variance / 18.0);
  return 2.0 * boost::math::cdf(boost::math::complement(boost::math::normal(), z));
}

double theil_sen_slope(const std::vector<double>& levels) {
  std::vector<double> slopes;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    for (std::size_t j = i + 1; j < levels.size(); ++j)
      slopes.push_back((levels[j] - levels[i]) / static_cast<double>(j - i));
  }
  return median(std::move(slopes));
}

/// A drift in logarithms, and the noise that is left without it.
struct FoundDrift {
  Drift drift;
  double noise = 0.0;
};

std::optional<FoundDrift> counted(Drift drift, double log_size, const std::vector<double>& rest) {
  const double noise = robust_sd(rest);
  if (drift.p_value >= kDriftLevel || std::abs(log_size) <= noise) return std::nullopt;
  drift.size = std::expm1(log_size);
  return FoundDrift{drift, noise};
}

std::optional<FoundDrift> find_step(const std::vector<double>& levels) {
  const Split split = widest_split(levels);
  if (split.at == 0) return std::nullopt;
  const auto middle = levels.begin() + static_cast<std::ptrdiff_t>(split.at);
  const double before = median({levels.begin(), middle});
  const double after = median({middle, levels.end()});
  std::vector<double> rest = levels;
  for (std::size_t i = 0; i < rest.size(); ++i) rest[i] -= i < split.at ? before : after;
  const double p_value = p_value_of_split(levels, split.distance);
  return counted({.kind = Drift::Kind::step, .size = 0.0, .since = split.at, .p_value = p_value}, after - before, rest);
}

std::optional<FoundDrift> find_trend(const std::vector<double>& levels) {
  const double slope = theil_sen_slope(levels);
  std::vector<double> rest = levels;
  for (std::size_t i = 0; i < rest.size(); ++i) rest[i] -= slope * static_cast<double>(i);
  const double whole = slope * static_cast<double>(levels.size() - 1);
  return counted({.kind = Drift::Kind::trend, .size = 0.0, .since = 0, .p_value = p_value_of_trend(levels)}, whole,
                 rest);
}

}  // namespace

double robust_sd(std::span<const double> values) {
  assert(values.size() >= 2);
  std::vector<double> distances;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j) distances.push_back(std::abs(values[i] - values[j]));
  }
  const std::size_t half = values.size() / 2 + 1;
  const auto quarter = distances.begin() + static_cast<std::ptrdiff_t>(half * (half - 1) / 2 - 1);
  std::nth_element(distances.begin(), quarter, distances.end());
  return 2.21914 * qn_correction(values.size()) * *quarter;
}

double minimum_detectable_effect(std::span<const double> aa_log_ratios, int pairs, double alpha, double power) {
  assert(pairs >= 2 && alpha > 0.0 && alpha < 1.0 && power >= 0.5 && power < 1.0);
  const boost::math::students_t t(pairs - 1.0);
  const double errors =
      boost::math::quantile(boost::math::complement(t, alpha / 2.0)) + boost::math::quantile(t, power);
  const double standard_error = robust_sd(aa_log_ratios) / std::sqrt(pairs * kHodgesLehmannEfficiency);
  return std::expm1(errors * standard_error);
}

std::string noise_floor_sentence(double effect, int pairs) {
  return fmt::format("this host tells {:.1f} % apart in {} pairs", 100.0 * effect, pairs);
}

std::optional<Drift> find_drift(std::span<const double> throughputs) {
  if (throughputs.size() < kFewestRuns) return std::nullopt;
  std::vector<double> levels;
  for (const double throughput : throughputs) {
    assert(throughput > 0.0 && std::isfinite(throughput));
    levels.push_back(std::log(throughput));
  }
  const std::optional<FoundDrift> step = find_step(levels);
  const std::optional<FoundDrift> trend = find_trend(levels);
  if (!step && !trend) return std::nullopt;
  if (!trend) return step->drift;
  if (!step) return trend->drift;
  return step->noise <= trend->noise ? step->drift : trend->drift;
}

}  // namespace aiopt
