/// Walks, lists and removes what strangers' programs left in a folder: never through a symbolic link.

#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <aiopt/result.hpp>

#include "base/file_descriptor.hpp"
#include "source/fingerprint.hpp"

namespace aiopt {

/// "src/a.cc" -> "src", "a.cc"; "a.cc" -> "", "a.cc".
std::string parent_of(const std::string& path);
std::string name_of(const std::string& path);

/// Opens the folder `path` below `root` (relative, '/' between the names; "" is `root` itself) with O_PATH, name by
/// name. Not open, with errno, if any of them is no folder.
FileDescriptor open_below(int root, const std::string& path);

/// Opens the folder `name` in `parent` to be read, and gives its owner rwx if it has not: a build may have taken that
/// away. `name` may be ".". Not open, with errno, if it is no folder.
FileDescriptor open_to_read(int parent, const std::string& name);

/// The names in an open folder but "." and ".."; 0, or the errno.
int read_names(int folder, std::vector<std::string>& names);

/// Removes `name` in `parent`, a folder with all it holds, however deep and whatever its permissions. Holds at most 40
/// descriptors. 0 (also if it is not there), or the errno.
int remove_below(int parent, const std::string& name);

/// Everything in a folder by path relative to it; "" is the folder.
using FolderListing = std::map<std::string, Fingerprint>;

/// Lists what is below `root`. Folders without rwx for their owner get it, and are listed with it.
///
/// @param enters  Whether to list what is in this folder too.
/// Errors: io; unavailable for more than two million entries, or a path longer than 4096 bytes.
Result<FolderListing> list_folder(int root, const std::function<bool(const std::string&, const Fingerprint&)>& enters);

}  // namespace aiopt
