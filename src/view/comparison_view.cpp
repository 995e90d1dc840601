/// The comparison's view: see the header.

#include "view/comparison_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/evaluation_json.hpp"
#include "view/run_summary.hpp"

namespace aiopt {

namespace {

constexpr int kPlotColumns = 61;

/// A logarithmic axis from `low` to `high`, both above 0, in characters.
class Plot {
 public:
  Plot(double low, double high) : low_(std::log(low)), high_(std::log(high)) {}

  std::size_t column(double ratio) const {
    const double at = (std::log(ratio) - low_) / (high_ - low_) * (kPlotColumns - 1);
    return static_cast<std::size_t>(std::clamp(std::lround(at), 0L, static_cast<long>(kPlotColumns - 1)));
  }

 private:
  double low_;
  double high_;
};

/// One row a pair: a dot where its ratio lies, a bar where both are equal; below them the interval.
std::string plot_of(const std::vector<double>& ratios, const std::optional<SpeedupEstimate>& estimate) {
  const bool has_interval = estimate && estimate->lower > 0.0 && std::isfinite(estimate->upper);
  double low = std::min(1.0, *std::min_element(ratios.begin(), ratios.end()));
  double high = std::max(1.0, *std::max_element(ratios.begin(), ratios.end()));
  if (has_interval) low = std::min(low, estimate->lower);
  if (has_interval) high = std::max(high, estimate->upper);
  const Plot plot(low / 1.02, high * 1.02);
  std::string text;
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    std::string row(kPlotColumns, ' ');
    row[plot.column(1.0)] = '|';
    row[plot.column(ratios[i])] = 'o';
    text += fmt::format("  {:>3}  {}  {}\n", i + 1, row, format_ratio(ratios[i]));
  }
  if (has_interval) {
    std::string row(kPlotColumns, ' ');
    const std::size_t from = plot.column(estimate->lower);
    const std::size_t to = plot.column(estimate->upper);
    std::fill(row.begin() + static_cast<std::ptrdiff_t>(from), row.begin() + static_cast<std::ptrdiff_t>(to) + 1, '-');
    row[from] = '[';
    row[to] = ']';
    row[plot.column(estimate->ratio)] = '*';
    text += fmt::format("  {:>3}  {}\n", "", row);
  }
  return text;
}

std::string percent(double ratio) {
  return fmt::format("{:.1f} %", 100.0 * std::abs(ratio - 1.0));
}

/// "faster", "slower", "no difference", or "unknown" for want of pairs, as the word of --json.
std::string verdict_word(const BenchmarkResult& benchmark) {
  if (!benchmark.estimate || !std::isfinite(benchmark.estimate->upper)) return "unknown";
  if (benchmark.estimate->lower > 1.0) return "faster";
  if (benchmark.estimate->upper < 1.0) return "slower";
  return "no difference";
}

std::string verdict_of(const BenchmarkResult& benchmark, const std::string& a, const std::string& b) {
  const std::string word = verdict_word(benchmark);
  const SpeedupEstimate estimate = benchmark.estimate.value_or(SpeedupEstimate{});
  if (word == "faster" || word == "slower") {
    const double nearest = word == "faster" ? estimate.lower : estimate.upper;
    return fmt::format("{} is {} than {}, by at least {}", a, word, b, percent(nearest));
  }
  if (word == "unknown") return "too few pairs to say anything";
  return fmt::format("no difference was found; one of more than {} is unlikely",
                     percent(std::max(estimate.upper, 1.0 / std::max(estimate.lower, 1e-9))));
}

}  // namespace

std::string describe_speedup(const BenchmarkResult& benchmark) {
  const std::size_t pairs = benchmark.baseline.size();
  const std::string ratio = format_ratio(benchmark.speedup());
  const auto& estimate = benchmark.estimate;
  if (!estimate || !(estimate->lower > 0.0) || !std::isfinite(estimate->upper)) {
    return fmt::format("{} ({} pair{}, no interval)", ratio, pairs, pairs == 1 ? "" : "s");
  }
  return fmt::format("{} ({:.0f} % {} to {}, {} pairs)", ratio, 100.0 * estimate->confidence,
                     format_ratio(estimate->lower), format_ratio(estimate->upper), pairs);
}

std::string describe(const ComparisonResult& comparison, const std::string& a, const std::string& b) {
  const BenchmarkResult& benchmark = comparison.benchmark;
  const std::vector<double> ratios = benchmark.ratios();
  std::string text = fmt::format("{}\n  in turn with {}\n\n", a, b);
  if (!ratios.empty()) text += plot_of(ratios, benchmark.estimate) + "\n";
  text += fmt::format("speed-up    {}\n", describe_speedup(benchmark));
  if (benchmark.estimate) {
    text += fmt::format("            Wilcoxon signed-rank p = {:.4f}\n", benchmark.estimate->p_value);
  }
  text += fmt::format("throughput  {:.0f} ops/s against {:.0f}\n", benchmark.throughput_ops_sec(),
                      benchmark.baseline_throughput_ops_sec());
  if (benchmark.latency_us() && benchmark.baseline_latency_us()) {
    text += fmt::format("latency     {:.1f} us against {:.1f}\n", *benchmark.latency_us(),
                        *benchmark.baseline_latency_us());
  }
  text += fmt::format("verdict     {}\n", verdict_of(benchmark, a, b));
  for (const GateReport& gate : comparison.gates) {
    if (gate.fired) text += fmt::format("gate        '{}' fired: {}\n", gate.name, gate.detail);
  }
  return text;
}

std::string comparison_to_json(const ComparisonResult& comparison, const std::string& a, const std::string& b) {
  nlohmann::ordered_json json = {{"a", a}, {"b", b}, {"verdict", verdict_word(comparison.benchmark)}};
  json["benchmark"] = nlohmann::ordered_json::parse(benchmark_summary_to_json(comparison.benchmark));
  json["benchmark"]["ratios"] = comparison.benchmark.ratios();
  json["gates"] = nlohmann::ordered_json::parse(gates_to_json(comparison.gates));
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace aiopt
