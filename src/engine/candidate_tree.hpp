/// The files of any candidate of a run, rebuilt from the baseline and the patches in run.db.

#pragma once

#include <aiopt/proposal.hpp>
#include <aiopt/result.hpp>
#include <aiopt/source_tree.hpp>

#include "source/patch_apply.hpp"
#include "store/run_store.hpp"

namespace aiopt {

/// Errors: not_found (no such candidate, or one whose patch was rejected), corruption (a patch does not apply, or the
/// tree is not the one recorded).
Result<SourceTree> candidate_tree(const RunStore& store, const SourceTree& baseline, CandidateId id,
                                  const PatchRules& rules);

}  // namespace aiopt
