/// Alpha spending, the levels of the looks, and the rules that end a race.

#include "measure/sequential_test.hpp"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace aiopt {

namespace {

/// Grid of the integration, for Simpson's rule. The levels are right to six digits.
constexpr std::size_t kGridIntervals = 160;
constexpr int kBisections = 50;

double normal_tail(double z) {
  return 0.5 * std::erfc(z / std::numbers::sqrt2);
}

double normal_density(double z) {
  return std::exp(-0.5 * z * z) / std::sqrt(2.0 * std::numbers::pi);
}

/// A Brownian motion that has not been outside yet, at one look: its density on a grid from -bound to bound.
struct Surviving {
  std::vector<double> places;
  std::vector<double> masses;  ///< Density times Simpson's weight.

  explicit Surviving(double bound) {
    const double step = 2.0 * bound / static_cast<double>(kGridIntervals);
    for (std::size_t i = 0; i <= kGridIntervals; ++i) {
      places.push_back(-bound + step * static_cast<double>(i));
      const double weight = i == 0 || i == kGridIntervals ? 1.0 : (i % 2 == 1 ? 4.0 : 2.0);
      masses.push_back(weight * step / 3.0);
    }
  }
};

/// The chance to be outside +-bound after a further step of that standard deviation.
double chance_outside(const Surviving& before, double bound, double deviation) {
  double chance = 0.0;
  for (std::size_t i = 0; i < before.places.size(); ++i) {
    chance += before.masses[i] * (normal_tail((bound - before.places[i]) / deviation) +
                                  normal_tail((bound + before.places[i]) / deviation));
  }
  return chance;
}

double bound_with_chance(const Surviving& before, double chance, double deviation, double highest) {
  double lowest = 0.0;
  for (int step = 0; step < kBisections; ++step) {
    const double middle = 0.5 * (lowest + highest);
    (chance_outside(before, middle, deviation) > chance ? lowest : highest) = middle;
  }
  return 0.5 * (lowest + highest);
}

Surviving step_on(const Surviving& before, double bound, double deviation) {
  Surviving after(bound);
  for (std::size_t i = 0; i < after.places.size(); ++i) {
    double density = 0.0;
    for (std::size_t j = 0; j < before.places.size(); ++j) {
      density += before.masses[j] * normal_density((after.places[i] - before.places[j]) / deviation);
    }
    after.masses[i] *= density / deviation;
  }
  return after;
}

/// Each look a good third later than the one before, and none shortly before the last.
std::vector<int> planned_looks(const RacingRules& rules) {
  std::vector<int> looks;
  int pairs = rules.min_pairs;
  while (5 * rules.max_pairs > 6 * pairs) {
    looks.push_back(pairs);
    pairs = std::max(pairs + 2, static_cast<int>(std::lround(1.4 * pairs)));
  }
  looks.push_back(rules.max_pairs);
  return looks;
}

std::vector<double> confidences_at(const std::vector<int>& looks, const RacingRules& rules) {
  std::vector<double> shares;
  for (const int pairs : looks) shares.push_back(static_cast<double>(pairs) / rules.max_pairs);
  std::vector<double> confidences;
  for (const double level : levels_of_looks(shares, 1.0 - rules.confidence)) confidences.push_back(1.0 - level);
  return confidences;
}

Verdict verdict_of(const PairedEstimate& estimate, double threshold, const RacingRules& rules) {
  if (estimate.pairs < rules.min_pairs) return Verdict::undecided;
  if (estimate.lower > threshold) return Verdict::faster;
  if (estimate.upper < threshold) return Verdict::slower;
  const bool is_narrow = 0.5 * (estimate.upper - estimate.lower) <= rules.half_width;
  return is_narrow || estimate.pairs >= rules.max_pairs ? Verdict::no_difference : Verdict::undecided;
}

}  // namespace

double spent_alpha(double share, double alpha) {
  assert(share >= 0.0 && share <= 1.0);
  return alpha * std::log(1.0 + (std::numbers::e - 1.0) * share);
}

std::vector<double> levels_of_looks(std::span<const double> shares, double alpha) {
  assert(alpha > 0.0 && alpha < 1.0);
  std::vector<double> levels;
  Surviving surviving(0.0);
  double share_before = 0.0;
  for (const double share : shares) {
    assert(share > share_before && share <= 1.0);
    const double chance = spent_alpha(share, alpha) - spent_alpha(share_before, alpha);
    const double deviation = std::sqrt(share - share_before);
    double bound = 0.0;
    if (levels.empty()) {
      bound = deviation * boost::math::quantile(boost::math::complement(boost::math::normal(), chance / 2.0));
      surviving = Surviving(bound);
      for (std::size_t i = 0; i < surviving.places.size(); ++i) {
        surviving.masses[i] *= normal_density(surviving.places[i] / deviation) / deviation;
      }
    } else {
      // Outside so far has less than this chance even without the looks before.
      const double highest =
          std::sqrt(share) * boost::math::quantile(boost::math::complement(boost::math::normal(), chance / 2.0));
      bound = bound_with_chance(surviving, chance, deviation, highest);
      surviving = step_on(surviving, bound, deviation);
    }
    levels.push_back(2.0 * normal_tail(bound / std::sqrt(share)));
    share_before = share;
  }
  return levels;
}

SequentialTest::SequentialTest(const RacingRules& rules) : rules_(rules) {
  assert(rules.min_pairs >= 1 && rules.max_pairs >= rules.min_pairs);
  assert(rules.half_width >= 0.0 && rules.confidence > 0.0 && rules.confidence < 1.0);
  looks_ = planned_looks(rules);
  confidences_ = confidences_at(looks_, rules);
}

double SequentialTest::confidence_at(int pairs) const {
  if (pairs >= looks_.back()) return confidences_.back();
  const auto planned = std::lower_bound(looks_.begin(), looks_.end(), pairs);
  if (*planned == pairs) return confidences_[static_cast<std::size_t>(planned - looks_.begin())];
  std::vector<int> looks(looks_.begin(), planned);
  looks.push_back(std::max(pairs, 1));
  return confidences_at(looks, rules_).back();
}

Look SequentialTest::look(std::span<const double> log_ratios, double threshold) const {
  const auto pairs = static_cast<int>(log_ratios.size());
  Look look;
  look.estimate = estimate_pairs(log_ratios, confidence_at(pairs));
  look.verdict = verdict_of(look.estimate, threshold, rules_);
  look.is_last = look.verdict != Verdict::undecided;
  if (!look.is_last) look.next_look = *std::upper_bound(looks_.begin(), looks_.end(), pairs);
  return look;
}

}  // namespace aiopt
