/// CACHEDIR.TAG: how workspaces and runs that lie within a source are told from the source's own files.

#pragma once

#include <filesystem>
#include <string_view>

#include <aiopt/result.hpp>

namespace aiopt {

inline constexpr std::string_view kCacheTagName = "CACHEDIR.TAG";
/// The first bytes of such a file (bford.info/cachedir); cargo and others put one into their build folders.
inline constexpr std::string_view kCacheTagSignature = "Signature: 8a477f597d28d172789f06886806bc55";

/// Puts the tag into a folder that has none. Errors: io.
Result<void> write_cache_tag(const std::filesystem::path& folder);

/// Whether the folder says that it holds nothing but what can be made again.
bool has_cache_tag(const std::filesystem::path& folder);

/// Whether a folder within a source is no part of it: it has a cache tag, or is the folder of a run (it holds a
/// run.db).
bool is_left_out(const std::filesystem::path& folder);

}  // namespace aiopt
