/// CACHEDIR.TAG: how a workspace that lies within a source is told from the source's own files.

#pragma once

#include <filesystem>
#include <string_view>

namespace aiopt {

inline constexpr std::string_view kCacheTagName = "CACHEDIR.TAG";
/// The first bytes of such a file (bford.info/cachedir); cargo and others put one into their build folders.
inline constexpr std::string_view kCacheTagSignature = "Signature: 8a477f597d28d172789f06886806bc55";

/// Whether the folder says that it holds nothing but what can be made again.
bool has_cache_tag(const std::filesystem::path& folder);

}  // namespace aiopt
