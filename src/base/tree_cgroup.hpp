/// TreeCgroup: the control groups of one command, which limit, measure and end its whole tree.

#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "base/file_descriptor.hpp"

namespace aiopt {

/// Where a process stands in a hierarchy of control groups, by the texts of its /proc/<pid>/cgroup and
/// /proc/<pid>/mountinfo (see cgroups(7)). `controller` is one of version 1, or "" for version 2.
std::optional<std::filesystem::path> cgroup_folder(std::string_view controller, std::string_view cgroup,
                                                   std::string_view mountinfo);

/// Folders `aiopt-<pid>-<n>` below the control groups that aiopt is in: memory and pids of version 1, and one of
/// version 2, which limits if those controllers are delegated to aiopt, and where cgroup.kill ends all in it at once.
/// Whatever cannot be made is left out. Folders left by an aiopt that was killed are removed, with what is still in
/// them, when the first one of this process is made.
class TreeCgroup {
 public:
  /// 0: not limited.
  struct Limits {
    std::uint64_t memory_bytes = 0;
    std::uint64_t processes = 0;
  };

  explicit TreeCgroup(const Limits& limits);
  TreeCgroup(const TreeCgroup&) = delete;
  TreeCgroup& operator=(const TreeCgroup&) = delete;
  /// Removes the folders; waits up to a second for the last process in them to go.
  ~TreeCgroup();

  bool limits_memory() const { return !memory_.empty(); }
  bool limits_processes() const { return !pids_.empty(); }
  bool has_kill() const { return kill_.is_open(); }

  /// Open files cgroup.procs: a process that writes "0" to each is in, with all it forks from then on.
  std::vector<int> join_descriptors() const;
  /// Open files: "0" to the one ends all forking, "1" to the other kills all. -1 where there is none.
  int stop_forks_descriptor() const { return stop_forks_.get(); }
  int kill_descriptor() const { return kill_.get(); }

  /// Of memory, the page cache of its files included; 0 where it is not measured.
  std::uint64_t peak_bytes() const;
  /// Whether the kernel killed for want of memory.
  bool hit_memory_limit() const;

 private:
  void add_v1_memory(const std::filesystem::path& base, std::uint64_t bytes);
  void add_v1_pids(const std::filesystem::path& base, std::uint64_t count);
  void add_v2(const std::filesystem::path& base, const Limits& limits);
  bool join(const std::filesystem::path& folder);

  std::vector<std::filesystem::path> folders_;
  std::vector<FileDescriptor> procs_;
  std::filesystem::path memory_;  ///< The folder that limits memory; empty: none.
  std::filesystem::path pids_;
  bool memory_is_v2_ = false;
  FileDescriptor stop_forks_;
  FileDescriptor kill_;
};

}  // namespace aiopt
