/// Small text tools that more than one module needs.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace aiopt {

std::string_view trim(std::string_view text);
std::vector<std::string_view> split_lines(std::string_view text);  ///< Without '\n'; a trailing newline makes no line.

/// The candidate nearest to `name` by edit distance, or "" if none is near: for "did you mean".
std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates);

/// At most `limit_bytes`: head and tail, with "[... N bytes left out ...]" between; UTF-8 is not cut apart.
std::string shorten_middle(std::string_view text, std::size_t limit_bytes);

/// Text of a stranger's for a message or a list: valid UTF-8 on one line, white space folded, nothing in it that
/// steers a terminal; "..." where it was cut to at most `limit_bytes`.
std::string one_line(std::string_view text, std::size_t limit_bytes);

/// Replaces whatever is not valid UTF-8 by U+FFFD, so that it can be put into JSON.
std::string valid_utf8(std::string_view text);

}  // namespace aiopt
