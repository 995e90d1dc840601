/// WorkspacePool: the workspaces of an evaluator, made when first needed, lent, and used again.

#pragma once

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include <aiopt/result.hpp>
#include <aiopt/source_tree.hpp>

#include "evaluate/comparison.hpp"
#include "evaluate/tripwire.hpp"
#include "source/protected_files.hpp"
#include "source/workspace.hpp"

namespace aiopt {

/// A workspace with what belongs to it.
struct Slot {
  Workspace workspace;
  Tripwire tripwire;
  SourceTree tree;         ///< What was built in it last.
  bool is_broken = false;  ///< Something changed in it what it may not: not to be used again.

  Side side() { return {&workspace, &tripwire}; }
};

/// What is built in a workspace: objects of one kind are no use to another.
enum class BuildKind { plain, sanitized };

/// Safe from any thread.
class WorkspacePool {
 public:
  /// Makes `folder`, or takes over one that a killed run left.
  /// @param source, baseline  Borrowed; outlive the pool.
  /// @return invalid_argument if `folder` is there and no earlier pool made it.
  static Result<void> make_folder(const std::filesystem::path& folder);

  WorkspacePool(std::filesystem::path folder, const std::filesystem::path& source, const SourceTree& baseline);
  ~WorkspacePool();  ///< Removes the folder with all workspaces. Slots that are lent must be gone by then.
  WorkspacePool(const WorkspacePool&) = delete;
  WorkspacePool& operator=(const WorkspacePool&) = delete;

  /// A new one, in a folder of that name.
  Result<Slot> make(const std::string& name, const ProtectedFiles& protected_files) const;

  /// The idle one in which the most of `tree` is built already, or a new one.
  Result<Slot> take(BuildKind kind, const SourceTree& tree, const ProtectedFiles& protected_files);
  /// A broken one is removed.
  void give_back(BuildKind kind, Slot slot);

 private:
  const std::filesystem::path folder_;
  const std::filesystem::path& source_;
  const SourceTree& baseline_;
  std::mutex mutex_;
  std::vector<Slot> idle_[2];  ///< By BuildKind.
  int made_ = 0;
};

}  // namespace aiopt
