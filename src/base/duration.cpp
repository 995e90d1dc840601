/// Durations as people write them.

#include "base/duration.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/text.hpp"

namespace aiopt {

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  constexpr double kLongestSeconds = 168.0 * 3600.0;
  constexpr std::array<std::pair<std::string_view, double>, 5> kUnits = {
      {{"", 1.0}, {"ms", 0.001}, {"s", 1.0}, {"m", 60.0}, {"h", 3600.0}}};
  double amount = 0.0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, amount);
  const std::string_view unit = trim(std::string_view(end, static_cast<std::size_t>(last - end)));
  const auto* const known =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& entry) { return entry.first == unit; });
  const double seconds = known == kUnits.end() ? 0.0 : amount * known->second;
  // Written so that NaN is refused.
  if (error != std::errc{} || !(seconds >= 0.001 && seconds <= kLongestSeconds)) return std::nullopt;
  return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(seconds * 1000.0 + 0.5));
}

}  // namespace aiopt
