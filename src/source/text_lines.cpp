/// Lines of a text: see text_lines.hpp.

#include "source/text_lines.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/text.hpp"

namespace aiopt {

std::size_t find_text(std::string_view text, std::string_view needle, std::size_t from) {
  if (from > text.size() || needle.size() > text.size() - from) return std::string_view::npos;
  if (needle.empty()) return from;
  const void* hit = memmem(text.data() + from, text.size() - from, needle.data(), needle.size());
  if (hit == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
}

std::size_t line_begin(std::string_view text, std::size_t offset) {
  if (offset == 0 || text.empty()) return 0;
  const void* hit = memrchr(text.data(), '\n', std::min(offset, text.size()));
  return hit == nullptr ? 0 : static_cast<std::size_t>(static_cast<const char*>(hit) - text.data()) + 1;
}

std::size_t line_end(std::string_view text, std::size_t offset) {
  const std::size_t end = text.find('\n', offset);
  return end == std::string_view::npos ? text.size() : end + 1;
}

std::size_t count_lines(std::string_view text) {
  const auto ends = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  return ends + (!text.empty() && text.back() != '\n' ? 1 : 0);
}

std::size_t line_number_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  return static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
}

std::size_t offset_of_line(std::string_view text, std::size_t index) {
  std::size_t position = 0;
  for (; index > 0 && position < text.size(); --index) position = line_end(text, position);
  return position;
}

std::string_view line_of(std::string_view text, std::size_t index) {
  const std::size_t begin = offset_of_line(text, index);
  std::string_view line = text.substr(begin, line_end(text, begin) - begin);
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

std::string_view without_leading_blanks(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

std::string_view without_trailing_blanks(std::string_view text) {
  std::size_t size = text.size();
  // By hand: find_last_not_of() costs a memchr() a byte, and this runs over whole files.
  while (size > 0) {
    const char c = text[size - 1];
    if (c != ' ' && (c < '\t' || c > '\r')) break;
    --size;
  }
  return text.substr(0, size);
}

std::string printable(std::string_view line) {
  constexpr std::size_t kLongest = 160;
  std::string text = valid_utf8(shorten_middle(without_trailing_blanks(line), kLongest));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' && c != '\t') c = '?';
  }
  return text;
}

std::string in_backticks(std::string_view line) {
  const std::string text = printable(line);
  return text.find('`') == std::string::npos ? fmt::format("`{}`", text) : fmt::format("`` {} ``", text);
}

std::optional<std::string_view> LineReader::next() {
  if (position_ >= text_.size()) return std::nullopt;
  const std::size_t end = line_end(text_, position_);
  const std::string_view line = text_.substr(position_, end - position_);
  position_ = end;
  return line;
}

}  // namespace aiopt
