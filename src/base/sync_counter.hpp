/// SyncCounter: how often a tree of processes made files durable, counted by the kernel.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace aiopt {

/// A tracepoint of the kernel that tells of a sync.
struct SyncEvent {
  std::uint64_t tracepoint = 0;    ///< Its id, as perf_event_open(2) wants it.
  const char* filter = nullptr;    ///< Static text; null: every event counts.
  bool is_of_file_system = false;  ///< Of ext4, XFS, Btrfs or F2FS; otherwise of a system call.
};

/// The tracepoints of this kernel, looked up once and in use from then on, by a descriptor each; empty where aiopt may
/// not read tracefs (only root may, as a rule). Tracefs need not be mounted. Thread-safe.
const std::vector<SyncEvent>& sync_events();

/// Counts from open() on in the calling process and in whatever it forks later, across execve(2), users and
/// namespaces. Each system call fsync, fdatasync and msync(MS_SYNC) is seen on any file system; what else syncs
/// (writes with O_SYNC or O_DSYNC, io_uring) where the file system has a tracepoint of its own. The larger of the two
/// counts is taken: most syncs are in both.
///
/// Not by a kprobe on vfs_fsync_range: perf's own kprobe events, when inherited, put a probe in for each new thread,
/// and ask each new thread for CAP_PERFMON, so that fork(2) fails in a sandbox without capabilities.
///
/// From sync_events() on every system call on this machine takes longer, and while one of these is open the start of
/// every thread that is counted: not for one side of a comparison only.
/// Async-signal-safe.
class SyncCounter {
 public:
  static constexpr std::size_t kMostEvents = 8;

  /// @return Whether the kernel lets us.
  bool open(std::span<const SyncEvent> events);
  /// So far; whole when all that were forked have ended and been waited for. -1 if it is not open.
  std::int64_t count() const;
  void close();

 private:
  struct Counter {
    int fd = -1;
    bool is_of_file_system = false;
  };

  std::array<Counter, kMostEvents> counters_;
  std::size_t size_ = 0;
};

}  // namespace aiopt
