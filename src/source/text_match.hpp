/// Finds where the search text of an edit stands in a file: exactly, or as nearly as models write it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <aiopt/result.hpp>

namespace aiopt {

/// What becomes of the bytes [begin, end) of a file.
struct Replacement {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string text;
  bool found_exactly = false;  ///< The search text occurs byte by byte, once: it needs no line to be found again.
};

/// How the lines of a file end.
enum class LineEnds { unknown, lf, crlf, mixed };
LineEnds line_ends_of(std::string_view text);
/// The text with the ends that a file has; unchanged for unknown and mixed. Doing it twice changes nothing more.
std::string with_line_ends(std::string text, LineEnds ends);

/// Whether `search` occurs exactly once. One that ends in '\n' is made of whole lines and matches at the start of a
/// line only.
bool occurs_once(std::string_view content, std::string_view search);

/// Tries, one after the other, until something matches: the exact text; lines that differ in trailing white space or
/// '\r' only; lines that differ in a common indentation as well, which `text` is given then. Where several places
/// match, the one nearest to `line` (1-based, 0: not known) is taken if it is clearly nearest.
///
/// Cost: linear in content and search (two-way search, then Knuth-Morris-Pratt over bytes or lines), whatever they
/// repeat. The indentation is compared at a bounded number of places.
///
/// @pre !search.empty()
/// @return invalid_argument: "is not there" with the most similar lines, or the list of the places.
Result<Replacement> find_replacement(std::string_view content, std::string_view search, std::string_view text,
                                     std::uint32_t line);

}  // namespace aiopt
