/// NAME[:WEIGHT].

#include "cli/weighted_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace aiopt {

namespace {

constexpr double kLargestWeight = 1e6;  // As in task.yaml.

}  // namespace

Result<WeightedName> parse_weighted_name(std::string_view text, std::string_view option) {
  WeightedName result{std::string(text), 1.0};
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    const std::string_view number = text.substr(colon + 1);
    double weight = 0.0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), weight);
    if (error == std::errc{} && end == number.data() + number.size())
      result = {std::string(text.substr(0, colon)), weight};
  }
  // Written so that NaN is refused.
  if (result.name.empty() || !(result.weight > 0.0 && result.weight <= kLargestWeight)) {
    return Error{
        Error::Code::invalid_argument,
        fmt::format("{} {}: give NAME or NAME:WEIGHT with a weight above 0, at most {}", option, text, kLargestWeight)};
  }
  return result;
}

Result<std::vector<WeightedName>> parse_weighted_names(const std::vector<std::string>& texts, std::string_view option) {
  std::vector<WeightedName> names;
  for (const std::string& text : texts) {
    Result<WeightedName> name = parse_weighted_name(text, option);
    if (!name) return name.error();
    const auto has_same_name = [&](const WeightedName& earlier) { return earlier.name == name->name; };
    if (std::any_of(names.begin(), names.end(), has_same_name)) {
      return Error{
          Error::Code::invalid_argument,
          fmt::format("{} {} is given twice; give it once, as NAME:WEIGHT for a larger share", option, name->name)};
    }
    names.push_back(*std::move(name));
  }
  return names;
}

}  // namespace aiopt
