/// Lines of a text by offset and number, without copying: what the patch code is made of.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace aiopt {

/// Offset of the first `needle` at or after `from`, or npos. Linear in the text whatever the two are, unlike
/// std::string_view::find (memmem(3) uses the two-way algorithm).
std::size_t find_text(std::string_view text, std::string_view needle, std::size_t from);

std::size_t line_begin(std::string_view text, std::size_t offset);  ///< Of the line that holds `offset`.
std::size_t line_end(std::string_view text, std::size_t offset);    ///< Past its '\n', or the end of the text.

std::size_t count_lines(std::string_view text);                         ///< A last line without '\n' counts.
std::size_t line_number_at(std::string_view text, std::size_t offset);  ///< 1-based.
std::string_view line_of(std::string_view text, std::size_t index);     ///< 0-based; without its line end; "" beyond.
std::size_t offset_of_line(std::string_view text, std::size_t index);   ///< 0-based; text.size() beyond the last.

std::string_view without_leading_blanks(std::string_view text);   ///< Blanks are ' ' and '\t'.
std::string_view without_trailing_blanks(std::string_view text);  ///< ' ', '\t', '\r', '\n', '\f' and '\v'.

/// The line for an error message: shortened, valid UTF-8, of control characters tabs alone.
std::string printable(std::string_view line);
/// The same in backticks.
std::string in_backticks(std::string_view line);

/// Goes through a text line by line.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : text_(text) {}

  /// The next line with its '\n', if it has one.
  std::optional<std::string_view> next();

 private:
  std::string_view text_;
  std::size_t position_ = 0;
};

}  // namespace aiopt
