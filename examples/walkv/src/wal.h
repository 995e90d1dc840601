/// The write-ahead log: a change is in it, and synced if the caller asked for that, before it is in the memtable.
///
/// A record: fixed32 payload size | fixed32 CRC of the size | fixed32 CRC of the payload | payload.
/// A payload: kind (1 byte) | fixed32 key size | key | value.

#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "entry.h"
#include "env.h"
#include "memtable.h"
#include "status.h"

namespace walkv {

std::string encode_wal_record(Kind kind, std::string_view key, std::string_view value);

class WalWriter {
 public:
  explicit WalWriter(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}

  /// `records` is one encoded record, or several in a row.
  Status append(std::string_view records) { return file_->append(records); }
  Status sync() { return file_->sync(); }

 private:
  std::unique_ptr<WritableFile> file_;
};

/// Puts every whole record into `memtable`. A crash in the middle of a write leaves a torn last record, which was never
/// acknowledged and is dropped; a bad record with others behind it is corruption.
Status replay_wal(Env& env, const std::string& path, Memtable* memtable);

}  // namespace walkv
