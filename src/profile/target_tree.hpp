/// TargetTree: which of the whole machine's records are of the process that is profiled, and of what it starts.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <unordered_map>
#include <unordered_set>

#include "profile/perf_record.hpp"

namespace aiopt {

/// What an event that its children inherit would tell of, worked out from the records of CPU-wide ones. Those cost the
/// threads next to nothing at a switch; one that is a thread's own is taken off and put on its CPU with it.
///
/// Memory: some 40 bytes for each process of the target, ended ones too, until its number is another's. Not
/// thread-safe.
class TargetTree {
 public:
  /// @param from_exec  nothing counts before an execve(2), of its own or, in what it forks, of theirs
  TargetTree(pid_t pid, bool from_exec)
      : root_(static_cast<std::uint32_t>(pid)), counts_{{static_cast<std::uint32_t>(pid), !from_exec}} {}

  /// In the order of time. A SwitchSample comes of an event of the target's own (see PerfRings): whose it is, is of the
  /// tree, should the record of its fork or execve(2) have been lost. A Woken is always taken: it tells a thread alone,
  /// and BlockedSamples knows its threads. Not taken is what a thread does after its Ended, on its last way through the
  /// kernel.
  bool takes(const PerfRecord& record);

 private:
  std::uint32_t root_;
  std::unordered_map<std::uint32_t, bool> counts_;  ///< By process: those of the tree.
  std::unordered_set<std::uint32_t> ended_;         ///< Threads: the latest few thousand at most.
};

}  // namespace aiopt
