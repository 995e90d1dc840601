/// A disk in memory that a test can cut the power of, after LevelDB's fault_injection_test: what was not synced is
/// gone, or partly there, and so are names whose directory was not synced.

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "env.h"

namespace walkv {

struct MemoryFile;

/// Holds files of one directory. Safe for concurrent use.
class MemoryEnv final : public Env {
 public:
  /// What is on the disk after a power cut now. Of data and names that were not synced a random part is there, or, with
  /// `lose_all`, nothing. This disk goes on as if nothing had happened.
  std::unique_ptr<MemoryEnv> after_power_cut(uint32_t random, bool lose_all = false) const;
  /// All of it, synced or not.
  std::unique_ptr<MemoryEnv> copy() const;

  std::vector<std::string> paths() const;
  std::string contents(const std::string& path) const;
  void set_contents(const std::string& path, std::string contents);

  /// How long a sync takes, so that threads meet in the middle of one.
  void set_sync_microseconds(int microseconds) { sync_microseconds_ = microseconds; }
  void set_syncs_fail(bool fail) { syncs_fail_ = fail; }
  /// While held, syncs wait.
  void hold_syncs(bool hold);
  /// Called, by the thread in question, before each sync, rename and removal. Set while nobody uses the disk.
  void set_before_change(std::function<void()> before_change) { before_change_ = std::move(before_change); }

  Status create_directory(const std::string& path) override;
  Status list_directory(const std::string& path, std::vector<std::string>* names) override;
  Status sync_directory(const std::string& path) override;
  Status new_writable_file(const std::string& path, std::unique_ptr<WritableFile>* file) override;
  Status open_file(const std::string& path, std::unique_ptr<ReadableFile>* file) override;
  Status rename_file(const std::string& from, const std::string& to) override;
  Status remove_file(const std::string& path) override;

 private:
  friend class MemoryWritableFile;
  using Names = std::map<std::string, std::shared_ptr<MemoryFile>>;

  Status before_sync();
  const Names& names() const { return history_.back(); }

  mutable std::mutex mutex_;  ///< Guards names and all files' contents.
  /// The names that are durable, and then how each change since has left them.
  std::vector<Names> history_{Names()};
  std::atomic<int> sync_microseconds_ = 0;
  std::atomic<bool> syncs_fail_ = false;
  std::atomic<bool> syncs_held_ = false;
  std::function<void()> before_change_ = [] {};
};

}  // namespace walkv
