/// HostWatch: see the header.

#include "engine/host_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "measure/noise_floor.hpp"

namespace aiopt {

namespace {

/// More would make each look at them cost more than it tells.
constexpr std::size_t kRememberedThroughputs = 60;

}  // namespace

std::string host_observation(const HostFingerprint& host) {
  nlohmann::ordered_json json = {{"line", describe(host)}};
  json.update(nlohmann::ordered_json::parse(host_fingerprint_to_json(host)));
  return json.dump();
}

bool HostWatch::is_due(std::uint64_t told) const {
  return !is_testing_ && (wants_test_ || told >= last_test_ + kEvaluations);
}

void HostWatch::begin_test(std::uint64_t told) {
  is_testing_ = true;
  wants_test_ = false;
  last_test_ = told;
}

NoiseFloor HostWatch::end_test(const BenchmarkResult& both_the_baseline) {
  is_testing_ = false;
  const std::vector<double> log_ratios = both_the_baseline.log_ratios();
  NoiseFloor floor;
  floor.pairs = static_cast<int>(log_ratios.size());
  if (floor.pairs >= 2) {
    floor.detectable_effect = minimum_detectable_effect(log_ratios, floor.pairs);
    noise_floor_ = minimum_detectable_effect(log_ratios, std::max(max_pairs_, 2));
    floor.sentence = noise_floor_sentence(floor.detectable_effect, floor.pairs);
  }
  nlohmann::ordered_json json = {{"sentence", floor.sentence},
                                 {"pairs", floor.pairs},
                                 {"detectable_effect", floor.detectable_effect},
                                 {"log_ratios", log_ratios}};
  floor.json = json.dump();
  return floor;
}

std::optional<std::string> HostWatch::note(const BenchmarkResult& measured) {
  if (measured.baseline.empty()) return std::nullopt;
  baseline_throughputs_.push_back(measured.baseline_throughput_ops_sec());
  if (baseline_throughputs_.size() > kRememberedThroughputs) baseline_throughputs_.erase(baseline_throughputs_.begin());
  const std::optional<Drift> drift = find_drift(baseline_throughputs_);
  if (!drift) return std::nullopt;
  const bool is_step = drift->kind == Drift::Kind::step;
  // What was before is no measure any more.
  const auto keep_from = static_cast<std::ptrdiff_t>(is_step ? drift->since : baseline_throughputs_.size() - 1);
  baseline_throughputs_.erase(baseline_throughputs_.begin(), baseline_throughputs_.begin() + keep_from);
  wants_test_ = true;
  return fmt::format(
      "the unmodified program {} {:.0f} % {}: the machine is not what it was; measuring what it tells apart again",
      is_step ? "became" : "becomes", 100.0 * std::abs(drift->size), drift->size < 0.0 ? "slower" : "faster");
}

}  // namespace aiopt
