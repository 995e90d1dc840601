/// The command line's part of a run, as run.db keeps it: what a resumed sitting must know again.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/evolution.hpp>
#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

// What the command line takes, and so what a run.db may hold.
inline constexpr std::uint64_t kMostIterations = 1'000'000'000;
inline constexpr int kWidestWindow = 4096;
inline constexpr int kMostClaimPairs = 1000;
inline constexpr int kMostClaimCandidates = 100;

/// The options and what the command line set in the task (endpoint, models, emitters, selection). No key is in it.
std::string run_options_to_json(const EvolutionOptions& options, const Task& task);

/// Puts them back. Errors: corruption, for a field that no command line could have given too; `task` is spoilt then.
Result<EvolutionOptions> run_options_from_json(std::string_view json, Task& task);

/// "fast" or "full".
std::string_view mode_name(Mode mode);

/// The archive's axes for this mode. Without profiles "causal_hotspot" is "function", and what only they measure is
/// left out; of a reproducible run all that the clock gives, which differs from run to run. The axis "function" is left
/// at least.
///
/// @return What the user should know: one line for each reason.
std::vector<std::string> fit_axes(Task& task, Mode mode, bool reproducible);

}  // namespace aiopt
