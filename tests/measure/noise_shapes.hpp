/// Noise of log-ratios for simulations: shapes that benchmarks have, and two that are worse.

#pragma once

#include <array>
#include <cmath>
#include <string_view>

#include <aiopt/rng.hpp>

namespace aiopt {

/// A log-ratio of a candidate that is as fast as the baseline; standard deviation 1 but for the outliers.
struct NoiseShape {
  std::string_view name;
  double (*draw)(Rng& rng);
  /// What Hodges-Lehmann tends to; 0 if the shape is symmetric, which it is where both runs of a pair have the same
  /// noise.
  double location = 0.0;
};

inline double normal_noise(Rng& rng) {
  return rng.normal();
}

inline double laplace_noise(Rng& rng) {
  const double uniform = rng.uniform() - 0.5;
  return (uniform < 0.0 ? 1.0 : -1.0) * std::log1p(-2.0 * std::abs(uniform)) / std::sqrt(2.0);
}

inline double student3_noise(Rng& rng) {
  const double normal = rng.normal();
  double squares = 0.0;
  for (int i = 0; i < 3; ++i) {
    const double part = rng.normal();
    squares += part * part;
  }
  return normal / std::sqrt(squares);
}

/// One run's log-throughput: lognormal, and one run in ten is spoiled.
inline double spoiled_run(Rng& rng) {
  const double level = rng.normal() / std::sqrt(2.0);
  return rng.uniform() < 0.1 ? level - 3.0 * std::exp(0.5 * rng.normal()) : level;
}

inline double outlier_noise(Rng& rng) {
  const double candidate = spoiled_run(rng);
  return candidate - spoiled_run(rng);
}

/// Only the candidate's runs are ever spoiled: a pause that it has and the baseline has not.
inline double skewed_noise(Rng& rng) {
  return spoiled_run(rng) - rng.normal() / std::sqrt(2.0);
}

inline constexpr std::array kNoiseShapes = {
    NoiseShape{"normal", normal_noise},          NoiseShape{"Laplace", laplace_noise},
    NoiseShape{"Student t3", student3_noise},    NoiseShape{"outliers", outlier_noise},
    NoiseShape{"skewed", skewed_noise, -0.1834},
};

/// Throughputs wander (autocorrelation 0.95 from run to run, standard deviation 1.25 times a pair's noise) and sink by
/// as much again over 40 runs. The runs of a pair stand side by side in an order swapped from pair to pair.
class DriftingMachine {
 public:
  explicit DriftingMachine(Rng& rng) : rng_(rng), wander_(1.25 * rng.normal()) {}

  double log_ratio() {
    const double first = run();
    const double second = run();
    candidate_first_ = !candidate_first_;
    return candidate_first_ ? first - second : second - first;
  }

  /// Log-throughput of the next run.
  double run() {
    wander_ = 0.95 * wander_ + 1.25 * std::sqrt(1.0 - 0.95 * 0.95) * rng_.normal();
    ++runs_;
    return wander_ - 1.25 * runs_ / 40.0 + rng_.normal() / std::sqrt(2.0);
  }

 private:
  Rng& rng_;
  double wander_;
  int runs_ = 0;
  bool candidate_first_ = false;
};

}  // namespace aiopt
