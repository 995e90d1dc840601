/// Numbers found by the task's own regexes.

#include <fmt/format.h>

#include <regex>
#include <vector>

#include "base/text.hpp"
#include "core/metric_regex.hpp"
#include "measure/output_parsers.hpp"

namespace aiopt {

namespace {

/// A search starts anew at each byte of a line, so its cost grows with the square of the line's length.
constexpr std::size_t kLongestLine = 1024;
constexpr std::size_t kLongestPattern = 1000;

struct MetricPattern {
  std::string metric;
  std::regex regex;
};

Error bad_pattern(const std::string& metric, const std::string& why) {
  return {Error::Code::invalid_argument, fmt::format("benchmark: the pattern of metric '{}' {}", metric, why)};
}

Result<MetricPattern> compile(const std::string& metric, const std::string& pattern) {
  if (pattern.size() > kLongestPattern) {
    return bad_pattern(metric, fmt::format("has {} bytes; {} is the most", pattern.size(), kLongestPattern));
  }
  try {
    std::regex regex(pattern, kMetricRegexSyntax);
    if (regex.mark_count() == 1) return MetricPattern{metric, std::move(regex)};
    return bad_pattern(
        metric, fmt::format("has {} groups; it needs one, around the number, others as (?:...)", regex.mark_count()));
  } catch (const std::regex_error& error) {
    return bad_pattern(metric, fmt::format("is no ECMAScript regex: {}", error.what()));
  }
}

}  // namespace

Result<Metrics> parse_regex_output(const std::map<std::string, std::string>& patterns, std::string_view output) {
  std::vector<MetricPattern> compiled;
  for (const auto& [metric, pattern] : patterns) {
    Result<MetricPattern> one = compile(metric, pattern);
    if (!one) return one.error();
    compiled.push_back(std::move(*one));
  }
  Metrics metrics;
  for (const std::string_view whole_line : split_lines(output)) {
    const std::string_view line = whole_line.substr(0, kLongestLine);
    for (const MetricPattern& pattern : compiled) {
      std::cmatch match;
      if (!std::regex_search(line.data(), line.data() + line.size(), match, pattern.regex)) continue;
      const auto number = number_from(trim({match[1].first, static_cast<std::size_t>(match[1].length())}));
      if (number) metrics[pattern.metric] = *number;
    }
  }
  return metrics;
}

}  // namespace aiopt
