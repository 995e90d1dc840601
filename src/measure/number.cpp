/// Reads a number as benchmarks print it.

#include <charconv>
#include <cmath>

#include "measure/output_parsers.hpp"

namespace aiopt {

std::optional<double> number_at_start(std::string_view text, std::string_view& rest) {
  // from_chars takes no '+', and unlike strtod does not ask the locale what a decimal point is.
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double number = 0.0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc{} || !std::isfinite(number)) return std::nullopt;
  rest = text.substr(static_cast<std::size_t>(read.ptr - text.data()));
  return number;
}

std::optional<double> number_from(std::string_view text) {
  std::string_view rest;
  const std::optional<double> number = number_at_start(text, rest);
  return rest.empty() ? number : std::nullopt;
}

}  // namespace aiopt
