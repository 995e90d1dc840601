/// Db: a persistent map from keys to values.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "env.h"
#include "status.h"

namespace walkv {

struct Options {
  Env* env = Env::posix();
  size_t memtable_bytes = 0;  ///< The memtable is flushed to a run when it holds this much; 0: the engine's choice.
  size_t max_runs = 0;        ///< More runs than this are merged into one; 0: the engine's choice.
};

struct WriteOptions {
  bool sync = false;  ///< Return only when the write survives a power cut.
};

/// Safe for concurrent use.
class Db {
 public:
  /// Creates the directory if it is not there; recovers what a crash left.
  static Status open(const Options& options, const std::string& directory, std::unique_ptr<Db>* db);
  virtual ~Db() = default;

  virtual Status put(const WriteOptions& options, std::string_view key, std::string_view value) = 0;
  virtual Status erase(const WriteOptions& options, std::string_view key) = 0;
  /// not_found if the key is not there.
  virtual Status get(std::string_view key, std::string* value) = 0;
  /// Writes the memtable to a run.
  virtual Status flush() = 0;
};

}  // namespace walkv
