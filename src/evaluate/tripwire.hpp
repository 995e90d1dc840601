/// Tripwire: a file that nobody has a reason to open, and whether somebody did.

#pragma once

#include <filesystem>

#include <aiopt/result.hpp>

#include "base/file_descriptor.hpp"

namespace aiopt {

/// Watches a decoy by inotify(7), which sees through bind mounts: an open or a read in a sandbox too. One for each
/// workspace: with a shared one nobody knows who tripped it. Used by one thread at a time.
class Tripwire {
 public:
  /// Makes the decoy (it begins as an SQLite file does; one that is there is replaced) and watches it.
  static Result<Tripwire> arm(const std::filesystem::path& decoy);

  /// Whether it was opened or read since it was armed, or since the last call. Does not wait.
  bool fired();

  const std::filesystem::path& decoy() const { return decoy_; }

 private:
  Tripwire(std::filesystem::path decoy, FileDescriptor events) : decoy_(std::move(decoy)), events_(std::move(events)) {}

  std::filesystem::path decoy_;
  FileDescriptor events_;
};

}  // namespace aiopt
