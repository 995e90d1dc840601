/// EVOLVE-BLOCK-START/END: the parts of a file that may change, where the file says so.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>

namespace aiopt {

/// The text between two marker lines.
struct EvolveBlock {
  std::size_t begin = 0;  ///< First byte after the START line.
  std::size_t end = 0;    ///< First byte of the END line.
};

/// The blocks of a file, none if it has no markers. A marker stands alone in a comment of its own line: `//`, `#`,
/// `/*`, `--`, `;` or `<!--`, then EVOLVE-BLOCK-START or EVOLVE-BLOCK-END, then anything.
/// Error: invalid_argument if a block is nested, never closed or never opened; names the line.
Result<std::vector<EvolveBlock>> find_evolve_blocks(std::string_view text);

/// Holds a change to the blocks of the parent.
///
/// @return `changed`, with everything outside the blocks as `parent` has it byte by byte (trailing white space and line
///         ends there are put right). Error: invalid_argument that quotes the first line changed outside.
Result<std::string> keep_outside_evolve_blocks(std::string_view path, std::string_view parent, std::string changed);

}  // namespace aiopt
