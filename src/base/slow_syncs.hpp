/// SlowSyncs: lets each sync of a tree of processes begin later than it was asked for.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>

#include <aiopt/result.hpp>

#include "base/file_descriptor.hpp"

namespace aiopt {

/// What a program that waits for its syncs cannot hide, and one that does not wait cannot show, on any disk.
///
/// By seccomp's user notifications (seccomp_unotify(2), Linux 5.5), no privilege needed: fsync, fdatasync, sync,
/// syncfs, msync(MS_SYNC), and writes with O_DSYNC, O_SYNC, RWF_DSYNC or RWF_SYNC stop before they begin, and go on
/// after the delay; several at once wait side by side. Every write stops for the tens of microseconds that it takes to
/// look at its descriptor. io_uring's syncs are not seen.
///
/// Used by one thread. The tree must have ended before this does.
class SlowSyncs {
 public:
  /// @param delay  Above 0.
  static Result<SlowSyncs> make(std::chrono::microseconds delay);

  /// To be open in the command's process until hand_over_syncs().
  int command_end() const { return command_end_.get(); }
  /// Once the command's process has been forked. Not to be moved from then on.
  void start();
  /// Syncs that were delayed; empty if the command's kernel did not let it hand its syncs over. Call it when the tree
  /// has ended.
  std::optional<std::uint64_t> end();

 private:
  class Listener;

  std::chrono::microseconds delay_{0};
  FileDescriptor own_end_;
  FileDescriptor command_end_;
  FileDescriptor wish_;  ///< An eventfd: it is over.
  std::optional<std::uint64_t> delayed_;
  std::jthread thread_;
};

/// In the command's process: from now on its syncs, and those of its children, wait for the SlowSyncs at the other end
/// of `command_end`. Sets PR_SET_NO_NEW_PRIVS. Async-signal-safe. Where the kernel does not let it nothing is changed.
void hand_over_syncs(int command_end);

}  // namespace aiopt
