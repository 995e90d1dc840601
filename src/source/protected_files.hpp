/// ProtectedFiles: the files of a source that no patch may change, as they were when the run began.

#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <string>

#include <aiopt/result.hpp>
#include <aiopt/source_tree.hpp>

namespace aiopt {

struct ProtectedFile {
  mode_t mode = 0;          ///< Its type (file, folder, symbolic link), and the lowest nine bits of its permissions.
  std::string sha256;       ///< Of a file's bytes, in hex.
  std::string link_target;  ///< Of a link: what it points to in a workspace.
  /// The task's own commands change it (a tracked file that the build makes anew): a workspace in which it changed is
  /// good still. Set by who saw the unmodified source do so.
  bool may_change = false;
};

/// By path relative to the source: everything that a workspace gets but the editable files. A value.
struct ProtectedFiles {
  std::map<std::string, ProtectedFile> files;
  std::string commit;  ///< HEAD of the repository whose top the source is, else "": what a build may ask git for.

  /// What identifies them: SHA-256, in hex, over paths, types, permissions, contents and link targets. Not over the
  /// commit, nor over permissions and presence of folders, which git does not keep.
  std::string sha256() const;
};

/// Reads them from `source` by the rules of list_source(). One pass over all bytes. Errors: not_found, io.
/// @param baseline  load_source_tree() of `source`: the editable files.
Result<ProtectedFiles> read_protected(const std::filesystem::path& source, const SourceTree& baseline);

}  // namespace aiopt
