/// Reads the editable files of a source into memory, and compares trees.

#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>
#include <aiopt/source_tree.hpp>

namespace aiopt {

inline constexpr std::size_t kMaxSourceFileBytes = 4 << 20;

/// The regular files below `source` that one of the globs matches; symlinks and .git are left out, binary files too.
/// Errors: invalid_argument if a glob matches nothing or a file is over 4 MiB, io.
Result<SourceTree> load_source_tree(const std::filesystem::path& source, const std::vector<std::string>& editable);

/// A unified diff from one tree to the other (`git diff --no-index`), with "a/" and "b/" before the paths; "" if equal.
Result<std::string> unified_diff(const SourceTree& from, const SourceTree& to);

}  // namespace aiopt
