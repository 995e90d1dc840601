/// Finds files by the ends of their paths, and functions by what begins in the first column.

#include "prompt/source_excerpt.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

#include <fmt/format.h>

#include "base/text.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kMaxLineBytes = 200;
constexpr std::size_t kMaxPathBytes = 4096;

/// Without ".", and with ".." taken back as far as it goes: "/w/build/../src/./a.cc" is "w", "src", "a.cc".
std::vector<std::string_view> path_components(std::string_view path) {
  std::vector<std::string_view> components;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (component == ".." && !components.empty()) components.pop_back();
    if (!component.empty() && component != "." && component != "..") components.push_back(component);
  }
  return components;
}

bool ends_with(const std::vector<std::string_view>& path, const std::vector<std::string_view>& end) {
  return !end.empty() && end.size() <= path.size() && std::equal(end.rbegin(), end.rend(), path.rbegin());
}

bool is_system_header(std::string_view path) {
  return path.starts_with("/usr/include/") || path.starts_with("/usr/lib/") || path.starts_with("/usr/local/include/");
}

std::size_t indentation(std::string_view line) {
  return std::min(line.find_first_not_of(" \t"), line.size());
}

std::string_view first_word(std::string_view line) {
  std::size_t end = 0;
  while (end < line.size() && (std::isalnum(static_cast<unsigned char>(line[end])) != 0 || line[end] == '_')) ++end;
  return line.substr(0, end);
}

bool begins_with_name(std::string_view line) {
  return !line.empty() && (std::isalpha(static_cast<unsigned char>(line.front())) != 0 || line.front() == '_' ||
                           line.front() == '~' || line.front() == ':');
}

/// Whether a function may begin on this line: "Status DbImpl::put(", not "if (", "class A {", "run([this] {", "f(x);".
bool may_be_head(std::string_view line) {
  constexpr std::string_view kOthers[] = {"if",  "else",  "for",   "while",     "do",     "switch", "case",  "default",
                                          "try", "catch", "class", "namespace", "struct", "enum",   "union", "return"};
  line = trim(line);
  const bool is_other = std::find(std::begin(kOthers), std::end(kOthers), first_word(line)) != std::end(kOthers);
  const bool is_complete = line.ends_with(';') || line.ends_with('}');
  return begins_with_name(line) && !is_other && !is_complete && line.find('(') != std::string_view::npos &&
         line.find('[') == std::string_view::npos;
}

/// Whether a statement that begins on the line `at` goes on to a brace that opens a body.
bool goes_on_to_brace(const std::vector<std::string_view>& lines, std::size_t at) {
  constexpr std::size_t kMostHeadLines = 12;
  for (std::size_t i = at; i < std::min(lines.size(), at + kMostHeadLines); ++i) {
    const std::string_view line = trim(lines[i]);
    if (line.ends_with('{')) return true;
    if (line.empty() || line.ends_with(';') || line.ends_with('}')) return false;
  }
  return false;
}

/// Whether a line from `head` to `end` ends with the brace that opens the function's body.
bool opens_brace(const std::vector<std::string_view>& lines, std::size_t head, std::size_t end) {
  for (std::size_t i = head; i <= end; ++i) {
    if (trim(lines[i]).ends_with('{')) return true;
  }
  return false;
}

/// The line on which the function that holds the line `at` begins; lines.size() if it is not found.
std::size_t head_above(const std::vector<std::string_view>& lines, std::size_t at) {
  if (may_be_head(lines[at]) && goes_on_to_brace(lines, at)) return at;
  std::size_t inside = indentation(lines[at]);
  for (std::size_t i = at; i-- > 0;) {
    const std::string_view line = trim(lines[i]);
    const bool is_blank = line.empty() || line.starts_with('#');
    // A brace on a line of its own stands as far in as the head before it.
    const bool can_be = indentation(lines[i]) < inside || (i + 1 <= at && trim(lines[i + 1]) == "{" && i + 1 != at);
    if (is_blank || !can_be) continue;
    if (may_be_head(line) && opens_brace(lines, i, at)) return i;
    inside = std::min(inside, indentation(lines[i]));
  }
  return lines.size();
}

/// From the function's head to the brace that ends it, or empty.
/// @param lines the file's
/// @param at index of the line
LineRange function_lines_at(const std::vector<std::string_view>& lines, std::size_t at) {
  std::size_t head = head_above(lines, at);
  if (head == lines.size()) return {};
  const std::size_t outside = indentation(lines[head]);
  std::size_t end = std::max(at, head + 1);
  while (end < lines.size() && !(indentation(lines[end]) == outside && trim(lines[end]).starts_with('}'))) ++end;
  if (end == lines.size()) return {};
  // "template <typename T>" and a return type may stand on lines of their own.
  const auto leads_on = [&](std::string_view line) {
    return indentation(line) == outside && begins_with_name(trim(line)) &&
           trim(line).find_first_of(";{}:") == trim(line).npos;
  };
  while (head > 0 && leads_on(lines[head - 1])) --head;
  return {head + 1, end + 1};
}

}  // namespace

const SourceTree::value_type* find_source(const SourceTree& tree, std::string_view profile_path) {
  if (profile_path.size() > kMaxPathBytes || is_system_header(profile_path)) return nullptr;
  const std::vector<std::string_view> wanted = path_components(profile_path);
  if (wanted.empty()) return nullptr;
  const SourceTree::value_type* longest = nullptr;
  std::size_t longest_size = 0;
  const SourceTree::value_type* longer = nullptr;  // Whose path ends with the profile's.
  std::size_t longer_count = 0;
  for (const auto& file : tree) {
    // Of thousands of files nearly all are called otherwise.
    if (!file.first.ends_with(wanted.back())) continue;
    const std::vector<std::string_view> path = path_components(file.first);
    if (ends_with(wanted, path) && path.size() > longest_size) {
      longest = &file;
      longest_size = path.size();
    }
    if (ends_with(path, wanted)) {
      longer = &file;
      ++longer_count;
    }
  }
  if (longest != nullptr) return longest;
  return longer_count == 1 ? longer : nullptr;
}

LineRange lines_around(std::string_view text, std::size_t line, std::size_t function_lines, std::size_t around) {
  const std::vector<std::string_view> lines = split_lines(text);
  if (line == 0 || line > lines.size()) return {};
  const LineRange function = function_lines_at(lines, line - 1);
  if (function.last != 0 && function.last - function.first < function_lines) return function;
  return {line > around ? line - around : 1, std::min(lines.size(), line + around)};
}

std::string numbered_lines(std::string_view text, const LineRange& range, std::size_t marked) {
  const std::vector<std::string_view> lines = split_lines(text);
  const std::size_t width = std::to_string(range.last).size();
  std::string numbered;
  for (std::size_t number = range.first; number <= std::min(range.last, lines.size()); ++number) {
    std::string_view line = lines[number - 1];
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool is_cut = line.size() > kMaxLineBytes;
    numbered += fmt::format("{}{:>{}}| {}{}\n", number == marked ? '>' : ' ', number, width,
                            valid_utf8(line.substr(0, kMaxLineBytes)), is_cut ? "..." : "");
  }
  return numbered;
}

}  // namespace aiopt
