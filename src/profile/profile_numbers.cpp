/// Numbers by from_chars, which knows no locale; a decimal comma is made a point first.

#include "profile/profile_numbers.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

namespace aiopt {

std::optional<double> parse_decimal(std::string_view text) {
  std::array<char, 64> plain{};  // Longer than any number that a profiler prints.
  if (text.empty() || text.size() > plain.size()) return std::nullopt;
  std::memcpy(plain.data(), text.data(), text.size());
  const std::size_t comma = text.find(',');
  // A point beside it, or a second one, and the comma would divide thousands: none of the tools prints such.
  if (comma != std::string_view::npos) {
    if (text.find_first_of(".,", comma + 1) != std::string_view::npos || text.find('.') < comma) return std::nullopt;
    plain[comma] = '.';
  }
  double number = 0.0;
  const char* end = plain.data() + text.size();
  const auto [stop, error] = std::from_chars(plain.data(), end, number);
  if (error != std::errc() || stop != end || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return number;
}

std::string_view binary_kind(std::string_view text) {
  if (text.starts_with("PERFILE2") || text.starts_with("2ELIFREP")) return "perf.data, of which perf script makes text";
  if (text.starts_with("\x7f"
                       "ELF")) {
    return "a program";
  }
  if (text.starts_with("\x1f\x8b") || text.starts_with("\x28\xb5\x2f\xfd")) return "compressed";
  return "";
}

}  // namespace aiopt
