/// What of a source belongs to it, and is copied into a workspace.

#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <string>
#include <vector>

#include <aiopt/result.hpp>
#include <aiopt/source_tree.hpp>

namespace aiopt {

/// One file, folder or symbolic link.
struct SourceEntry {
  std::string path;         ///< Relative to the source.
  mode_t mode = 0;          ///< Its type, and the lowest nine bits of its permissions.
  std::string link_target;  ///< Of a link: what it points to in the copy.
};

struct SourceListing {
  std::vector<SourceEntry> entries;  ///< A folder before what is in it.
  std::string commit;                ///< HEAD of the repository whose top the source is, else "".
};

/// The files as they stand in the work tree. In a git work tree: tracked or new, without those that git ignores; unless
/// it ignores the very files that are to be evolved. Else: everything. Never .git, nor folders with a CACHEDIR.TAG
/// (other workspaces, build folders) or a run in them. Sockets, FIFOs and devices are left out.
///
/// A symbolic link that points to something in the source points to its copy: an absolute one is made relative. One
/// that leads out of the source points to the same thing as before, by its absolute path: builds may read there.
///
/// @param source    Absolute, without links in it.
/// @param baseline  load_source_tree() of `source`.
/// Errors: io.
Result<SourceListing> list_source(const std::filesystem::path& source, const SourceTree& baseline);

}  // namespace aiopt
