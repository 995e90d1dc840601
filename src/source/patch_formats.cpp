/// What the three forms of patch share: fences, and file names in the lines around them.

#include "source/patch_formats.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/format.h>

#include "base/text.hpp"
#include "source/text_lines.hpp"

namespace aiopt {
namespace {

constexpr std::array<std::string_view, 8> kLabels = {
    "file name:", "file path:", "filename:", "filepath:", "file:", "path:", "in file ", "file "};
constexpr std::array<std::string_view, 5> kNamesWithoutEnding = {"Makefile", "GNUmakefile", "Dockerfile", "BUILD",
                                                                 "WORKSPACE"};

bool is_letter_or_digit(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

bool has_file_ending(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  const std::string_view ending = name.substr(dot + 1);
  if (ending.empty() || ending.size() > 8) return false;
  const bool plain =
      std::all_of(ending.begin(), ending.end(), [](char c) { return is_letter_or_digit(c) || c == '+'; });
  return plain && std::any_of(ending.begin(), ending.end(),
                              [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; });
}

/// Whether the word may be meant as a path: absurd ones ("/etc/passwd", "../x.cc") too, so that apply_patch() names
/// them.
bool looks_like_path(std::string_view word) {
  constexpr std::size_t kLongest = 4096;
  if (word.empty() || word.size() > kLongest) return false;
  if (word.find_first_of(" \t<>|;(){}[]=,!?\"'`*&$%^") != std::string_view::npos) return false;
  if (word.find("::") != std::string_view::npos || word.find("://") != std::string_view::npos) return false;
  if (word.back() == '.' || word.back() == '/' || word.back() == ':') return false;
  const std::string_view name = word.substr(word.rfind('/') + 1);
  if (has_file_ending(name)) return true;
  if (std::find(kNamesWithoutEnding.begin(), kNamesWithoutEnding.end(), name) != kNamesWithoutEnding.end()) return true;
  return word.find('/') != std::string_view::npos && is_letter_or_digit(word.back()) &&
         word.find_first_not_of("/") != std::string_view::npos;
}

bool starts_with_label(std::string_view text, std::string_view label) {
  if (text.size() < label.size()) return false;
  return std::equal(label.begin(), label.end(), text.begin(),
                    [](char a, char b) { return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b))); });
}

/// "### 2. **File:** src/wal.cc**" -> "src/wal.cc"
std::string_view without_decoration(std::string_view text) {
  for (;;) {
    const std::size_t size = text.size();
    text = trim(text);
    if (text.starts_with("//") || text.starts_with("/*") || text.starts_with("--")) text.remove_prefix(2);
    while (!text.empty() && (text.front() == '#' || text.front() == '*' || text.front() == '>' || text.front() == '"' ||
                             text.front() == '\'' || text.front() == '(')) {
      text.remove_prefix(1);
    }
    if (text.starts_with("- ")) text.remove_prefix(2);
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits > 0 && digits + 1 < text.size() && (text[digits] == '.' || text[digits] == ')') &&
        text[digits + 1] == ' ') {
      text.remove_prefix(digits + 2);
    }
    if (text.ends_with("*/")) text.remove_suffix(2);
    while (!text.empty() && (text.back() == '*' || text.back() == ':' || text.back() == '"' || text.back() == '\'' ||
                             text.back() == ')' || text.back() == '#')) {
      text.remove_suffix(1);
    }
    for (const std::string_view label : kLabels) {
      if (starts_with_label(text, label)) text.remove_prefix(label.size());
    }
    if (text.size() == size) return text;
  }
}

/// The one path in backticks; nothing if there are several or none.
std::optional<std::string> path_in_backticks(std::string_view line) {
  std::optional<std::string> path;
  for (std::size_t open = line.find('`'); open != std::string_view::npos;) {
    const std::size_t close = line.find('`', open + 1);
    if (close == std::string_view::npos) break;
    const std::string_view word = trim(line.substr(open + 1, close - open - 1));
    if (looks_like_path(word)) {
      if (path && *path != word) return std::nullopt;
      path = std::string(word);
    }
    open = line.find('`', close + 1);
  }
  return path;
}

}  // namespace

std::optional<Fence> opening_fence(std::string_view line) {
  const std::size_t indent = line.find_first_not_of(' ');
  if (indent == std::string_view::npos || indent > 3) return std::nullopt;
  line.remove_prefix(indent);
  const char sign = line.front();
  if (sign != '`' && sign != '~') return std::nullopt;
  const std::size_t length = std::min(line.find_first_not_of(sign), line.size());
  if (length < 3) return std::nullopt;
  const std::string_view info = trim(line.substr(length));
  if (sign == '`' && info.find('`') != std::string_view::npos) return std::nullopt;
  return Fence{sign, length, info};
}

bool closes_fence(const Fence& fence, std::string_view line) {
  const auto other = opening_fence(line);
  return other && other->sign == fence.sign && other->length >= fence.length && other->info.empty();
}

std::optional<std::string> path_in_line(std::string_view line) {
  constexpr std::size_t kLongestLine = 5000;
  if (line.size() > kLongestLine) return std::nullopt;
  if (auto path = path_in_backticks(line)) return path;
  std::string_view text = without_decoration(line);
  if (looks_like_path(text)) return std::string(text);
  // "Changes in src/wal.cc:", but not the end of any sentence.
  if (text.find('`') != std::string_view::npos) return std::nullopt;
  const std::size_t gap = text.find_last_of(" \t");
  if (gap == std::string_view::npos) return std::nullopt;
  const std::string_view last = without_decoration(text.substr(gap + 1));
  if (looks_like_path(last) && has_file_ending(last)) return std::string(last);
  return std::nullopt;
}

std::optional<std::string> path_in_info(std::string_view info) {
  while (!info.empty()) {
    info = trim(info);
    const std::size_t end = std::min(info.find_first_of(" \t:={}"), info.size());
    std::string_view word = info.substr(0, end);
    while (!word.empty() && (word.front() == '"' || word.front() == '\'')) word.remove_prefix(1);
    while (!word.empty() && (word.back() == '"' || word.back() == '\'')) word.remove_suffix(1);
    if (looks_like_path(word)) return std::string(word);
    info.remove_prefix(std::min(end + 1, info.size()));
  }
  return std::nullopt;
}

std::string joined_lines(const ReplyLines& lines, std::size_t begin, std::size_t end) {
  std::string text;
  for (std::size_t i = begin; i < end; ++i) {
    text += lines[i];
    text += '\n';
  }
  return text;
}

Error unreadable(const ReplyLines& lines, std::size_t index, std::string_view why) {
  return {Error::Code::invalid_argument, fmt::format("line {} of the reply, {}: {}", index + 1,
                                                     in_backticks(index < lines.size() ? lines[index] : ""), why)};
}

}  // namespace aiopt
