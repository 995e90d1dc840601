/// Copies a source into a workspace, file by file.

#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <aiopt/result.hpp>

namespace aiopt {

/// What a copy needs to be known by later.
struct SourceCopy {
  std::set<std::string> links;  ///< Symbolic links in it, by path relative to the source.
};

/// Copies everything below `source` but .git and folders with a CACHEDIR.TAG (other workspaces, build folders) to
/// `folder`, which exists. Shares the data where the file system can (FICLONE); keeps permissions and time stamps.
///
/// Symbolic links stay links. One that points to something in the source points to its copy: an absolute one is made
/// relative. One that leads out of the source points to the same thing as before, by its absolute path: builds may read
/// there, and check_out() never goes through a link. Sockets, FIFOs and devices are left out.
Result<SourceCopy> copy_source(const std::filesystem::path& source, const std::filesystem::path& folder);

/// The same for the listed paths alone, relative to `source`; folders among them are copied whole, and what is not
/// there is left out.
Result<SourceCopy> copy_source(const std::filesystem::path& source, const std::filesystem::path& folder,
                               const std::vector<std::string>& paths);

/// Removes a folder with all it holds, also where a build took permissions away. Links are not followed.
void remove_folder(const std::filesystem::path& folder);

}  // namespace aiopt
