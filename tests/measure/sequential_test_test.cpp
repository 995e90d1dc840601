/// Races: what they spend, when they end, how often they are wrong.

#include "measure/sequential_test.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <aiopt/rng.hpp>

#include "measure/noise_shapes.hpp"

using namespace aiopt;

namespace {

struct Races {
  int faster = 0;
  int slower = 0;
  int pairs = 0;
};

/// @param new_race gives a function that gives one log-ratio after another
template <typename NewRace>
Races run_races(int races, NewRace new_race) {
  const SequentialTest test;
  Rng rng(6);
  Races outcome;
  for (int race = 0; race < races; ++race) {
    auto next_log_ratio = new_race(rng);
    std::vector<double> log_ratios;
    Look look;
    look.next_look = test.looks().front();
    while (!look.is_last) {
      while (static_cast<int>(log_ratios.size()) < look.next_look) log_ratios.push_back(next_log_ratio());
      look = test.look(log_ratios);
    }
    outcome.pairs += look.estimate.pairs;
    if (look.verdict == Verdict::faster) ++outcome.faster;
    if (look.verdict == Verdict::slower) ++outcome.slower;
  }
  return outcome;
}

}  // namespace

TEST_CASE("spending begins at nothing, only grows, and ends at alpha") {
  CHECK(spent_alpha(0.0, 0.05) == 0.0);
  CHECK(spent_alpha(1.0, 0.05) == doctest::Approx(0.05));
  double before = 0.0;
  for (int step = 1; step <= 100; ++step) {
    const double spent = spent_alpha(step / 100.0, 0.05);
    CHECK(spent > before);
    before = spent;
  }
}

TEST_CASE("the looks' levels are those of Lan and DeMets") {
  // R's ldbounds, spending function of Pocock's type, 5 % two-sided: z = 2.4380, 2.4268, 2.4101, 2.3966, 2.3859.
  const std::vector<double> z = {2.4380, 2.4268, 2.4101, 2.3966, 2.3859};
  const std::vector<double> levels = levels_of_looks(std::vector{0.2, 0.4, 0.6, 0.8, 1.0}, 0.05);
  REQUIRE(levels.size() == z.size());
  for (std::size_t i = 0; i < z.size(); ++i) {
    CAPTURE(i);
    CHECK(levels[i] == doctest::Approx(std::erfc(z[i] / std::sqrt(2.0))).scale(0.0).epsilon(0.0005));
  }
}

TEST_CASE("a Brownian motion leaves the looks' bounds with probability alpha, all looks together") {
  const std::vector<double> shares = {3.0 / 14, 5.0 / 14, 7.0 / 14, 10.0 / 14, 1.0};
  const std::vector<double> levels = levels_of_looks(shares, 0.05);
  constexpr int kWalks = 40000;
  Rng rng(7);
  int left = 0;
  for (int walk = 0; walk < kWalks; ++walk) {
    double place = 0.0;
    double share_before = 0.0;
    bool outside = false;
    for (std::size_t look = 0; look < shares.size(); ++look) {
      place += std::sqrt(shares[look] - share_before) * rng.normal();
      share_before = shares[look];
      outside = outside || std::erfc(std::abs(place) / std::sqrt(2.0 * shares[look])) < levels[look];
    }
    if (outside) ++left;
  }
  CHECK(left == doctest::Approx(2000).scale(0.0).epsilon(0.066));  // Three standard deviations.
}

TEST_CASE("one look is an ordinary test") {
  CHECK(levels_of_looks(std::vector{1.0}, 0.05).front() == doctest::Approx(0.05));
  const SequentialTest test({.min_pairs = 7, .max_pairs = 7});
  CHECK(test.looks() == std::vector{7});
  CHECK(test.confidences().front() == doctest::Approx(0.95));
}

TEST_CASE("looks are few, and none stands shortly before the last") {
  CHECK(SequentialTest().looks() == std::vector{3, 5, 7, 10, 14});
  CHECK(SequentialTest({.max_pairs = 20}).looks() == std::vector{3, 5, 7, 10, 14, 20});
  CHECK(SequentialTest({.max_pairs = 15}).looks() == std::vector{3, 5, 7, 10, 15});
  CHECK(SequentialTest({.min_pairs = 1, .max_pairs = 3}).looks() == std::vector{1, 3});
  CHECK(SequentialTest({.min_pairs = 3, .max_pairs = 4}).looks() == std::vector{3, 4});
  for (const int max_pairs : {3, 4, 5, 6, 8, 12, 24, 60}) {
    const SequentialTest test({.max_pairs = max_pairs});
    CHECK(test.looks().front() == 3);
    CHECK(test.looks().back() == max_pairs);
    CHECK(std::is_sorted(test.looks().begin(), test.looks().end()));
    CHECK(test.confidences().size() == test.looks().size());
    for (const double confidence : test.confidences()) CHECK(confidence >= 0.95 - 1e-6);
  }
}

TEST_CASE("a hopeless candidate is dropped at the first look") {
  const Look look = SequentialTest().look(std::vector{-0.50, -0.52, -0.55});
  CHECK(look.verdict == Verdict::slower);
  CHECK(look.is_last);
  CHECK(look.next_look == 0);
}

TEST_CASE("a clear gain ends the race as soon as the interval is above the threshold") {
  const std::vector<double> gain = {0.50, 0.52, 0.55};
  const SequentialTest test;
  CHECK(test.look(gain).verdict == Verdict::faster);
  CHECK(test.look(gain, std::log(1.65)).verdict == Verdict::undecided);
  CHECK(test.look(gain, std::log(3.0)).verdict == Verdict::slower);
}

TEST_CASE("an undecided race says when to look again") {
  const SequentialTest test;
  std::vector<double> log_ratios = {0.10, -0.10, 0.05};
  Look look = test.look(log_ratios);
  CHECK(look.verdict == Verdict::undecided);
  CHECK_FALSE(look.is_last);
  CHECK(look.next_look == 5);
  log_ratios.push_back(-0.05);
  look = test.look(log_ratios);
  CHECK(look.next_look == 5);
  log_ratios.push_back(0.01);
  CHECK(test.look(log_ratios).next_look == 7);
}

TEST_CASE("before the first look nothing is decided") {
  const SequentialTest test;
  CHECK(test.look({}).verdict == Verdict::undecided);
  CHECK(test.look({}).next_look == 3);
  const Look two = test.look(std::vector{1.0, 1.0});
  CHECK(two.verdict == Verdict::undecided);
  CHECK(two.next_look == 3);
}

TEST_CASE("a narrow interval about the threshold ends the race") {
  const std::vector<double> same = {0.001, -0.001, 0.0005, -0.0005, 0.0};
  CHECK(SequentialTest().look(same).verdict == Verdict::no_difference);
  CHECK(SequentialTest().look(same).is_last);
  CHECK(SequentialTest({.half_width = 0.0001}).look(same).verdict == Verdict::undecided);
}

TEST_CASE("the last pair ends the race, and later ones change nothing in that") {
  std::vector<double> log_ratios;
  for (int pair = 0; pair < 14; ++pair) log_ratios.push_back(pair % 2 == 0 ? 0.2 : -0.2);
  const SequentialTest test;
  CHECK(test.look(log_ratios).verdict == Verdict::no_difference);
  CHECK(test.look(log_ratios).is_last);
  log_ratios.push_back(0.0);
  CHECK(test.look(log_ratios).is_last);
  CHECK(test.look(log_ratios).estimate.pairs == 15);
}

TEST_CASE("a race that must end between two looks has an interval between theirs") {
  const SequentialTest test;
  const double confidence = test.look(std::vector{0.1, 0.2, -0.1, -0.2}).estimate.confidence;
  CHECK(confidence > 0.98);
  CHECK(confidence < 0.998);
}

TEST_CASE("candidate and baseline swapped turn the verdict round") {
  const SequentialTest test;
  CHECK(test.look(std::vector{0.5, 0.52, 0.55}, 0.1).verdict == Verdict::faster);
  CHECK(test.look(std::vector{-0.5, -0.52, -0.55}, -0.1).verdict == Verdict::slower);
}

/// 4.5 % of 240 races are 11, and three deviations 10. tests/benchmarks/statistics.cpp has the figures of thousands.
TEST_CASE("the baseline against itself is told apart about as often as the confidence allows") {
  const auto normal = [](Rng& rng) { return [&rng] { return 0.04 * normal_noise(rng); }; };
  const auto heavy_tails = [](Rng& rng) { return [&rng] { return 0.04 * student3_noise(rng); }; };
  const auto drift = [](Rng& rng) {
    return [machine = DriftingMachine(rng)]() mutable { return 0.04 * machine.log_ratio(); };
  };
  int wrong = 0;
  for (const Races& races : {run_races(80, normal), run_races(80, heavy_tails), run_races(80, drift)}) {
    wrong += races.faster + races.slower;
    CHECK(races.pairs > 80 * 11);
  }
  CHECK(wrong >= 3);
  CHECK(wrong <= 21);
}

TEST_CASE("a slow-down by 5 % is told in nine of ten races where pairs scatter by 4 %") {
  const Races races = run_races(100, [](Rng& rng) { return [&rng] { return std::log(0.95) + 0.04 * rng.normal(); }; });
  CHECK(races.slower >= 90);
  CHECK(races.faster == 0);
  CHECK(races.pairs < 100 * 10);
}
