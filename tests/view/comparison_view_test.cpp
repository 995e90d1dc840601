/// What a comparison looks like: its pairs, its interval, its verdict.

#include "view/comparison_view.hpp"

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

using namespace aiopt;

namespace {

ComparisonResult comparison_of(const std::vector<double>& ratios, std::optional<SpeedupEstimate> estimate) {
  ComparisonResult comparison;
  for (const double ratio : ratios) {
    comparison.benchmark.candidate.emplace_back().throughput_ops_sec = 1000.0 * ratio;
    comparison.benchmark.baseline.emplace_back().throughput_ops_sec = 1000.0;
  }
  comparison.benchmark.estimate = estimate;
  return comparison;
}

SpeedupEstimate estimate_of(double ratio, double lower, double upper) {
  return {ratio, lower, upper, 0.95, 0.0312};
}

std::string verdict_line(const ComparisonResult& comparison) {
  const std::string text = describe(comparison, "A", "B");
  for (const std::string_view line : split_lines(text)) {
    if (line.starts_with("verdict     ")) return std::string(line.substr(12));
  }
  return "none";
}

nlohmann::json json_of(const ComparisonResult& comparison) {
  return nlohmann::json::parse(comparison_to_json(comparison, "a.patch", "the unmodified program"));
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("a speed-up is told with its interval and its pairs, or that there is none") {
  CHECK(describe_speedup(comparison_of({1.2, 1.3, 1.25}, estimate_of(1.25, 1.18, 1.33)).benchmark) ==
        "1.25x (95 % 1.18x to 1.33x, 3 pairs)");
  CHECK(describe_speedup(comparison_of({1.5}, estimate_of(1.5, 0.0, kInfinity)).benchmark) ==
        "1.50x (1 pair, no interval)");
  CHECK(describe_speedup(comparison_of({1.5, 1.5}, std::nullopt).benchmark) == "1.50x (2 pairs, no interval)");
}

TEST_CASE("each pair is a dot on one axis, with a bar where both are equal and the interval below") {
  const std::string text = describe(comparison_of({0.8, 1.0, 2.0}, estimate_of(1.2, 0.9, 1.6)), "a.patch", "the rest");
  INFO(text);
  const std::vector<std::string_view> lines = split_lines(text);
  REQUIRE(lines.size() > 8);
  CHECK(lines[0] == "a.patch");
  CHECK(lines[1] == "  in turn with the rest");
  const std::size_t equal = lines[3].find('|');
  const std::size_t slow = lines[3].find('o');
  const std::size_t fast = lines[5].find('o');
  REQUIRE(equal != std::string_view::npos);
  CHECK(slow < equal);
  CHECK(lines[4].find('o') == equal);
  CHECK(lines[5].find('|') == equal);
  CHECK(equal < fast);
  CHECK(lines[3].ends_with("0.80x"));
  CHECK(lines[5].ends_with("2.00x"));
  CHECK(slow < lines[6].find('['));
  CHECK(lines[6].find('[') < equal);
  CHECK(equal < lines[6].find('*'));
  CHECK(lines[6].find('*') < lines[6].find(']'));
  CHECK(lines[6].find(']') < fast);
  CHECK(text.find("            Wilcoxon signed-rank p = 0.0312\n") != std::string::npos);
  CHECK(text.find("throughput  1000 ops/s against 1000\n") != std::string::npos);
  CHECK(text.find("latency") == std::string::npos);
}

TEST_CASE("the verdict says no more than the interval does") {
  CHECK(verdict_line(comparison_of({1.25, 1.25}, estimate_of(1.25, 1.18, 1.33))) ==
        "A is faster than B, by at least 18.0 %");
  CHECK(verdict_line(comparison_of({0.8, 0.8}, estimate_of(0.8, 0.75, 0.9))) ==
        "A is slower than B, by at least 10.0 %");
  CHECK(verdict_line(comparison_of({1.0, 1.0}, estimate_of(1.0, 0.98, 1.03))) ==
        "no difference was found; one of more than 3.0 % is unlikely");
  CHECK(verdict_line(comparison_of({1.5}, estimate_of(1.5, 0.0, kInfinity))) == "too few pairs to say anything");
  CHECK(verdict_line(comparison_of({1.5}, std::nullopt)) == "too few pairs to say anything");
}

TEST_CASE("pairs that are all equal are drawn too") {
  const std::string text = describe(comparison_of({1.0, 1.0}, estimate_of(1.0, 1.0, 1.0)), "A", "B");
  CHECK(text.find('o') != std::string::npos);
  CHECK(text.find('*') != std::string::npos);
  CHECK(verdict_line(comparison_of({1.0, 1.0}, estimate_of(1.0, 1.0, 1.0))) ==
        "no difference was found; one of more than 0.0 % is unlikely");
}

TEST_CASE("latencies and gates that fired are told, the others are not") {
  ComparisonResult comparison = comparison_of({1.2, 1.2}, estimate_of(1.2, 1.1, 1.3));
  for (BenchmarkRun& run : comparison.benchmark.candidate) run.latency_us = 8.0;
  for (BenchmarkRun& run : comparison.benchmark.baseline) run.latency_us = 10.0;
  comparison.gates = {{"clock", false, "all is well"}, {"syncs", true, "12 fsyncs for 1000 operations"}};
  const std::string text = describe(comparison, "A", "B");
  INFO(text);
  CHECK(text.find("latency     8.0 us against 10.0\n") != std::string::npos);
  CHECK(text.find("gate        'syncs' fired: 12 fsyncs for 1000 operations\n") != std::string::npos);
  CHECK(text.find("all is well") == std::string::npos);
}

TEST_CASE("--json keeps what its contract says") {
  ComparisonResult comparison = comparison_of({1.2, 1.3, 1.25}, estimate_of(1.25, 1.18, 1.33));
  comparison.gates = {{"clock", false, "all is well"}};
  const nlohmann::json json = json_of(comparison);
  CHECK(json["a"] == "a.patch");
  CHECK(json["b"] == "the unmodified program");
  CHECK(json["verdict"] == "faster");
  CHECK(json["benchmark"]["speedup"] == 1.25);
  CHECK(json["benchmark"]["speedup_interval"] == nlohmann::json{1.18, 1.33});
  CHECK(json["benchmark"]["pairs"] == 3);
  CHECK(json["benchmark"]["ratios"].size() == 3);
  CHECK(json["gates"][0]["name"] == "clock");

  CHECK(json_of(comparison_of({0.8}, estimate_of(0.8, 0.7, 0.9)))["verdict"] == "slower");
  CHECK(json_of(comparison_of({1.0}, estimate_of(1.0, 0.9, 1.1)))["verdict"] == "no difference");
  const nlohmann::json one = json_of(comparison_of({1.5}, estimate_of(1.5, 0.0, kInfinity)));
  CHECK(one["verdict"] == "unknown");
  CHECK(one["benchmark"]["speedup_interval"][1].is_null());
  CHECK(json_of(comparison_of({1.5}, std::nullopt))["verdict"] == "unknown");
}
