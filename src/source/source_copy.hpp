/// Copies a source into a workspace, file by file.

#pragma once

#include <filesystem>
#include <vector>

#include <aiopt/result.hpp>

#include "source/source_listing.hpp"

namespace aiopt {

/// Copies the entries of list_source() to `folder`, which exists. Shares the data where the file system can (FICLONE);
/// keeps permissions and time stamps of files. What is not there any more is left out. Errors: io.
Result<void> copy_source(const std::filesystem::path& source, const std::filesystem::path& folder,
                         const std::vector<SourceEntry>& entries);

/// Removes a folder with all it holds, however deep, also where a build took permissions away. Links are not followed.
void remove_folder(const std::filesystem::path& folder);

}  // namespace aiopt
