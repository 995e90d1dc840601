/// Runs the parser that a task names, and says what is missing.

#include "measure/benchmark_output.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/text.hpp"
#include "measure/output_parsers.hpp"

namespace aiopt {

namespace {

constexpr int kMostThreads = 65'536;
constexpr std::size_t kMostMetrics = 1'000;  ///< All of them are kept of every run.
constexpr std::size_t kNamesShown = 20;
constexpr std::size_t kNameShownBytes = 80;
constexpr std::size_t kLineShownBytes = 160;

/// "--threads=4", "-threads 4": gflags takes one dash or two, '=' or a space, and the last one given. 1 if there is
/// none.
int threads_of(std::string_view command) {
  constexpr std::string_view kFlag = "-threads";
  constexpr std::string_view kBefore = " \t\n'\"-";
  int threads = 1;
  for (std::size_t at = command.find(kFlag); at != std::string_view::npos; at = command.find(kFlag, at + 1)) {
    std::string_view rest = command.substr(at + kFlag.size());
    if (at > 0 && kBefore.find(command[at - 1]) == std::string_view::npos) continue;
    if (rest.empty() || (rest.front() != '=' && rest.front() != ' ')) continue;
    rest.remove_prefix(std::min(rest.find_first_not_of(rest.front() == '=' ? "='\"" : " '\""), rest.size()));
    int number = 0;
    const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (read.ec == std::errc{} && number >= 1 && number <= kMostThreads) threads = number;
  }
  return threads;
}

Result<Metrics> parse_db_bench_of(const BenchmarkTask& task, std::string_view output) {
  return parse_db_bench(output, threads_of(task.run.command));
}

Result<Metrics> parse_json_of(const BenchmarkTask&, std::string_view output) {
  return parse_json_output(output);
}

Result<Metrics> parse_lines_of(const BenchmarkTask&, std::string_view output) {
  return parse_lines_output(output);
}

Result<Metrics> parse_regex_of(const BenchmarkTask& task, std::string_view output) {
  return parse_regex_output(task.patterns, output);
}

struct NamedParser {
  const char* name;
  Result<Metrics> (*parse)(const BenchmarkTask& task, std::string_view output);
};

constexpr std::array<NamedParser, 4> kParsers = {{
    {"db_bench", parse_db_bench_of},
    {"json", parse_json_of},
    {"lines", parse_lines_of},
    {"regex", parse_regex_of},
}};

Error invalid(std::string message) {
  return {Error::Code::invalid_argument, std::move(message)};
}

/// Part of a benchmark's output, fit for a line of ours.
std::string quoted(std::string_view text, std::size_t limit_bytes) {
  std::string shown = shorten_middle(valid_utf8(text), limit_bytes);
  const auto is_control = [](char c) { return std::iscntrl(static_cast<unsigned char>(c)) != 0; };
  std::replace_if(shown.begin(), shown.end(), is_control, ' ');
  return shown;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? "" : fmt::format("; did you mean '{}'?", quoted(nearest, kNameShownBytes));
}

Error nothing_read(const BenchmarkTask& task, std::string_view output) {
  std::string message =
      fmt::format("benchmark: the {} parser found no metric in {} bytes of output", task.parser, output.size());
  const std::vector<std::string_view> lines = split_lines(trim(output));
  if (!lines.empty()) message += fmt::format("; its last line: '{}'", quoted(lines.back(), kLineShownBytes));
  return invalid(std::move(message));
}

Error no_such_metric(const std::string& what, const std::string& name, const Metrics& metrics) {
  std::vector<std::string> names;
  for (const auto& [metric, value] : metrics) names.push_back(metric);
  std::vector<std::string> shown;
  for (const std::string& metric : names) {
    if (shown.size() < kNamesShown) shown.push_back(quoted(metric, kNameShownBytes));
  }
  const std::size_t left_out = names.size() - shown.size();
  return invalid(fmt::format("benchmark: the output has no metric '{}' for {}; it has {}{}{}", name, what,
                             fmt::join(shown, ", "), left_out > 0 ? fmt::format(" and {} more", left_out) : "",
                             did_you_mean(name, names)));
}

Result<void> check(const std::string& what, const std::string& name, const Metrics& metrics) {
  const auto found = metrics.find(name);
  if (found == metrics.end()) return no_such_metric(what, name, metrics);
  if (std::isfinite(found->second) && found->second > 0) return {};
  return invalid(fmt::format("benchmark: metric '{}' for {} is {}; it has to be a finite number above 0", name, what,
                             found->second));
}

}  // namespace

std::vector<std::string> benchmark_parser_names() {
  std::vector<std::string> names;
  names.reserve(kParsers.size());
  for (const NamedParser& parser : kParsers) names.emplace_back(parser.name);
  return names;
}

Result<Metrics> parse_benchmark_output(const BenchmarkTask& task, std::string_view output) {
  const auto named = [&](const NamedParser& parser) { return parser.name == task.parser; };
  const auto parser = std::find_if(kParsers.begin(), kParsers.end(), named);
  if (parser == kParsers.end()) {
    const std::vector<std::string> names = benchmark_parser_names();
    return invalid(fmt::format("benchmark: no parser is named '{}'; there are {}{}", task.parser,
                               fmt::join(names, ", "), did_you_mean(task.parser, names)));
  }
  Result<Metrics> metrics = parser->parse(task, output);
  if (!metrics) return metrics;
  if (metrics->empty()) return nothing_read(task, output);
  if (metrics->size() > kMostMetrics) {
    return invalid(fmt::format("benchmark: the output has {} metrics, more than {}; let it print fewer",
                               metrics->size(), kMostMetrics));
  }
  if (const auto checked = check("throughput", task.throughput, *metrics); !checked) return checked.error();
  if (task.latency.empty()) return metrics;
  if (const auto checked = check("latency", task.latency, *metrics); !checked) return checked.error();
  return metrics;
}

}  // namespace aiopt
