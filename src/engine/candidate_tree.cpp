/// Applies a candidate's lineage to the baseline.

#include "engine/candidate_tree.hpp"

#include <fmt/format.h>

#include <vector>

namespace aiopt {

Result<SourceTree> candidate_tree(const RunStore& store, const SourceTree& baseline, CandidateId id,
                                  const PatchRules& rules) {
  if (id == kBaselineId) return baseline;
  Result<StoredEvaluation> stored = store.evaluation(id);
  if (!stored) return stored.error();
  if (!stored->exact) {
    return Error{Error::Code::not_found,
                 fmt::format("candidate {} has no tree: its patch was rejected", to_number(id))};
  }
  Result<std::vector<Patch>> lineage = store.lineage(id);
  if (!lineage) return lineage.error();
  SourceTree tree = baseline;
  for (const Patch& patch : *lineage) {
    Result<AppliedPatch> applied = apply_patch(tree, patch, rules);
    if (!applied) {
      return Error{Error::Code::corruption,
                   fmt::format("cannot rebuild candidate {} from run.db: {}", to_number(id), applied.error().message)};
    }
    tree = std::move(applied->tree);
  }
  if (tree_sha256(tree) != stored->tree_sha256) {
    return Error{
        Error::Code::corruption,
        fmt::format(
            "candidate {} rebuilt from run.db is not the tree that was evaluated; was the source changed since?",
            to_number(id))};
  }
  return tree;
}

}  // namespace aiopt
