/// The three forms in which a reply may hold a patch, one parser each; and what they share.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/proposal.hpp>
#include <aiopt/result.hpp>

namespace aiopt {

/// A reply, line by line, without the line ends.
using ReplyLines = std::vector<std::string_view>;

bool has_search_replace_blocks(const ReplyLines& lines);
bool has_unified_diff(const ReplyLines& lines);

Result<Patch> parse_search_replace(const ReplyLines& lines, std::string_view only_file);
Result<Patch> parse_unified_diff(const ReplyLines& lines, std::string_view only_file);
Result<Patch> parse_whole_files(const ReplyLines& lines, std::string_view only_file);

/// A line that opens a Markdown fence (CommonMark, 4.5).
struct Fence {
  char sign = '`';
  std::size_t length = 3;
  std::string_view info;  ///< "cpp src/wal.cc"
};
std::optional<Fence> opening_fence(std::string_view line);
bool closes_fence(const Fence& fence, std::string_view line);

/// The path in a line such as "src/wal.cc", "`src/wal.cc`", "**src/wal.cc**", "### 2. `src/wal.cc`", "File:
/// src/wal.cc",
/// "// src/wal.cc" or "Changes in src/wal.cc:".
std::optional<std::string> path_in_line(std::string_view line);
/// The path in a fence's info string: "cpp src/wal.cc", "cpp:src/wal.cc", "cpp title=\"src/wal.cc\"".
std::optional<std::string> path_in_info(std::string_view info);

/// The lines [begin, end), each with a '\n'.
std::string joined_lines(const ReplyLines& lines, std::size_t begin, std::size_t end);

/// "line 3 of the reply, `<<<<<<< SEARCH`: <why>". `index` is 0-based.
Error unreadable(const ReplyLines& lines, std::size_t index, std::string_view why);

}  // namespace aiopt
