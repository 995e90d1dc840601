/// WorkspacePool: the folder, and what is idle in it.

#include "evaluate/workspace_pool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "source/cache_tag.hpp"

namespace aiopt {

namespace {

/// Whether an evaluator made the folder: it has the tag, or is what is left where one was killed while it made or
/// removed it.
bool is_ours(const std::filesystem::path& folder) {
  if (has_cache_tag(folder)) return true;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failure)) {
    if (entry.path().filename() != kCacheTagName) return false;
  }
  return !failure;
}

/// The tag goes last: whatever is left is known as ours.
void remove_workspaces_folder(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().filename() != kCacheTagName) std::filesystem::remove_all(entry.path(), ignored);
  }
  std::filesystem::remove_all(folder, ignored);
}

/// How many files two trees have in common: so many objects need not be built again.
std::size_t files_in_common(const SourceTree& a, const SourceTree& b) {
  return static_cast<std::size_t>(std::count_if(a.begin(), a.end(), [&](const auto& entry) {
    const auto other = b.find(entry.first);
    return other != b.end() && other->second.sha256 == entry.second.sha256;
  }));
}

}  // namespace

/// With a tag, so that nothing but what an evaluator made is ever removed.
Result<void> WorkspacePool::make_folder(const std::filesystem::path& folder) {
  std::error_code failure;
  if (std::filesystem::exists(std::filesystem::symlink_status(folder, failure))) {
    if (!is_ours(folder)) {
      return Error{
          Error::Code::invalid_argument,
          fmt::format("{} is there and was not made by aiopt; move it away, or choose another folder for the run",
                      folder.string())};
    }
    remove_workspaces_folder(folder);
  }
  std::filesystem::create_directories(folder, failure);
  if (failure) {
    return Error{Error::Code::io, fmt::format("cannot make the folder {}: {}", folder.string(), failure.message())};
  }
  return write_cache_tag(folder);
}

WorkspacePool::WorkspacePool(std::filesystem::path folder, const std::filesystem::path& source,
                             const SourceTree& baseline)
    : folder_(std::move(folder)), source_(source), baseline_(baseline) {}

WorkspacePool::~WorkspacePool() {
  for (std::vector<Slot>& idle : idle_) idle.clear();
  remove_workspaces_folder(folder_);
}

Result<Slot> WorkspacePool::make(const std::string& name, const ProtectedFiles& protected_files) const {
  Result<Workspace> workspace = Workspace::create(source_, folder_ / name, baseline_, protected_files);
  if (!workspace) return workspace.error();
  Result<Tripwire> tripwire = Tripwire::arm(folder_ / (name + ".decoy"));
  if (!tripwire) return tripwire.error();
  return Slot{std::move(*workspace), std::move(*tripwire), {}, false};
}

Result<Slot> WorkspacePool::take(BuildKind kind, const SourceTree& tree, const ProtectedFiles& protected_files) {
  std::string name;
  {
    const std::lock_guard lock(mutex_);
    std::vector<Slot>& idle = idle_[static_cast<std::size_t>(kind)];
    const auto nearest = std::max_element(idle.begin(), idle.end(), [&](const Slot& a, const Slot& b) {
      return files_in_common(a.tree, tree) < files_in_common(b.tree, tree);
    });
    if (nearest != idle.end()) {
      Slot slot = std::move(*nearest);
      idle.erase(nearest);
      return slot;
    }
    name = fmt::format("{}{}", kind == BuildKind::sanitized ? "sanitized-" : "", ++made_);
  }
  return make(name, protected_files);
}

void WorkspacePool::give_back(BuildKind kind, Slot slot) {
  if (slot.is_broken) return;
  const std::lock_guard lock(mutex_);
  idle_[static_cast<std::size_t>(kind)].push_back(std::move(slot));
}

}  // namespace aiopt
