/// RunLock: one writer process a run.

#pragma once

#include <filesystem>
#include <utility>

#include <aiopt/result.hpp>

namespace aiopt {

/// An flock(2) on a file that holds its owner's pid. The kernel lets go of it when the process ends, however it ends.
/// The file goes with the lock; one that a killed process left is taken over.
class RunLock {
 public:
  /// Error::Code::unavailable, naming the pid, if another process (or another store of this one) has it.
  static Result<RunLock> take(const std::filesystem::path& file);

  RunLock(RunLock&& other) noexcept;
  RunLock& operator=(RunLock&& other) noexcept;
  ~RunLock();

 private:
  RunLock(int descriptor, std::filesystem::path file) : descriptor_(descriptor), file_(std::move(file)) {}

  int descriptor_ = -1;
  std::filesystem::path file_;  ///< Empty: not (yet) ours to remove.
};

}  // namespace aiopt
