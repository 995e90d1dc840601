/// Finds the numeric literals of C and C++ code that are worth tuning, and writes them back with another value.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace aiopt {

/// `// aiopt: tune [lo, hi] log|int` on a literal's line: what values it may take. Every part may be left out.
struct TuneHint {
  std::optional<double> lower;
  std::optional<double> upper;
  bool log = false;      ///< Steps are in proportion to the value, within the range too.
  bool integer = false;  ///< A floating literal takes whole values only.
};

struct Literal {
  std::size_t offset = 0;  ///< In the text, bytes.
  std::size_t length = 0;
  std::uint32_t line = 1;     ///< 1-based.
  std::uint32_t on_line = 0;  ///< Its place among the literals of its line, tunable or not.
  double value = 0.0;         ///< Finite; an integer is exact, as larger ones than 2^53 are left out.
  bool integer = true;
  int base = 10;          ///< 2, 8, 10 or 16.
  std::string suffix;     ///< "u", "ULL", "f", "ms", "_KiB", ...
  bool constant = false;  ///< It is the value of a named constant: const, constexpr, #define.
  std::optional<TuneHint> hint;
};

/// Literals in comments, strings, characters and directives other than #define are not there at all. Left out as well,
/// because a change of them breaks the program or means nothing:
/// - 0 and 1, but for the value of a named constant, and anything in a `case` label or a static_assert;
/// - octal numbers (file modes), hexadecimal masks (0xff) and polynomials (large and no power of two);
/// - lists in braces with more than eight literals: tables of a checksum, a hash, a code;
/// - lines that say "version", hexadecimal floats, integers above 2^53, suffixes that are not known.
/// A hint on the line brings back what the first three leave out. Any bytes will do; linear time.
std::vector<Literal> tunable_literals(std::string_view text);

/// The literal with another value, in its own base and with its own suffix: "0x40u" with 128 is "0x80u".
/// @pre value is finite and not negative; a whole number below 2^53 for an integer literal
std::string write_literal(const Literal& literal, double value);

}  // namespace aiopt
