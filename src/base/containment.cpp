/// Which means to bound commands this machine has, for whoever runs them and for `aiopt doctor`.

#include "base/containment.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "base/subprocess.hpp"
#include "base/sync_counter.hpp"
#include "base/tree_cgroup.hpp"

namespace aiopt {
namespace {

constexpr std::uint64_t kPlentyBytes = std::uint64_t{1} << 32;
constexpr std::uint64_t kPlentyProcesses = 1000;

bool can_keep_signals_within() {
  constexpr int kFirstWithScopes = 6;     // Linux 6.12
  constexpr unsigned kAskForVersion = 1;  // LANDLOCK_CREATE_RULESET_VERSION
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, kAskForVersion) >= kFirstWithScopes;
}

}  // namespace

ContainmentLayers probe_containment() {
  ContainmentLayers layers;
  {
    const TreeCgroup group({kPlentyBytes, kPlentyProcesses});
    layers.tree_processes = group.limits_processes();
    layers.cgroup_kill = group.has_kill();
  }
  Command command;
  command.line = "true";
  command.count_syncs = true;
  command.limits.tree_memory_bytes = kPlentyBytes;
  if (const auto result = run_command(command)) {
    layers.tree_memory = result->tree_peak_bytes > 0;
    layers.counts_syncs = result->syncs.has_value();
  }
  const auto& events = sync_events();
  layers.counts_sync_writes = layers.counts_syncs && std::any_of(events.begin(), events.end(), [](const auto& event) {
                                return event.is_of_file_system;
                              });
  layers.keeps_signals_within = can_keep_signals_within();
  return layers;
}

}  // namespace aiopt
