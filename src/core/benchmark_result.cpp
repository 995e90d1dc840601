/// What a set of benchmark runs says: medians, the speed-up over the pairs and its spread.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
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

bool is_count(double throughput) {
  return throughput > 0.0 && std::isfinite(throughput);
}

/// Of each pair what `compare` makes of its throughputs. A pair of which a run counted nothing says nothing.
template <typename Compare>
std::vector<double> of_pairs(const BenchmarkResult& result, Compare compare) {
  std::vector<double> values;
  const std::size_t pairs = std::min(result.candidate.size(), result.baseline.size());
  for (std::size_t i = 0; i < pairs; ++i) {
    const double candidate = result.candidate[i].throughput_ops_sec;
    const double baseline = result.baseline[i].throughput_ops_sec;
    if (is_count(candidate) && is_count(baseline)) values.push_back(compare(candidate, baseline));
  }
  return values;
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

std::optional<double> Evaluation::off_cpu_ratio() const {
  if (profile.off_cpu) return profile.off_cpu->ratio;
  return benchmark ? benchmark->off_cpu_ratio() : std::nullopt;
}

std::optional<double> BenchmarkResult::off_cpu_ratio() const {
  std::vector<double> values;
  for (const BenchmarkRun& run : candidate) {
    if (const auto ratio = run.off_cpu_ratio()) values.push_back(*ratio);
  }
  return median(std::move(values));
}

std::vector<double> BenchmarkResult::ratios() const {
  return of_pairs(*this, std::divides<>());
}

std::vector<double> BenchmarkResult::log_ratios() const {
  return of_pairs(*this, [](double one, double other) {
    const double ratio = one / other;
    return is_count(ratio) ? std::log(ratio) : std::log(one) - std::log(other);  // The second is less exact.
  });
}

double BenchmarkResult::speedup() const {
  return estimate ? estimate->ratio : median(ratios()).value_or(1.0);
}

BenchmarkResult::Spread BenchmarkResult::speedup_spread() const {
  const std::vector<double> all = ratios();
  if (all.empty()) return {};
  const auto [lowest, highest] = std::minmax_element(all.begin(), all.end());
  return {*lowest, *highest};
}

}  // namespace aiopt
