/// "name: value [unit]" lines.

#include "base/text.hpp"
#include "measure/output_parsers.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kLongestLineName = 200;

/// A unit may follow at once, "12.5us" and "35%"; more digits or signs make a time of day or a version of it.
bool may_follow_number(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
  return letter || c == ' ' || c == '\t' || c == '%';
}

void read_line(std::string_view line, Metrics& metrics) {
  for (std::size_t colon = line.find(':'); colon != std::string_view::npos; colon = line.find(':', colon + 1)) {
    const std::string_view name = trim(line.substr(0, colon));
    if (name.size() > kLongestLineName) return;
    std::string_view rest;
    const auto value = number_at_start(trim(line.substr(colon + 1)), rest);
    if (name.empty() || !value || !(rest.empty() || may_follow_number(rest.front()))) continue;
    metrics[std::string(name)] = *value;
    return;
  }
}

}  // namespace

Metrics parse_lines_output(std::string_view output) {
  Metrics metrics;
  for (const std::string_view line : split_lines(output)) read_line(line, metrics);
  return metrics;
}

}  // namespace aiopt
