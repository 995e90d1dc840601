/// Finds the telling line.

#include "core/reason.hpp"

#include <algorithm>
#include <vector>

#include "base/text.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kShownBytes = 110;

}  // namespace

bool names_an_error(std::string_view line) {
  static constexpr std::string_view kWords[] = {"error", "Error", "FAIL", "fail", "assert", "undefined reference"};
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](std::string_view word) { return line.find(word) != std::string_view::npos; });
}

std::string telling_line(std::string_view reason) {
  std::vector<std::string_view> lines = split_lines(reason);
  // The first line says how the stage ended; what it printed follows.
  if (lines.size() > 1 && lines.front().find(" ended with ") != std::string_view::npos) lines.erase(lines.begin());
  const auto telling = std::find_if(lines.begin(), lines.end(), names_an_error);
  if (telling != lines.end()) return one_line(*telling, kShownBytes);
  return lines.empty() ? "" : one_line(lines.front(), kShownBytes);
}

}  // namespace aiopt
