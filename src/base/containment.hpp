/// Which means to bound commands this machine has, for whoever runs them and for `aiopt doctor`.

#pragma once

namespace aiopt {

/// What is missing is done without: ResourceLimits' tree_... are then not kept, only those of each process.
struct ContainmentLayers {
  bool tree_memory = false;           ///< ResourceLimits::tree_memory_bytes, by a control group.
  bool tree_processes = false;        ///< ResourceLimits::tree_processes, by a control group.
  bool cgroup_kill = false;           ///< Control groups of version 2 end a whole tree at once.
  bool counts_syncs = false;          ///< Command::count_syncs, by tracepoints.
  bool counts_sync_writes = false;    ///< Writes with O_SYNC and O_DSYNC too, on the file systems that are mounted.
  bool keeps_signals_within = false;  ///< Command::no_new_privileges keeps a tree from signalling others (Landlock).
};

/// Tries each of them, with commands of its own: some 10 ms. Safe from any thread.
ContainmentLayers probe_containment();

}  // namespace aiopt
