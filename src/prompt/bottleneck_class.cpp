/// Shares of the threads' time by class, and which of them is the bottleneck.

#include "prompt/bottleneck_class.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

namespace aiopt {

namespace {

constexpr auto kMemoryFunctions = std::to_array<std::string_view>({
    "do_swap_page",      "swap_read",        "swap_writepage",          "shrink_",         "do_try_to_free_pages",
    "try_to_free_",      "reclaim_throttle", "throttle_direct_reclaim", "congestion_wait", "wait_iff_congested",
    "mem_cgroup_",       "__alloc_pages",    "do_anonymous_page",       "do_huge_pmd_",    "handle_mm_fault",
    "__handle_mm_fault", "handle_userfault", "migration_entry_wait",    "compact_zone",    "isolate_migratepages",
});

std::uint64_t samples_not_idle(const OffCpuProfile& profile) {
  return profile.samples - std::min(profile.samples, profile.idle_samples);
}

/// Of the blockers of one class, those that wait for memory.
double memory_share(const OffCpuProfile& profile, WaitClass kind) {
  double share = 0.0;
  for (const Blocker& blocker : profile.top_blockers) {
    const bool counts = std::isfinite(blocker.share) && blocker.share > 0.0;
    if (counts && blocker.kind == kind && is_memory_wait(blocker.kernel_function)) share += blocker.share;
  }
  return share;
}

BottleneckClass class_by_causal_effect(const CausalProfile& profile) {
  constexpr auto kScopes = std::to_array<std::pair<std::string_view, BottleneckClass>>({
      {"lock", BottleneckClass::lock},
      {"io", BottleneckClass::io},
      {"scheduling", BottleneckClass::scheduling},
      {"other", BottleneckClass::other},
      {"on-cpu", BottleneckClass::cpu},
  });
  BottleneckClass best = BottleneckClass::unknown;
  double best_effect = 0.0;
  for (const CausalTarget& target : profile.targets) {
    if (!(target.max_effect > best_effect)) continue;
    for (const auto& [scope, kind] : kScopes) {
      if (target.scope != scope) continue;
      best = kind;
      best_effect = target.max_effect;
    }
  }
  return best;
}

}  // namespace

std::string_view name_of(BottleneckClass kind) {
  switch (kind) {
    case BottleneckClass::lock:
      return "lock";
    case BottleneckClass::io:
      return "I/O";
    case BottleneckClass::memory:
      return "memory";
    case BottleneckClass::scheduling:
      return "scheduling";
    case BottleneckClass::other:
      return "other waits";
    case BottleneckClass::cpu:
      return "CPU";
    case BottleneckClass::mixed:
      return "mixed";
    case BottleneckClass::unknown:
      return "not known";
  }
  return "not known";
}

bool is_memory_wait(std::string_view kernel_function) {
  return std::any_of(kMemoryFunctions.begin(), kMemoryFunctions.end(),
                     [&](std::string_view prefix) { return kernel_function.starts_with(prefix); });
}

BottleneckClass class_of(const Blocker& blocker) {
  if (is_memory_wait(blocker.kernel_function)) return BottleneckClass::memory;
  switch (blocker.kind) {
    case WaitClass::io:
      return BottleneckClass::io;
    case WaitClass::lock:
      return BottleneckClass::lock;
    case WaitClass::scheduling:
      return BottleneckClass::scheduling;
    case WaitClass::other:
      return BottleneckClass::other;
  }
  return BottleneckClass::other;
}

std::vector<TimeShare> time_shares(const OffCpuProfile& profile) {
  const std::uint64_t samples = samples_not_idle(profile);
  if (samples == 0) return {};
  double waiting = 0.0;
  double memory = 0.0;
  std::array<double, kWaitClasses> waits{};
  for (std::size_t i = 0; i < kWaitClasses; ++i) {
    // What a file claims may not fit together: shares stay in [0, 1], and so does their sum.
    const double whole = static_cast<double>(profile.by_class[i]) / static_cast<double>(samples);
    const double share = std::min(whole, 1.0 - waiting);
    const double of_memory = std::min(share, memory_share(profile, static_cast<WaitClass>(i)));
    waits[i] = share - of_memory;
    waiting += share;
    memory += of_memory;
  }
  const auto wait = [&](WaitClass kind) { return waits[static_cast<std::size_t>(kind)]; };
  std::vector<TimeShare> shares = {
      {BottleneckClass::lock, wait(WaitClass::lock)},
      {BottleneckClass::io, wait(WaitClass::io)},
      {BottleneckClass::memory, memory},
      {BottleneckClass::scheduling, wait(WaitClass::scheduling)},
      {BottleneckClass::other, wait(WaitClass::other)},
      {BottleneckClass::cpu, std::max(0.0, 1.0 - waiting)},
  };
  std::stable_sort(shares.begin(), shares.end(),
                   [](const TimeShare& a, const TimeShare& b) { return a.share > b.share; });
  return shares;
}

Bottleneck bottleneck_of(const Profile& profile, const BottleneckRules& rules) {
  if (!profile.off_cpu || samples_not_idle(*profile.off_cpu) < std::max<std::uint64_t>(rules.min_samples, 1)) {
    return {profile.causal ? class_by_causal_effect(*profile.causal) : BottleneckClass::unknown, false};
  }
  const std::vector<TimeShare> shares = time_shares(*profile.off_cpu);
  // Shares are quotients: a lead of exactly five points of a hundred shall not fail by the last bit.
  constexpr double kRounding = 1e-9;
  const bool stands_out =
      shares[0].share >= rules.dominant - kRounding && shares[0].share - shares[1].share >= rules.lead - kRounding;
  return {stands_out ? shares[0].kind : BottleneckClass::mixed, true};
}

}  // namespace aiopt
