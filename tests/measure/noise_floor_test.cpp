/// The robust deviation, the minimum detectable effect, steps and trends.

#include "measure/noise_floor.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include <aiopt/rng.hpp>

#include "measure/noise_shapes.hpp"
#include "measure/paired_estimate.hpp"

using namespace aiopt;

namespace {

std::vector<double> normal_values(std::size_t count, Rng& rng, double sd = 1.0) {
  std::vector<double> values(count);
  for (double& value : values) value = sd * rng.normal();
  return values;
}

/// 1000 ops/s with so much noise, and a level of its own for each run.
template <typename Level>
std::vector<double> throughputs(std::size_t count, double noise, std::uint64_t seed, Level level) {
  Rng rng(seed);
  std::vector<double> runs(count);
  for (std::size_t run = 0; run < count; ++run) runs[run] = 1000.0 * level(run) * std::exp(noise * rng.normal());
  return runs;
}

}  // namespace

TEST_CASE("the robust deviation is that of normal noise, for few values too") {
  Rng rng(1);
  for (const std::size_t count : std::vector<std::size_t>{3, 4, 5, 7, 10, 12, 13, 14, 20, 31}) {
    double sum = 0.0;
    constexpr int kRepetitions = 2000;
    for (int repetition = 0; repetition < kRepetitions; ++repetition) sum += robust_sd(normal_values(count, rng));
    CAPTURE(count);
    CHECK(sum / kRepetitions == doctest::Approx(1.0).scale(0.0).epsilon(0.05));
  }
}

TEST_CASE("spoiled runs hardly move the robust deviation") {
  Rng rng(2);
  std::vector<double> values = normal_values(20, rng);
  const double before = robust_sd(values);
  values[3] = -100.0;
  values[11] = -80.0;
  CHECK(robust_sd(values) < 1.5 * before);
  CHECK(robust_sd(std::vector{0.1, 0.1, 0.1}) == 0.0);
}

TEST_CASE("the minimum detectable effect shrinks with pairs and grows with noise, power and confidence") {
  Rng rng(3);
  std::vector<double> noise = normal_values(15, rng, 0.02);
  const double effect = minimum_detectable_effect(noise, 7);
  CHECK(minimum_detectable_effect(noise, 14) < effect);
  CHECK(minimum_detectable_effect(noise, 7, 0.01) > effect);
  CHECK(minimum_detectable_effect(noise, 7, 0.05, 0.95) > effect);
  for (double& value : noise) value *= 2.0;
  CHECK(minimum_detectable_effect(noise, 7) > 1.9 * effect);
  for (double& value : noise) value = 0.0;
  CHECK(minimum_detectable_effect(noise, 7) == 0.0);
}

TEST_CASE("the minimum detectable effect is seen about as often as it says") {
  Rng rng(4);
  const double effect = minimum_detectable_effect(normal_values(301, rng, 0.02), 10);
  int seen = 0;
  for (int repetition = 0; repetition < 150; ++repetition) {
    std::vector<double> log_ratios = normal_values(10, rng, 0.02);
    for (double& log_ratio : log_ratios) log_ratio += std::log1p(effect);
    if (estimate_pairs(log_ratios, 0.95).lower > 0.0) ++seen;
  }
  CHECK(seen >= 105);
  CHECK(seen <= 135);
}

TEST_CASE("the noise floor can be said in a sentence") {
  CHECK(noise_floor_sentence(0.0183, 7) == "this host tells 1.8 % apart in 7 pairs");
}

TEST_CASE("a step is found, with its place and size") {
  const auto down = find_drift(throughputs(24, 0.02, 5, [](std::size_t run) { return run < 15 ? 1.0 : 0.8; }));
  REQUIRE(down);
  CHECK(down->kind == Drift::Kind::step);
  CHECK(down->since == 15);
  CHECK(down->size == doctest::Approx(-0.2).scale(0.0).epsilon(0.1));
  CHECK(down->p_value < 0.01);

  const auto late = find_drift(throughputs(20, 0.02, 6, [](std::size_t run) { return run < 16 ? 1.0 : 1.3; }));
  REQUIRE(late);
  CHECK(late->since == 16);
  CHECK(late->size == doctest::Approx(0.3).scale(0.0).epsilon(0.1));
}

TEST_CASE("a trend is found, with its size") {
  const auto sinking =
      find_drift(throughputs(30, 0.02, 7, [](std::size_t run) { return std::exp(-0.01 * static_cast<double>(run)); }));
  REQUIRE(sinking);
  CHECK(sinking->kind == Drift::Kind::trend);
  CHECK(sinking->size == doctest::Approx(std::expm1(-0.29)).scale(0.0).epsilon(0.15));
}

TEST_CASE("a machine that only makes noise has hardly ever drifted") {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    if (find_drift(throughputs(16, 0.03, 100 + seed, [](std::size_t) { return 1.0; }))) ++found;
  }
  CHECK(found <= 4);
}

TEST_CASE("a change below the noise is none, and too few runs or equal ones say nothing") {
  CHECK_FALSE(find_drift(throughputs(200, 0.02, 8, [](std::size_t run) { return run < 100 ? 1.0 : 1.014; })));
  CHECK_FALSE(find_drift(throughputs(7, 0.001, 9, [](std::size_t run) { return run < 4 ? 1.0 : 2.0; })));
  CHECK_FALSE(find_drift(std::vector(20, 1000.0)));
  CHECK_FALSE(find_drift({}));
}

TEST_CASE("a step of a machine without noise is found") {
  std::vector<double> runs(20, 1000.0);
  for (std::size_t run = 12; run < runs.size(); ++run) runs[run] = 900.0;
  const auto drift = find_drift(runs);
  REQUIRE(drift);
  CHECK(drift->kind == Drift::Kind::step);
  CHECK(drift->since == 12);
  CHECK(drift->size == doctest::Approx(-0.1));
}
