/// Percentages, their signs, and the point of a causal curve that is told.

#include "prompt/card_words.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace aiopt {

namespace {

/// Ten times as slow is as slow as words go.
constexpr double kWorstReduction = -9.99;
/// What an effect of nearly 1 makes of the throughput is no number to tell.
constexpr double kLargestFactorOf = 0.99;

double bounded_reduction(double value) {
  return std::isfinite(value) ? std::clamp(value, kWorstReduction, 1.0) : 0.0;
}

/// A reduction of 0.43 is a change of the time by -43 %.
std::string signed_percent(double reduction) {
  const double change = std::round(-100.0 * bounded_reduction(reduction));
  return change == 0.0 ? "0" : fmt::format("{:+.0f}", change);
}

}  // namespace

std::string share_in_words(double share) {
  const double bounded = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0;
  if (bounded > 0.0 && bounded < 0.005) return "<1 %";
  return fmt::format("{:.0f} %", 100.0 * bounded);
}

std::string change_in_words(const TimeReduction& reduction) {
  return fmt::format("{} % ({} to {} %)", signed_percent(reduction.effect), signed_percent(reduction.upper),
                     signed_percent(reduction.lower));
}

std::string effect_in_words(const TimeReduction& reduction, bool is_latency) {
  const double effect = bounded_reduction(reduction.effect);
  const bool has_factor = !is_latency && effect < kLargestFactorOf;
  return fmt::format("{} % {}{} ({} to {} %)", signed_percent(effect), is_latency ? "latency" : "time",
                     has_factor ? fmt::format(" = {:.2f}x the throughput", 1.0 / (1.0 - effect)) : "",
                     signed_percent(reduction.upper), signed_percent(reduction.lower));
}

const CausalPoint* telling_point(const CausalTarget& target) {
  if (target.curve.empty()) return nullptr;
  const auto tells = [&target](const CausalPoint& point) {
    return target.max_effect > 0.0 ? point.lower > 0.0 : target.contention && point.upper < 0.0;
  };
  const auto last = std::find_if(target.curve.rbegin(), target.curve.rend(), tells);
  const CausalPoint& point = last == target.curve.rend() ? target.curve.back() : *last;
  const bool is_finite = std::isfinite(point.effect) && std::isfinite(point.lower) && std::isfinite(point.upper);
  return is_finite ? &point : nullptr;
}

}  // namespace aiopt
