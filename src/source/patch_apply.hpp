/// Applies a patch to a tree in memory: all of it, or nothing.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <aiopt/proposal.hpp>
#include <aiopt/result.hpp>
#include <aiopt/source_tree.hpp>

namespace aiopt {

/// What a patch may touch.
struct PatchRules {
  std::vector<std::string> editable;  ///< Globs; Task::editable.
  std::uint64_t max_patch_bytes = 262'144;
};

struct AppliedPatch {
  SourceTree tree;
  Patch exact;  ///< The same change, with each `search` exactly as the file has it: applies without tolerance.
  std::string changed_function;  ///< See Candidate::changed_function.
};

/// Matches exactly first, then tolerant of trailing space, CRLF and common indentation. Text between
/// EVOLVE-BLOCK markers alone may change in a file that has them.
///
/// @return Error::Code::invalid_argument with a reason that the model can act on: what did not match and what the
///         file has there, the lines that an ambiguous search matched, the path that is not editable, ...
Result<AppliedPatch> apply_patch(const SourceTree& parent, const Patch& patch, const PatchRules& rules);

}  // namespace aiopt
