/// Workspace: a private copy of the whole source, in which one candidate at a time is built.

#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <aiopt/result.hpp>
#include <aiopt/source_tree.hpp>

#include "source/protected_files.hpp"
#include "source/run_traces.hpp"

namespace aiopt {

/// Used by one thread at a time. Building in it makes files that stay, so that the next build is incremental.
///
/// The way of a candidate: check_out, build, changed_protected, seal; test, restore; benchmark, restore (each run);
/// changed_protected. The seal is taken before the candidate's code runs, so that the next candidate starts with what
/// this one's build made, and with nothing else of it. Nothing may run in the folder while a function does.
class Workspace {
 public:
  /// Copies `source` to `folder` (made here; must not exist): the files as they stand in its work tree, changed and new
  /// ones too, without those that git ignores (reflinks where the file system has them). At the top of a git work tree
  /// with a commit, a clone that shares the source's objects gives `folder` its history. Nothing is written to
  /// `source`. `folder` may lie within `source`: a CACHEDIR.TAG in it keeps it from being copied into itself or into
  /// another. What becomes of symbolic links is told at list_source().
  ///
  /// @param baseline         load_source_tree() of `source`.
  /// @param protected_files  read_protected() of `source`, once at the start of a run: what is new in `source` since is
  ///                         not copied. Without it: of this moment.
  /// @return unavailable if a protected file is not what it was; the message names it.
  static Result<Workspace> create(const std::filesystem::path& source, const std::filesystem::path& folder,
                                  const SourceTree& baseline, const ProtectedFiles& protected_files);
  static Result<Workspace> create(const std::filesystem::path& source, const std::filesystem::path& folder,
                                  const SourceTree& baseline);

  Workspace(Workspace&&) noexcept;
  Workspace& operator=(Workspace&&) noexcept;
  ~Workspace();  ///< Removes the folder, and the snapshot of its data beside it.

  /// Makes the editable files those of `tree`. Only files that differ are written, with a new time stamp, so that a
  /// build sees what changed and nothing else. A file that something else changed or replaced (by a symlink, say) since
  /// is put right; nothing is ever written through a symbolic link. Ends a seal, after a restore().
  ///
  /// @return invalid_argument if a file of `tree` would lie on or behind a symbolic link of the source, or in the place
  ///         of a protected file: the patch's fault. io, unavailable: the workspace is not to be used further.
  Result<void> check_out(const SourceTree& tree);

  /// The protected files that are no longer what they were: content, permissions, replaced, gone (but those that
  /// `may_change`). Asked after the build, the test, and the last benchmark. Only what lstat(2) says was touched is
  /// read; a file with the same bytes is intact, whatever its time.
  ///
  /// If it names any, the workspace is broken: what was built from such a file cannot be told from the rest, so all
  /// functions but this and folder() return unavailable from then on. Make a new one.
  std::vector<std::string> changed_protected();

  /// Remembers everything in the folder, by lstat(2) alone, and copies the data. Call it after the build, before any
  /// code of the candidate runs; and again if a later state is meant to stay.
  ///
  /// @param data  What a run may change in the folder and finds anew each time: files or folders, relative to it; they
  ///              need not exist. A symbolic link is kept as a link: what it points to is not copied. Their copy is
  ///              the folder beside this one, of the same name with ".data" at its end. `.git` always belongs to them.
  /// Errors: invalid_argument for a path that is absolute or has ".." in it; io; unavailable (too much lies there).
  Result<void> seal(const std::vector<std::string>& data);

  /// Puts the folder back to what was sealed: what is new is removed, the data as it was (removed if it was not
  /// there), times and permissions of folders too. Sealed files that changed cannot be put back and are named: the
  /// caller is not to measure this candidate further, nor to give the workspace to another.
  ///
  /// @pre seal(), and no check_out() since
  /// Errors: io, unavailable: the workspace is not to be used further.
  Result<RunTraces> restore();

  /// Moves the data that a run left in `from` to this workspace, in the place of its own, so that another program can
  /// look at it; restore() puts both back.
  ///
  /// @pre both are sealed with this `data`
  /// @return invalid_argument: there is no such file or folder in `from`. io, unavailable: the workspace is not to be
  /// used
  ///         further.
  Result<void> take_data(Workspace& from, const std::vector<std::string>& data);

  const std::filesystem::path& folder() const;

 private:
  struct Impl;
  explicit Workspace(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace aiopt
