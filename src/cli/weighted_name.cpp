/// NAME[:WEIGHT].

#include "cli/weighted_name.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace aiopt {

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
  if (result.name.empty() || !std::isfinite(result.weight) || result.weight <= 0.0) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("{} {}: give NAME or NAME:WEIGHT with a weight above 0", option, text)};
  }
  return result;
}

}  // namespace aiopt
