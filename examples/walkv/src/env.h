/// Env: the file layer. All that the engine does with files goes through it, so that a test can put a disk of its own
/// underneath which forgets whatever was not synced.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "status.h"

namespace walkv {

/// A file that only grows. Used by one thread at a time.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  virtual Status append(std::string_view data) = 0;
  /// Returns when all that was appended is on stable storage: fsync or fdatasync. The file's name is not part of it,
  /// see Env::sync_directory.
  virtual Status sync() = 0;
};

/// Safe for concurrent use.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  /// Reads exactly `size` bytes; fewer is an error.
  virtual Status read(uint64_t offset, size_t size, std::string* out) const = 0;
  virtual uint64_t size() const = 0;
};

/// Safe for concurrent use.
class Env {
 public:
  virtual ~Env() = default;
  virtual Status create_directory(const std::string& path) = 0;  ///< Fine if it is there.
  virtual Status list_directory(const std::string& path, std::vector<std::string>* names) = 0;
  /// Makes creations, renames and removals in the directory durable.
  virtual Status sync_directory(const std::string& path) = 0;
  /// Truncates what is there.
  virtual Status new_writable_file(const std::string& path, std::unique_ptr<WritableFile>* file) = 0;
  virtual Status open_file(const std::string& path, std::unique_ptr<ReadableFile>* file) = 0;  ///< May be not_found.
  virtual Status rename_file(const std::string& from, const std::string& to) = 0;
  virtual Status remove_file(const std::string& path) = 0;

  /// The real one.
  static Env* posix();
};

Status read_whole_file(Env& env, const std::string& path, std::string* out);

}  // namespace walkv
