/// Code spans and fences that what is in them cannot end.

#include "prompt/markdown_text.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kMaxInlineBytes = 300;
/// No name is longer; what lies beyond is not looked at.
constexpr std::size_t kMaxNameBytes = 4096;

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

/// "head...tail", a third of it head. Valid UTF-8 stays so.
std::string leave_out_middle(const std::string& text, std::size_t limit_bytes) {
  if (text.size() <= limit_bytes) return text;
  std::size_t head = (limit_bytes - 3) / 3;
  std::size_t tail = text.size() - (limit_bytes - 3 - head);
  while (head > 0 && continues_character(text[head])) --head;
  while (tail < text.size() && continues_character(text[tail])) ++tail;
  return text.substr(0, head) + "..." + text.substr(tail);
}

}  // namespace

std::string inline_text(std::string_view text) {
  std::string line(text.substr(0, kMaxInlineBytes));
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    if (c == '`') c = '\'';
  }
  return line;
}

std::string code_text(std::string_view text, std::size_t limit_bytes) {
  std::string line = one_line(text, kMaxNameBytes);
  std::replace(line.begin(), line.end(), '`', '\'');
  return leave_out_middle(line, limit_bytes);
}

std::string code_span(std::string_view text, std::size_t limit_bytes) {
  const std::string line = code_text(text, limit_bytes);
  // Two backticks with nothing between would open a span of two.
  return "`" + (line.empty() ? " " : line) + "`";
}

std::string fenced(std::string_view text, std::string_view language) {
  std::size_t longest = 2;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  std::string block;
  block.reserve(text.size() + 2 * fence.size() + language.size() + 3);
  block.append(fence).append(language).append("\n").append(text);
  if (!text.empty() && text.back() != '\n') block += '\n';
  return block += fence;
}

std::string_view language_of(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  const std::string_view ending = dot == std::string_view::npos ? "" : path.substr(dot + 1);
  if (ending == "c") return "c";
  for (const std::string_view cpp : {"cc", "cpp", "cxx", "h", "hh", "hpp", "hxx", "inl", "ipp"}) {
    if (ending == cpp) return "cpp";
  }
  return "";
}

}  // namespace aiopt
