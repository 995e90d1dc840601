/// Workspace: a private copy of the whole source, in which one candidate at a time is built.

#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include <aiopt/result.hpp>
#include <aiopt/source_tree.hpp>

namespace aiopt {

/// Used by one thread at a time. Building in it makes files that stay, so that the next build is incremental.
class Workspace {
 public:
  /// Copies `source` to `folder` (made here; must not exist): the files as they stand in its work tree, changed and new
  /// ones too, without those that git ignores (reflinks where the file system has them). At the top of a git work tree
  /// with a commit, a clone that shares the source's objects gives `folder` its history. Nothing is written to
  /// `source`. `folder` may lie within `source`: a CACHEDIR.TAG in it keeps it from being copied into itself or into
  /// another. What becomes of symbolic links is told at copy_source().
  ///
  /// @param baseline  load_source_tree() of `source`.
  static Result<Workspace> create(const std::filesystem::path& source, const std::filesystem::path& folder,
                                  const SourceTree& baseline);

  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;
  ~Workspace();  ///< Removes the folder.

  /// Makes the editable files those of `tree`. Only files that differ are written, with a new time stamp, so that a
  /// build sees what changed and nothing else. A file that something else changed or replaced (by a symlink, say) since
  /// is put right; nothing is ever written through a symbolic link.
  ///
  /// @return invalid_argument if a file of `tree` would lie on or behind a symbolic link of the source: the patch's
  ///         fault. io, unavailable: the workspace is not to be used further.
  Result<void> check_out(const SourceTree& tree);

  const std::filesystem::path& folder() const;

 private:
  struct Impl;
  explicit Workspace(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace aiopt
