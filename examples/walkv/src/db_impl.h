/// DbImpl: what is behind Db.

#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "db.h"
#include "entry.h"
#include "env.h"
#include "memtable.h"
#include "sorted_run.h"
#include "status.h"
#include "wal.h"

namespace walkv {

class DbImpl final : public Db {
 public:
  DbImpl(const Options& options, const std::string& directory);
  ~DbImpl() override;
  DbImpl(const DbImpl&) = delete;
  DbImpl& operator=(const DbImpl&) = delete;

  Status recover();
  Status put(const WriteOptions& options, std::string_view key, std::string_view value) override;
  Status erase(const WriteOptions& options, std::string_view key) override;
  Status get(std::string_view key, std::string* value) override;
  Status flush() override;

 private:
  using Mutex = std::mutex;
  using WriteLock = std::unique_lock<Mutex>;
  using ReadLock = std::unique_lock<Mutex>;

  /// Logs, then applies, one change. The lock is held when it is called and when it returns.
  Status commit(WriteLock& lock, const WriteOptions& options, Kind kind, std::string_view key, std::string_view value,
                std::string_view record);
  /// Flushes a full memtable.
  Status make_room(WriteLock& lock);
  Status flush_memtable(WriteLock& lock);

  // These need no lock.
  Status start_log(uint64_t number, std::unique_ptr<WalWriter>* wal) const;
  Status write_run(const Memtable& memtable, uint64_t number, std::shared_ptr<SortedRun>* run) const;
  Status merge_into_one(std::vector<std::shared_ptr<SortedRun>>* runs, uint64_t number) const;
  Status save_state(uint64_t first_log, const std::vector<std::shared_ptr<SortedRun>>& runs) const;

  /// Needs the lock. Best effort: what is left is removed by the next one, or when the database is opened.
  void remove_obsolete_files();

  std::string path_of(uint64_t number, const char* suffix) const;

  const Options options_;
  const std::string directory_;

  Mutex mutex_;  ///< Guards all below.
  std::unique_ptr<Memtable> memtable_;
  std::unique_ptr<WalWriter> wal_;
  std::vector<std::shared_ptr<SortedRun>> runs_;  ///< The oldest first.
  uint64_t first_log_ = 0;                        ///< The log that the memtable is in.
  uint64_t next_number_ = 1;
  Status failure_;  ///< Of a write: what the log holds is unknown then, so that no further write is accepted.
};

}  // namespace walkv
