/// Claims: the short list, frozen when the search ends, and measured again outside of it.

#pragma once

#include <stop_token>
#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/evaluator.hpp>
#include <aiopt/event_sink.hpp>
#include <aiopt/evolution.hpp>
#include <aiopt/task.hpp>

#include "store/run_store.hpp"

namespace aiopt {

/// The candidates to claim: the highest lower confidence bounds of their objectives, the baseline left out.
std::vector<Elite> short_list(const Archive& archive, int most);

/// Measures the short list again: fresh builds, fresh seeds, `options.claim_pairs` pairs whatever they show, and the
/// held-out workload if the task has one. Of the best, also in turn with its parent. What was chosen for being the
/// best of many is too good by that choice; these figures are not. They go into `store`, the best first (by the lower
/// bound of its speed-up), and nowhere else. Claims of the same short list that are there already are taken.
///
/// A candidate that can't be measured again, or at which a gate fires, is said and left out.
/// @return cancelled if `stop` was requested.
Result<std::vector<StoredClaim>> make_claims(const Task& task, const EvolutionOptions& options,
                                             const SourceTree& baseline, const Archive& archive, Evaluator& evaluator,
                                             RunStore& store, EventSink& events, std::stop_token stop);

}  // namespace aiopt
