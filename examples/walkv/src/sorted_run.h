/// Sorted runs: immutable files of entries in key order, which a flush or a merge writes.
///
/// A file: blocks | index | footer.
/// A block: entries (kind, fixed32 key size, fixed32 value size, key, value) | fixed32 CRC of them.
/// The index, an item for each block: fixed32 size of its last key | last key | fixed64 offset | fixed32 size with CRC.
/// The footer: fixed64 offset of the index | fixed32 its size | fixed32 its CRC | fixed64 magic.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "entry.h"
#include "env.h"
#include "status.h"

namespace walkv {

/// Writes one run. Entries come in ascending key order.
class RunBuilder {
 public:
  explicit RunBuilder(std::unique_ptr<WritableFile> file) : file_(std::move(file)) {}

  Status add(Kind kind, std::string_view key, std::string_view value);
  /// Writes the rest and syncs.
  Status finish();

 private:
  Status finish_block();

  std::unique_ptr<WritableFile> file_;
  std::string block_;
  std::string last_key_;
  std::string index_;
  uint64_t offset_ = 0;
};

/// An open run; its index is in memory, its blocks are not. Safe for concurrent use.
class SortedRun {
 public:
  static Status open(Env& env, const std::string& path, uint64_t number, std::shared_ptr<SortedRun>* run);

  uint64_t number() const { return number_; }
  /// Leaves `found` empty if the run has nothing to say about the key.
  Status find(std::string_view key, std::optional<Entry>* found) const;

  /// In key order; what it gives stays valid until next().
  class Cursor {
   public:
    explicit Cursor(const SortedRun& run) : run_(run) { next(); }
    bool valid() const { return valid_; }
    void next();
    std::string_view key() const { return key_; }
    Kind kind() const { return kind_; }
    std::string_view value() const { return value_; }
    const Status& status() const { return status_; }  ///< Not ok: the cursor ended early.

   private:
    const SortedRun& run_;
    size_t next_block_ = 0;
    std::string block_;
    std::string_view rest_;
    std::string_view key_;
    std::string_view value_;
    Kind kind_ = Kind::value;
    bool valid_ = false;
    Status status_;
  };

 private:
  struct BlockHandle {
    std::string last_key;
    uint64_t offset;
    uint32_t size;
  };

  SortedRun(std::unique_ptr<ReadableFile> file, std::string path, uint64_t number)
      : file_(std::move(file)), path_(std::move(path)), number_(number) {}

  Status read_index();
  /// Verified, and without its CRC.
  Status read_block(const BlockHandle& handle, std::string* block) const;

  std::unique_ptr<ReadableFile> file_;
  const std::string path_;
  const uint64_t number_;
  std::vector<BlockHandle> index_;
};

}  // namespace walkv
