/// What a set of benchmark runs says: medians, the speed-up over the pairs and its spread.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

#include <aiopt/evaluation.hpp>

namespace aiopt {

namespace {

/// Of an even number of values the mean of the two in the middle; nothing of none.
std::optional<double> median(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  if (values.size() % 2 == 1) return values[middle];
  return std::midpoint(values[middle - 1], values[middle]);
}

double median_throughput(const std::vector<BenchmarkRun>& runs) {
  std::vector<double> values;
  for (const BenchmarkRun& run : runs) values.push_back(run.throughput_ops_sec);
  return median(std::move(values)).value_or(0.0);
}

std::optional<double> median_latency(const std::vector<BenchmarkRun>& runs) {
  std::vector<double> values;
  for (const BenchmarkRun& run : runs) {
    if (run.latency_us) values.push_back(*run.latency_us);
  }
  return median(std::move(values));
}

/// candidate / baseline of each pair. A pair whose quotient is no number, because a run counted nothing, says nothing.
std::vector<double> pair_ratios(const BenchmarkResult& result) {
  std::vector<double> ratios;
  const std::size_t pairs = std::min(result.candidate.size(), result.baseline.size());
  for (std::size_t i = 0; i < pairs; ++i) {
    const double ratio = result.candidate[i].throughput_ops_sec / result.baseline[i].throughput_ops_sec;
    if (std::isfinite(ratio)) ratios.push_back(ratio);
  }
  return ratios;
}

}  // namespace

std::optional<double> BenchmarkRun::off_cpu_ratio() const {
  if (!(thread_seconds > 0.0) || !std::isfinite(thread_seconds) || !std::isfinite(cpu_seconds)) return std::nullopt;
  return std::clamp(1.0 - cpu_seconds / thread_seconds, 0.0, 1.0);
}

double BenchmarkResult::throughput_ops_sec() const {
  return median_throughput(candidate);
}

double BenchmarkResult::baseline_throughput_ops_sec() const {
  return median_throughput(baseline.empty() ? candidate : baseline);
}

std::optional<double> BenchmarkResult::latency_us() const {
  return median_latency(candidate);
}

std::optional<double> BenchmarkResult::baseline_latency_us() const {
  return median_latency(baseline.empty() ? candidate : baseline);
}

std::optional<double> BenchmarkResult::off_cpu_ratio() const {
  std::vector<double> values;
  for (const BenchmarkRun& run : candidate) {
    if (const auto ratio = run.off_cpu_ratio()) values.push_back(*ratio);
  }
  return median(std::move(values));
}

double BenchmarkResult::speedup() const {
  return estimate ? estimate->ratio : median(pair_ratios(*this)).value_or(1.0);
}

BenchmarkResult::Spread BenchmarkResult::speedup_spread() const {
  const std::vector<double> ratios = pair_ratios(*this);
  if (ratios.empty()) return {};
  const auto [lowest, highest] = std::minmax_element(ratios.begin(), ratios.end());
  return {*lowest, *highest};
}

}  // namespace aiopt
