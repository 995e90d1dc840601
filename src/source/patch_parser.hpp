/// Reads a patch out of a model's reply or a patch file.

#pragma once

#include <cstddef>
#include <string_view>

#include <aiopt/proposal.hpp>
#include <aiopt/result.hpp>

namespace aiopt {

inline constexpr std::size_t kMaxEdits = 1000;  ///< Of one patch.

/// Understands, in this order of preference: SEARCH/REPLACE blocks with a file name, unified diffs
/// (git's and plain diff's), and whole files in fences that name them.
///
/// @param only_file  The path meant where a block names none; empty if there are several files.
/// @return The patch, not empty, or Error::Code::invalid_argument that quotes the line which could not be read:
///         words that the model can act on.
Result<Patch> parse_patch(std::string_view reply, std::string_view only_file = {});

}  // namespace aiopt
