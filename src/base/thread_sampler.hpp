/// ThreadSampler: for how long the threads of a tree of processes had work, seen from /proc.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/file_descriptor.hpp"

namespace aiopt {

/// The rule: a thread counts from a moment at which it was seen to have used CPU (its run time or its count of
/// context switches grew) until it next does, but of a gap longer than 250 ms only the CPU time at its end counts.
/// So a thread that waits for a disk or a lock is in; a joiner that is blocked all along, an idle pool thread and
/// a shell that waits for its child are out, and nobody has to name them.
class ThreadSampler {
 public:
  static constexpr std::chrono::milliseconds kInterval{10};
  static constexpr std::chrono::milliseconds kLongestGap{250};

  /// Samples the descendants of `root`, not `root` itself. `proc` is elsewhere in tests only.
  explicit ThreadSampler(pid_t root, std::string proc = "/proc");

  void sample(std::chrono::steady_clock::time_point now);

  std::chrono::microseconds thread_time() const;
  /// The largest peak (VmHWM) of any process seen, 0 if none was. A child that still runs the root's program is its
  /// copy, on the way to execve(2), and as large as the root: it is not looked at.
  std::uint64_t peak_rss_bytes() const { return peak_rss_bytes_; }

 private:
  struct Thread {
    FileDescriptor schedstat;  ///< Of this very thread: a later one with the same number is not read through it.
    std::chrono::nanoseconds run_time{0};
    std::uint64_t switches = 0;
    std::chrono::steady_clock::time_point last_active;
    std::uint64_t seen_in_sample = 0;
  };

  void sample_process(pid_t pid, std::chrono::steady_clock::time_point now);
  void sample_thread(int task, const std::string& tid, std::chrono::steady_clock::time_point now);
  void add_children(int task, const char* tid);
  void note_peak(pid_t pid);
  std::string program_of(pid_t pid) const;  ///< Empty if it is gone, or hides it.

  std::string proc_;
  pid_t root_;
  std::uint64_t samples_ = 0;
  bool looks_for_children_ = false;  ///< In this sample. In between, the processes known are looked at.
  std::vector<pid_t> processes_;     ///< The root and its descendants; grows while it is walked.
  std::unordered_map<pid_t, Thread> threads_;
  std::chrono::nanoseconds thread_time_{0};
  std::uint64_t peak_rss_bytes_ = 0;
};

}  // namespace aiopt
