/// What of the files that a run left is not on the disk yet.

#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace aiopt {

/// Of each regular file at or below `paths`, by its path relative to `folder`: bytes in memory that no sync has covered
/// and the kernel has not written by itself yet (after 30 s, as a rule), in whole pages. Ask soon after the run.
/// cachestat(2), Linux 6.5; before that, and for file systems that do not say, nothing. Links are not followed.
///
/// @param paths  Relative to `folder`, which is absolute; what is not there is left out.
std::map<std::string, std::uint64_t> unsynced_bytes(const std::filesystem::path& folder,
                                                    const std::vector<std::string>& paths);

}  // namespace aiopt
