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
  /// Copies `source` to `folder` (made here; must not exist): for the top of a git work tree by a clone that shares its
  /// objects plus whatever is changed or new and not ignored, else file by file (reflinks where the
  /// file system has them). Nothing is written to `source`. `folder` may lie within `source`: it is not copied into
  /// itself.
  ///
  /// @param baseline  load_source_tree() of `source`.
  static Result<Workspace> create(const std::filesystem::path& source, const std::filesystem::path& folder,
                                  const SourceTree& baseline);

  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;
  ~Workspace();  ///< Removes the folder.

  /// Makes the editable files those of `tree`. Only files that differ are written, with a new time stamp, so that a
  /// build sees what changed and nothing else. A file that something else changed or replaced (by a symlink, say) since
  /// is put right.
  Result<void> check_out(const SourceTree& tree);

  const std::filesystem::path& folder() const;

 private:
  struct Impl;
  explicit Workspace(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace aiopt
