/// Small text tools: lines, likeness of names, bounded and valid text.

#include "base/text.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

namespace aiopt {
namespace {

/// Longer names are nobody's typing error, and the distance costs the product of the lengths.
constexpr std::size_t kLongestName = 200;

/// Letters changed, added, left out, or swapped with their neighbour (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      current[j] = std::min({last[j] + 1, current[j - 1] + 1, last[j - 1] + change});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) current[j] = std::min(current[j], before_last[j - 2] + 1);
    }
    std::swap(before_last, last);
    std::swap(last, current);
  }
  return last[b.size()];
}

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

/// The largest cut at or before `at` that does not lie inside a character.
std::size_t cut_before(std::string_view text, std::size_t at) {
  std::size_t cut = at;
  // Four bytes are the longest character: what goes on longer is not UTF-8 and may be cut anywhere.
  while (cut > 0 && at - cut < 3 && cut < text.size() && is_continuation(text[cut])) --cut;
  return cut < text.size() && is_continuation(text[cut]) ? at : cut;
}

std::size_t cut_after(std::string_view text, std::size_t at) {
  std::size_t cut = at;
  while (cut < text.size() && cut - at < 3 && is_continuation(text[cut])) ++cut;
  return cut < text.size() && is_continuation(text[cut]) ? at : cut;
}

/// What may follow a lead byte (Unicode standard, table 3-7): no overlong forms, no surrogates, at most U+10FFFF.
struct Sequence {
  std::size_t length = 0;  ///< 0: no lead byte.
  unsigned char second_lower = 0x80;
  unsigned char second_upper = 0xbf;
};

Sequence sequence_of(unsigned char lead) {
  if (lead < 0x80) return {1};
  if (lead >= 0xc2 && lead <= 0xdf) return {2};
  if (lead == 0xe0) return {3, 0xa0, 0xbf};
  if (lead == 0xed) return {3, 0x80, 0x9f};
  if (lead >= 0xe1 && lead <= 0xef) return {3};
  if (lead == 0xf0) return {4, 0x90, 0xbf};
  if (lead >= 0xf1 && lead <= 0xf3) return {4};
  if (lead == 0xf4) return {4, 0x80, 0x8f};
  return {};
}

/// How many bytes at the start of `text` are the start of a character, and whether it is whole.
std::pair<std::size_t, bool> first_character(std::string_view text) {
  const Sequence sequence = sequence_of(static_cast<unsigned char>(text[0]));
  if (sequence.length == 0) return {1, false};
  for (std::size_t i = 1; i < sequence.length; ++i) {
    if (i == text.size()) return {i, false};
    const auto byte = static_cast<unsigned char>(text[i]);
    const unsigned char lower = i == 1 ? sequence.second_lower : 0x80;
    const unsigned char upper = i == 1 ? sequence.second_upper : 0xbf;
    if (byte < lower || byte > upper) return {i, false};
  }
  return {sequence.length, true};
}

/// Whether a byte, or the first of a C1 control in UTF-8, might steer a terminal.
bool is_control(std::string_view text, std::size_t i) {
  const auto byte = static_cast<unsigned char>(text[i]);
  if (byte < 0x20 || byte == 0x7f) return true;
  return byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
}

}  // namespace

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\f\v";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::vector<std::string_view> split_lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.empty() || name.size() > kLongestName) return {};
  std::string nearest;
  std::size_t nearest_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestName) continue;
    const std::size_t distance = edit_distance(name, candidate);
    if (distance >= nearest_distance || distance >= candidate.size()) continue;
    nearest = candidate;
    nearest_distance = distance;
  }
  return nearest;
}

std::string one_line(std::string_view text, std::size_t limit_bytes) {
  // Four times as much may fold down to the limit; what lies beyond is not looked at.
  const bool is_long = text.size() > 4 * limit_bytes;
  const std::string valid = valid_utf8(trim(text).substr(0, 4 * limit_bytes));
  std::string line;
  for (std::size_t i = 0; i < valid.size(); ++i) {
    const bool folds = is_control(valid, i) || valid[i] == ' ';
    if (folds && static_cast<unsigned char>(valid[i]) == 0xc2) ++i;
    if (!folds) line += valid[i];
    if (folds && !line.empty() && line.back() != ' ') line += ' ';
  }
  if (line.size() <= limit_bytes && !is_long) return std::string(trim(line));
  // Not in the middle of a UTF-8 sequence.
  std::size_t end = std::min(line.size(), limit_bytes > 3 ? limit_bytes - 3 : 0);
  while (end > 0 && end < line.size() && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) --end;
  return line.substr(0, end) + "...";
}

std::string shorten_middle(std::string_view text, std::size_t limit_bytes) {
  if (text.size() <= limit_bytes) return std::string(text);
  // The mark is longest when all is left out, so this leaves room for whichever it becomes.
  const std::size_t mark_size = fmt::formatted_size("\n[... {} bytes left out ...]\n", text.size());
  if (limit_bytes <= mark_size) return std::string(text.substr(0, cut_before(text, limit_bytes)));
  const std::size_t kept = limit_bytes - mark_size;
  const std::size_t head = cut_before(text, kept - kept / 2);
  const std::size_t tail = cut_after(text, text.size() - kept / 2);
  return fmt::format("{}\n[... {} bytes left out ...]\n{}", text.substr(0, head), tail - head, text.substr(tail));
}

std::string valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const auto [length, whole] = first_character(text);
    valid += whole ? text.substr(0, length) : std::string_view("\xef\xbf\xbd");
    text.remove_prefix(length);
  }
  return valid;
}

}  // namespace aiopt
