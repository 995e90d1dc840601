/// Forks and execve(2).

#include "profile/target_tree.hpp"

namespace aiopt {

namespace {

/// What the kernel writes for a thread whose number is given back already, on its very last way off the CPU.
constexpr auto kNoThread = static_cast<std::uint32_t>(-1);

}  // namespace

bool TargetTree::takes(const PerfRecord& record) {
  if (record.tid == kNoThread) return false;
  if (std::holds_alternative<Woken>(record.event)) return true;
  const auto* started = std::get_if<Started>(&record.event);
  if (started != nullptr) ended_.erase(record.tid);
  if (started != nullptr && started->parent_pid != record.pid) {
    const auto parent = counts_.find(started->parent_pid);
    if (parent == counts_.end()) {
      counts_.erase(record.pid);  // Its number is that of one of ours that has ended.
    } else {
      counts_.insert_or_assign(record.pid, bool{parent->second});
    }
  }
  if (std::holds_alternative<SwitchSample>(record.event) && record.pid != root_) {
    counts_.insert_or_assign(record.pid, true);
    ended_.erase(record.tid);
  }
  const auto found = counts_.find(record.pid);
  if (found == counts_.end()) return false;
  if (const auto* named = std::get_if<Named>(&record.event); named != nullptr && named->is_exec) {
    found->second = true;
    ended_.erase(record.tid);  // A thread that is not the first takes the number of that, which has ended.
  }
  if (std::holds_alternative<Ended>(record.event)) {
    constexpr std::size_t kMostEnded = 4096;
    if (ended_.size() >= kMostEnded) ended_.clear();
    ended_.insert(record.tid);
    return found->second;
  }
  return found->second && !ended_.contains(record.tid);
}

}  // namespace aiopt
