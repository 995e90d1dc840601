/// Finds the telling line.

#include "core/reason.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kShownBytes = 110;

}  // namespace

std::vector<std::string_view>::const_iterator first_error(const std::vector<std::string_view>& lines) {
  constexpr std::array<std::string_view, 8> kSure = {"error:", "ERROR",     "FAILED",    "undefined reference",
                                                     "***",    "Assertion", "assertion", "terminate called"};
  constexpr std::array<std::string_view, 5> kLikely = {"FAIL", "fail", "error", "Error", "assert"};
  const auto find = [&](const auto& words) {
    return std::find_if(lines.begin(), lines.end(), [&](std::string_view line) {
      return std::any_of(words.begin(), words.end(),
                         [&](std::string_view word) { return line.find(word) != line.npos; });
    });
  };
  const auto sure = find(kSure);
  return sure != lines.end() ? sure : find(kLikely);
}

std::string telling_line(std::string_view reason) {
  std::vector<std::string_view> lines = split_lines(reason);
  // The first line says how the stage ended; what it printed follows.
  if (lines.size() > 1 && lines.front().find(" ended with ") != std::string_view::npos) lines.erase(lines.begin());
  const auto telling = first_error(lines);
  if (telling != lines.end()) return one_line(*telling, kShownBytes);
  return lines.empty() ? "" : one_line(lines.front(), kShownBytes);
}

}  // namespace aiopt
