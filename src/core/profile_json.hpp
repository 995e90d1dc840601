/// Profiles as JSON: the `profile:` part of what --json prints, and what run.db keeps.

#pragma once

#include <string>
#include <string_view>

#include <aiopt/profile.hpp>
#include <aiopt/result.hpp>

namespace aiopt {

/// One line, {"source", "ratio", "ratio_with_idle", "threads", "samples", "off_cpu_samples", "idle_samples", "lost",
/// "classes": {"io", "lock", "scheduling", "other"}, "top_blockers": [{"function", "file", "line", "class", "share",
/// "kernel_function", "callers": [{"function", "file", "line"}]}]}. Doubles come back the same.
std::string off_cpu_to_json(const OffCpuProfile& profile);

/// One line, {"source", "max_speedup", "max_speedup_location", "experiments", "discarded", "notes", "targets":
/// [{"function", "file", "line", "class", "given", "progress_point", "is_latency", "slope", "max_effect", "contention",
/// "curve": [[virtual_speedup, effect, lo, hi]], "curve_experiments": [n]}]}. A bound that is not finite is null.
std::string causal_to_json(const CausalProfile& profile);

/// {"off_cpu": {...}, "causal": {...}}, what there is of them.
std::string profile_to_json(const Profile& profile);

/// What the three wrote, this version's or another's: unknown keys do not matter, and keys that the --json contract
/// does not have (idle_samples, kernel_function, progress_point...) may be missing. Errors: no JSON; a missing or bad
/// key, which is named.
Result<OffCpuProfile> off_cpu_from_json(std::string_view json);
Result<CausalProfile> causal_from_json(std::string_view json);
Result<Profile> profile_from_json(std::string_view json);

}  // namespace aiopt
