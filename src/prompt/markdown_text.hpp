/// Text from outside as a part of a Markdown text: it can't leave the place that it is given.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace aiopt {

/// Stands within a line: cannot begin a line, a fence or a code span of its own. 300 bytes at most.
std::string inline_text(std::string_view text);

/// A code span of one line of valid UTF-8, "`walkv::Wal::append`". Of a longer text the middle is left out: of a C++
/// name the ends tell most. At least a space stands in it.
/// @param limit_bytes of the text within; at least 8
std::string code_span(std::string_view text, std::size_t limit_bytes);

/// The text of such a code span alone, for a place within a fence.
std::string code_text(std::string_view text, std::size_t limit_bytes);

/// In a code fence that is longer than any run of backticks within: the text cannot end it.
std::string fenced(std::string_view text, std::string_view language = "");

/// "cpp" or "c" by the path's ending, for fenced(); empty for any other.
std::string_view language_of(std::string_view path);

}  // namespace aiopt
