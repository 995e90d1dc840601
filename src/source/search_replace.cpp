/// SEARCH/REPLACE blocks, in aider's form.

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "source/patch_formats.hpp"

namespace aiopt {
namespace {

struct Marker {
  enum class Kind { head, divider, tail };
  Kind kind;
  std::size_t line;       ///< 0-based.
  std::size_t length;     ///< How often the sign stands there.
  std::string_view rest;  ///< What follows "<<<<<<< SEARCH".
};

std::size_t run_length(std::string_view line, char sign) {
  return std::min(line.find_first_not_of(sign), line.size());
}

std::optional<Marker> marker_in(std::string_view line, std::size_t index) {
  if (line.size() < 5 || (line[0] != '<' && line[0] != '=' && line[0] != '>')) return std::nullopt;
  const char sign = line[0];
  const std::size_t length = run_length(line, sign);
  if (length < 5 || length > 9) return std::nullopt;
  std::string_view rest = trim(line.substr(length));
  if (sign == '=') {
    if (!rest.empty()) return std::nullopt;
    return Marker{Marker::Kind::divider, index, length, rest};
  }
  const std::string_view word = sign == '<' ? "SEARCH" : "REPLACE";
  if (!rest.starts_with(word)) return std::nullopt;
  rest = trim(rest.substr(word.size()));
  if (sign == '>') {
    if (!rest.empty()) return std::nullopt;
    return Marker{Marker::Kind::tail, index, length, rest};
  }
  if (rest.starts_with('>') || rest.starts_with(':')) rest = trim(rest.substr(1));
  return Marker{Marker::Kind::head, index, length, rest};
}

std::vector<Marker> find_markers(const ReplyLines& lines) {
  std::vector<Marker> markers;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (const auto marker = marker_in(lines[i], i)) markers.push_back(*marker);
  }
  return markers;
}

/// Index of the marker that ends the block of markers[head]: the first of the same length; failing that, of any length,
/// if no other block starts before it.
Result<std::size_t> find_tail(const ReplyLines& lines, const std::vector<Marker>& markers, std::size_t head) {
  std::optional<std::size_t> other_length;
  bool other_head = false;
  std::size_t i = head + 1;
  for (; i < markers.size(); ++i) {
    const bool same_length = markers[i].length == markers[head].length;
    if (markers[i].kind == Marker::Kind::tail) {
      if (same_length) return i;
      if (!other_length && !other_head) other_length = i;
    } else if (markers[i].kind == Marker::Kind::head) {
      if (same_length) break;
      other_head = true;
    }
  }
  if (other_length) return *other_length;
  if (i < markers.size()) {
    return unreadable(lines, markers[head].line,
                      fmt::format("this block is not closed before the next one starts in line {}; expected a line "
                                  "{} REPLACE",
                                  markers[i].line + 1, std::string(markers[head].length, '>')));
  }
  return unreadable(lines, markers[head].line,
                    fmt::format("this block is never closed: expected a line {} REPLACE before the end of the reply; "
                                "was the reply cut off?",
                                std::string(markers[head].length, '>')));
}

/// Index of the marker that parts SEARCH from REPLACE. Code may hold "=======" too: a line as long as the head's counts
/// first, and of several none is guessed.
Result<std::size_t> find_divider(const ReplyLines& lines, const std::vector<Marker>& markers, std::size_t head,
                                 std::size_t tail) {
  std::vector<std::size_t> same_length;
  std::vector<std::size_t> any_length;
  for (std::size_t i = head + 1; i < tail; ++i) {
    if (markers[i].kind != Marker::Kind::divider) continue;
    any_length.push_back(i);
    if (markers[i].length == markers[head].length) same_length.push_back(i);
  }
  const std::vector<std::size_t>& candidates = same_length.empty() ? any_length : same_length;
  if (candidates.size() == 1) return candidates.front();
  const std::string divider(markers[head].length, '=');
  if (candidates.empty()) {
    return unreadable(lines, markers[head].line,
                      fmt::format("this block has no line {} between its SEARCH and its REPLACE part", divider));
  }
  return unreadable(lines, markers[candidates[1]].line,
                    fmt::format("the block that starts in line {} has {} lines that may divide it (lines {} and {}); "
                                "write all signs of this block with another length, 9 for example, so that the divider "
                                "differs from the code",
                                markers[head].line + 1, candidates.size(), markers[candidates[0]].line + 1,
                                markers[candidates[1]].line + 1));
}

/// The file named above the block: in the nearest line that is not blank, past a fence that opens there.
std::optional<std::string> name_above(const ReplyLines& lines, std::size_t head, std::size_t floor) {
  constexpr std::size_t kFarthest = 4;
  for (std::size_t i = head; i > floor && head - i < kFarthest; --i) {
    const std::string_view line = lines[i - 1];
    if (trim(line).empty()) continue;
    if (const auto fence = opening_fence(line)) {
      if (auto path = path_in_info(fence->info)) return path;
      continue;
    }
    return path_in_line(line);
  }
  return std::nullopt;
}

}  // namespace

bool has_search_replace_blocks(const ReplyLines& lines) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto marker = marker_in(lines[i], i);
    if (marker && marker->kind != Marker::Kind::divider) return true;
  }
  return false;
}

Result<Patch> parse_search_replace(const ReplyLines& lines, std::string_view only_file) {
  const std::vector<Marker> markers = find_markers(lines);
  Patch patch;
  std::string path(only_file);
  std::size_t floor = 0;  // The first line after the block before.
  for (std::size_t i = 0; i < markers.size(); ++i) {
    const Marker& head = markers[i];
    if (head.kind == Marker::Kind::divider) continue;  // A heading's underline.
    if (head.kind == Marker::Kind::tail) {
      return unreadable(lines, head.line, "this closes no block; expected <<<<<<< SEARCH before it");
    }
    const auto tail = find_tail(lines, markers, i);
    if (!tail) return tail.error();
    const auto divider = find_divider(lines, markers, i, *tail);
    if (!divider) return divider.error();

    auto named = head.rest.empty() ? name_above(lines, head.line, floor) : path_in_line(head.rest);
    if (!head.rest.empty() && !named) {
      return unreadable(lines, head.line, "expected nothing or a file's path after SEARCH");
    }
    if (named) path = std::move(*named);
    if (path.empty()) {
      return unreadable(lines, head.line,
                        "this block names no file; expected the file's path alone in the line before it");
    }
    const std::size_t middle = markers[*divider].line;
    const std::size_t end = markers[*tail].line;
    patch.edits.push_back({Edit::Kind::replace, path, joined_lines(lines, head.line + 1, middle),
                           joined_lines(lines, middle + 1, end), 0});
    floor = end + 1;
    i = *tail;
  }
  return patch;
}

}  // namespace aiopt
