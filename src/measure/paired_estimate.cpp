/// Hodges-Lehmann, its BCa bootstrap, Wilcoxon's signed ranks.

#include "measure/paired_estimate.hpp"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include <aiopt/rng.hpp>

namespace aiopt {

namespace {

constexpr int kResamples = 2000;
constexpr std::uint64_t kResamplingSeed = 1987;
/// Up to so many values the signed ranks' distribution is counted out.
constexpr int kMostExactRanks = 25;

struct Interval {
  double lower = 0.0;
  double upper = 0.0;
};

[[maybe_unused]] bool all_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

double normal_cdf(double z) {
  return boost::math::cdf(boost::math::normal(), z);
}

double normal_quantile(double probability) {
  return boost::math::quantile(boost::math::normal(), probability);
}

/// The averages of all pairs i <= j, sorted once. A resample takes value i weights[i] times, and so the average of i
/// and j weights[i] * weights[j] times: its Hodges-Lehmann estimate is a weighted median of these, found in one pass.
class WalshAverages {
 public:
  explicit WalshAverages(std::span<const double> values) {
    averages_.reserve(values.size() * (values.size() + 1) / 2);
    for (std::size_t i = 0; i < values.size(); ++i) {
      for (std::size_t j = i; j < values.size(); ++j) {
        averages_.push_back(
            {0.5 * values[i] + 0.5 * values[j], static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(j)});
      }
    }
    std::sort(averages_.begin(), averages_.end(), [](const Average& a, const Average& b) { return a.value < b.value; });
  }

  /// @pre the weights' sum is `taken`, and above 0
  double median(const std::vector<int>& weights, int taken) const {
    const int count = taken * (taken + 1) / 2;
    const int lower_middle = (count - 1) / 2;
    const int upper_middle = count / 2;
    const int* weight = weights.data();
    const Average* average = averages_.data();
    // Pointers: this loop is most of the work, and unoptimised builds run it too.
    int passed = 0;
    for (;; ++average) {
      passed += average->i == average->j ? weight[average->i] * (weight[average->i] + 1) / 2
                                         : weight[average->i] * weight[average->j];
      if (passed > lower_middle) break;
    }
    const double lower = average->value;
    while (passed <= upper_middle) {
      ++average;
      passed += average->i == average->j ? weight[average->i] * (weight[average->i] + 1) / 2
                                         : weight[average->i] * weight[average->j];
    }
    return 0.5 * lower + 0.5 * average->value;
  }

 private:
  struct Average {
    double value;
    std::uint32_t i;
    std::uint32_t j;
  };
  std::vector<Average> averages_;
};

double median_of_all(const WalshAverages& averages, std::size_t count) {
  return averages.median(std::vector<int>(count, 1), static_cast<int>(count));
}

std::vector<double> bootstrap(const WalshAverages& averages, std::size_t count) {
  Rng rng(kResamplingSeed);
  std::vector<int> weights(count);
  std::vector<double> estimates(kResamples);
  for (double& estimate : estimates) {
    std::fill(weights.begin(), weights.end(), 0);
    // Rng::index() divides, which here is most of the work; this favours some values by less than one in 2^25.
    for (std::size_t drawn = 0; drawn < count; ++drawn) ++weights[((rng() >> 32) * count) >> 32];
    estimate = averages.median(weights, static_cast<int>(count));
  }
  return estimates;
}

/// The estimate's skewness, from leaving out each value in turn (Efron 1987, 6.6).
double acceleration(const WalshAverages& averages, std::size_t count) {
  std::vector<int> weights(count, 1);
  std::vector<double> without(count);
  for (std::size_t left_out = 0; left_out < count; ++left_out) {
    weights[left_out] = 0;
    without[left_out] = averages.median(weights, static_cast<int>(count) - 1);
    weights[left_out] = 1;
  }
  const double mean = std::accumulate(without.begin(), without.end(), 0.0) / static_cast<double>(count);
  double squares = 0.0;
  double cubes = 0.0;
  for (const double estimate : without) {
    const double difference = mean - estimate;
    squares += difference * difference;
    cubes += difference * difference * difference;
  }
  return squares > 0.0 ? cubes / (6.0 * std::pow(squares, 1.5)) : 0.0;
}

/// Share of the bootstrap's estimates below the estimate, those equal to it counted half; never 0 or 1.
double share_below(const std::vector<double>& resampled, double estimate) {
  int doubled = 0;
  for (const double other : resampled) doubled += other < estimate ? 2 : (other == estimate ? 1 : 0);
  const auto count = static_cast<double>(resampled.size());
  return std::clamp(doubled / (2.0 * count), 1.0 / (count + 1.0), count / (count + 1.0));
}

/// Between neighbours by their distance; symmetric: of the negated values it is -quantile(1 - p). Reorders them.
double quantile_of(std::vector<double>& values, double probability) {
  const auto count = static_cast<double>(values.size());
  const double place = std::clamp(probability * (count + 1.0) - 1.0, 0.0, count - 1.0);
  const double below = std::floor(place);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), at, values.end());
  if (place == below) return *at;
  return (1.0 - (place - below)) * *at + (place - below) * *std::min_element(at + 1, values.end());
}

Interval bca_interval(const WalshAverages& averages, std::size_t count, double estimate, double t) {
  std::vector<double> resampled = bootstrap(averages, count);
  const double bias = normal_quantile(share_below(resampled, estimate));
  const double skewness = acceleration(averages, count);
  const auto n = static_cast<double>(count);
  const double z = std::sqrt(n / (n - 1.0)) * t;  // Hesterberg's wider levels.
  const auto bound = [&](double at) {
    const double shifted = bias + at;
    const double denominator = 1.0 - skewness * shifted;
    if (denominator <= 0.0) return quantile_of(resampled, shifted < 0.0 ? 0.0 : 1.0);
    return quantile_of(resampled, normal_cdf(bias + shifted / denominator));
  };
  return {bound(-z), bound(z)};
}

Interval student_interval(std::span<const double> values, double estimate, double t) {
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double half_width = t * std::sqrt(squares / (n - 1.0) / n);
  return {estimate - half_width, estimate + half_width};
}

/// Whether lowest and highest value hold the median with next to the confidence that is asked for.
bool bootstrap_can_hold(std::size_t count, double alpha) {
  return std::ldexp(1.0, 1 - static_cast<int>(count)) <= alpha / 3.0;
}

Interval interval_about(const WalshAverages& averages, std::span<const double> values, double estimate, double alpha,
                        double t) {
  if (bootstrap_can_hold(values.size(), alpha)) return bca_interval(averages, values.size(), estimate, t);
  const Interval student = student_interval(values, estimate, t);
  const auto [lowest, highest] = std::minmax_element(values.begin(), values.end());
  // No resample's estimate is beyond these.
  if (student.lower <= *lowest && *highest <= student.upper) return student;
  const Interval bca = bca_interval(averages, values.size(), estimate, t);
  return {std::min(student.lower, bca.lower), std::max(student.upper, bca.upper)};
}

/// How often each sum of doubled ranks comes, over all choices of signs: doubled, mean ranks are whole numbers.
double exact_p_value(const std::vector<int>& doubled_ranks, int doubled_sum) {
  const int most = std::accumulate(doubled_ranks.begin(), doubled_ranks.end(), 0);
  std::vector<double> ways(static_cast<std::size_t>(most) + 1, 0.0);
  ways[0] = 1.0;
  for (const int rank : doubled_ranks) {
    for (int sum = most; sum >= rank; --sum)
      ways[static_cast<std::size_t>(sum)] += ways[static_cast<std::size_t>(sum - rank)];
  }
  // The distribution is symmetric.
  const int smaller = std::min(doubled_sum, most - doubled_sum);
  const double tail = std::accumulate(ways.begin(), ways.begin() + smaller + 1, 0.0);
  return std::min(1.0, 2.0 * std::ldexp(tail, -static_cast<int>(doubled_ranks.size())));
}

}  // namespace

double hodges_lehmann(std::span<const double> values) {
  assert(!values.empty() && all_finite(values));
  return median_of_all(WalshAverages(values), values.size());
}

double wilcoxon_signed_rank(std::span<const double> values) {
  assert(all_finite(values));
  std::vector<double> sorted;
  std::copy_if(values.begin(), values.end(), std::back_inserter(sorted), [](double value) { return value != 0.0; });
  std::sort(sorted.begin(), sorted.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  const auto count = static_cast<int>(sorted.size());
  if (count == 0) return 1.0;

  std::vector<int> doubled_ranks;
  int doubled_sum = 0;  // Of the positive values' ranks.
  double ties = 0.0;
  for (std::size_t first = 0; first < sorted.size();) {
    std::size_t end = first;
    while (end < sorted.size() && std::abs(sorted[end]) == std::abs(sorted[first])) ++end;
    const auto doubled_rank = static_cast<int>(first + 1 + end);  // Ranks first + 1 to end.
    const auto tied = static_cast<double>(end - first);
    ties += tied * tied * tied - tied;
    for (; first < end; ++first) {
      doubled_ranks.push_back(doubled_rank);
      if (sorted[first] > 0.0) doubled_sum += doubled_rank;
    }
  }
  if (count <= kMostExactRanks) return exact_p_value(doubled_ranks, doubled_sum);

  const double n = count;
  const double mean = n * (n + 1.0) / 4.0;
  const double variance = n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ties / 48.0;
  const double distance = std::max(0.0, std::abs(0.5 * doubled_sum - mean) - 0.5);
  return std::min(1.0, 2.0 * normal_cdf(-distance / std::sqrt(variance)));
}

PairedEstimate estimate_pairs(std::span<const double> log_ratios, double confidence) {
  assert(confidence > 0.0 && confidence < 1.0);
  assert(all_finite(log_ratios));
  PairedEstimate estimate;
  estimate.confidence = confidence;
  estimate.pairs = static_cast<int>(log_ratios.size());
  estimate.lower = -std::numeric_limits<double>::infinity();
  estimate.upper = std::numeric_limits<double>::infinity();
  if (log_ratios.empty()) return estimate;

  const WalshAverages averages(log_ratios);
  estimate.log_ratio = median_of_all(averages, log_ratios.size());
  estimate.p_value = wilcoxon_signed_rank(log_ratios);
  if (log_ratios.size() < 2) return estimate;

  const double alpha = 1.0 - confidence;
  const boost::math::students_t distribution(static_cast<double>(log_ratios.size() - 1));
  const double t = boost::math::quantile(boost::math::complement(distribution, alpha / 2.0));
  const Interval interval = interval_about(averages, log_ratios, estimate.log_ratio, alpha, t);
  estimate.lower = interval.lower;
  estimate.upper = interval.upper;
  return estimate;
}

}  // namespace aiopt
