/// Walks from a program towards the baseline: see the header.

#include "engine/edit_history.hpp"

#include <algorithm>
#include <utility>

namespace aiopt {

Result<EditHistory> edit_history(const RunStore& store, const Elite& program) {
  constexpr int kMostSteps = 4;
  EditHistory history;
  if (!program.evaluation->profile.off_cpu && !program.evaluation->profile.causal) return history;
  Candidate candidate;
  candidate.id = program.candidate->id;
  candidate.parent = program.candidate->parent;
  candidate.changed_function = program.candidate->changed_function;
  Evaluation evaluation = *program.evaluation;
  for (int step = 0; step < kMostSteps && candidate.parent; ++step) {
    Result<StoredEvaluation> parent = store.evaluation(*candidate.parent);
    if (!parent) return parent.error();
    if (auto edit = predicted_edit(candidate, evaluation, parent->evaluation))
      history.edits.push_back(std::move(*edit));
    if (step == 0) history.parents_parent = parent->evaluation;
    const bool is_baseline = *candidate.parent == kBaselineId;
    candidate.id = *candidate.parent;
    candidate.parent = is_baseline ? std::nullopt : std::optional(parent->proposal.ask.parent);
    candidate.changed_function = parent->changed_function;
    evaluation = std::move(parent->evaluation);
  }
  std::reverse(history.edits.begin(), history.edits.end());
  return history;
}

}  // namespace aiopt
