/// Hodges-Lehmann, its interval and Wilcoxon's test against tables, R and simulation.

#include "measure/paired_estimate.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <aiopt/rng.hpp>

#include "measure/noise_shapes.hpp"

using namespace aiopt;

namespace {

/// Hollander and Wolfe (1973), p. 29: the example of R's wilcox.test. V = 40, p = 0.03906.
const std::vector<double> kDepression = {0.952, -0.147, 1.022, 0.430, 0.620, 0.590, 0.490, -0.080, 0.010};

std::vector<double> negated(std::vector<double> values) {
  for (double& value : values) value = -value;
  return values;
}

/// 1 to `count`, those ranks negative.
std::vector<double> ranks(int count, const std::vector<int>& negative) {
  std::vector<double> values;
  for (int rank = 1; rank <= count; ++rank) {
    values.push_back(std::count(negative.begin(), negative.end(), rank) > 0 ? -rank : rank);
  }
  return values;
}

std::vector<double> draws(const NoiseShape& shape, std::size_t count, Rng& rng) {
  std::vector<double> values(count);
  for (double& value : values) value = shape.draw(rng) - shape.location;
  return values;
}

}  // namespace

TEST_CASE("Hodges-Lehmann is the median of the averages of all pairs") {
  CHECK(hodges_lehmann(std::vector{3.0}) == 3.0);
  CHECK(hodges_lehmann(std::vector{1.0, 2.0}) == 1.5);
  CHECK(hodges_lehmann(std::vector{1.0, 5.0, 2.0}) == 2.5);  // 1 1.5 2 3 3.5 5
  CHECK(hodges_lehmann(kDepression) == doctest::Approx(0.46));
}

TEST_CASE("one spoiled run hardly moves the estimate") {
  std::vector<double> values = {0.01, 0.02, 0.03, 0.02, 0.01, 0.03, 0.02};
  const double before = hodges_lehmann(values);
  values.push_back(-5.0);
  CHECK(hodges_lehmann(values) == doctest::Approx(before).scale(0.0).epsilon(0.3));
}

TEST_CASE("the signed-rank test has the tables' values") {
  CHECK(wilcoxon_signed_rank(kDepression) == doctest::Approx(0.0390625));
  CHECK(wilcoxon_signed_rank(ranks(7, {})) == doctest::Approx(0.015625));
  CHECK(wilcoxon_signed_rank(ranks(10, {8})) == doctest::Approx(50.0 / 1024.0));  // The critical value for 5 %.
  CHECK(wilcoxon_signed_rank(ranks(10, {9})) == doctest::Approx(66.0 / 1024.0));
  CHECK(wilcoxon_signed_rank(ranks(3, {})) == doctest::Approx(0.25));
}

TEST_CASE("ties have their mean rank, and zeros say nothing") {
  CHECK(wilcoxon_signed_rank(std::vector{1.0, 1.0, 1.0, -1.0}) == doctest::Approx(0.625));  // As the sign test.
  CHECK(wilcoxon_signed_rank(std::vector{0.0, 1.0, 1.0, 0.0, 1.0, -1.0}) == doctest::Approx(0.625));
  CHECK(wilcoxon_signed_rank(std::vector{0.0, 0.0}) == 1.0);
  CHECK(wilcoxon_signed_rank({}) == 1.0);
}

TEST_CASE("beyond 25 values the signed-rank test is the normal approximation, near the exact one") {
  CHECK(wilcoxon_signed_rank(ranks(30, {})) == doctest::Approx(1.8245e-6).scale(0.0).epsilon(0.001));
  const double exact = wilcoxon_signed_rank(ranks(25, {25, 24, 23, 10}));
  const double approximate = wilcoxon_signed_rank(ranks(26, {26, 25, 24, 10}));
  CHECK(exact == doctest::Approx(0.0302).scale(0.0).epsilon(0.03));
  CHECK(approximate == doctest::Approx(0.0222).scale(0.0).epsilon(0.03));
}

TEST_CASE("candidate and baseline swapped give the negated estimate") {
  Rng rng(1);
  for (const NoiseShape& shape : kNoiseShapes) {
    for (const std::size_t count : std::vector<std::size_t>{2, 3, 6, 7, 10, 15}) {
      const std::vector<double> values = draws(shape, count, rng);
      const PairedEstimate straight = estimate_pairs(values, 0.95);
      const PairedEstimate swapped = estimate_pairs(negated(values), 0.95);
      CAPTURE(shape.name);
      CAPTURE(count);
      CHECK(swapped.log_ratio == -straight.log_ratio);
      CHECK(swapped.lower == doctest::Approx(-straight.upper));
      CHECK(swapped.upper == doctest::Approx(-straight.lower));
      CHECK(swapped.p_value == straight.p_value);
    }
  }
}

TEST_CASE("a candidate twice as fast moves the interval, and nothing else") {
  Rng rng(2);
  std::vector<double> values = draws(kNoiseShapes.front(), 9, rng);
  const PairedEstimate before = estimate_pairs(values, 0.95);
  for (double& value : values) value += std::log(2.0);
  const PairedEstimate after = estimate_pairs(values, 0.95);
  CHECK(after.log_ratio == doctest::Approx(before.log_ratio + std::log(2.0)));
  CHECK(after.lower == doctest::Approx(before.lower + std::log(2.0)));
  CHECK(after.upper == doctest::Approx(before.upper + std::log(2.0)));
}

TEST_CASE("the same pairs always give the same interval") {
  const PairedEstimate once = estimate_pairs(kDepression, 0.95);
  const PairedEstimate again = estimate_pairs(kDepression, 0.95);
  CHECK(once.lower == again.lower);
  CHECK(once.upper == again.upper);
  CHECK(once.pairs == 9);
  CHECK(once.confidence == 0.95);
  CHECK(once.lower < once.log_ratio);
  CHECK(once.log_ratio < once.upper);
}

TEST_CASE("more confidence is a wider interval") {
  Rng rng(3);
  for (const std::size_t count : std::vector<std::size_t>{3, 5, 8, 12}) {
    const std::vector<double> values = draws(kNoiseShapes.front(), count, rng);
    const PairedEstimate narrow = estimate_pairs(values, 0.90);
    const PairedEstimate wide = estimate_pairs(values, 0.99);
    CHECK(wide.upper > narrow.upper);
    CHECK(wide.lower < narrow.lower);
  }
}

TEST_CASE("without pairs, and with one, nothing is known") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const PairedEstimate none = estimate_pairs({}, 0.95);
  CHECK(none.log_ratio == 0.0);
  CHECK(none.lower == -kInfinity);
  CHECK(none.upper == kInfinity);
  CHECK(none.p_value == 1.0);
  const PairedEstimate one = estimate_pairs(std::vector{0.1}, 0.95);
  CHECK(one.log_ratio == 0.1);
  CHECK(one.lower == -kInfinity);
  CHECK(one.upper == kInfinity);
  CHECK(one.p_value == 1.0);
  CHECK(one.pairs == 1);
}

TEST_CASE("equal pairs give an interval without width") {
  for (const std::size_t count : std::vector<std::size_t>{2, 3, 7, 12}) {
    const PairedEstimate estimate = estimate_pairs(std::vector(count, 0.1), 0.95);
    CHECK(estimate.log_ratio == 0.1);
    CHECK(estimate.lower == doctest::Approx(0.1));
    CHECK(estimate.upper == doctest::Approx(0.1));
  }
}

TEST_CASE("few values have Student's interval at least") {
  const PairedEstimate estimate = estimate_pairs(std::vector{-1.0, 0.0, 1.0}, 0.95);
  CHECK(estimate.upper == doctest::Approx(4.302653 / std::sqrt(3.0)));
  CHECK(estimate.lower == doctest::Approx(-4.302653 / std::sqrt(3.0)));
}

TEST_CASE("many values have an interval that one spoiled run does not blow up") {
  Rng rng(4);
  std::vector<double> values = draws(kNoiseShapes.front(), 20, rng);
  const PairedEstimate before = estimate_pairs(values, 0.95);
  values.push_back(-50.0);
  const PairedEstimate after = estimate_pairs(values, 0.95);
  // Student's would be 23 wide.
  CHECK(after.upper - after.lower < 2.0 * (before.upper - before.lower));
}

/// By a second implementation, in Python with 20,000 resamples: 0.0110 and 0.1303. Without the acceleration they would
/// be 0.0090 and 0.1280, with the bootstrap's own levels, not widened, 0.0138 and 0.1125.
TEST_CASE("the interval of many values is BCa's, at Hesterberg's levels") {
  const std::vector<double> leaning = {0.021,  -0.013, 0.048, 0.005, 0.117, 0.032,
                                       -0.004, 0.260,  0.011, 0.064, 0.018, 0.152};
  const PairedEstimate estimate = estimate_pairs(leaning, 0.95);
  CHECK(estimate.log_ratio == doctest::Approx(0.0405));
  CHECK(estimate.lower == doctest::Approx(0.0110).scale(0.0).epsilon(0.1));
  CHECK(estimate.upper == doctest::Approx(0.1303).scale(0.0).epsilon(0.03));
}

TEST_CASE("the interval holds the truth as often as it says, whatever the noise") {
  const auto times_held = [](const NoiseShape& shape, std::size_t count, int repetitions) {
    Rng rng(5);
    int held = 0;
    for (int repetition = 0; repetition < repetitions; ++repetition) {
      const PairedEstimate estimate = estimate_pairs(draws(shape, count, rng), 0.95);
      if (estimate.lower <= 0.0 && 0.0 <= estimate.upper) ++held;
    }
    return held;
  };
  int held_by_bootstrap = 0;
  for (const NoiseShape& shape : kNoiseShapes) {
    CAPTURE(shape.name);
    // Three deviations below and above 95 % of 600.
    const int held_by_student = times_held(shape, 3, 600);
    CHECK(held_by_student >= 554);
    CHECK(held_by_student <= 590);
    held_by_bootstrap += times_held(shape, 7, 80);
  }
  // Of 400.
  CHECK(held_by_bootstrap >= 367);
  CHECK(held_by_bootstrap <= 394);
}
