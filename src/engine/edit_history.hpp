/// The edits that led to a program, as the card in its prompt tells of them.

#pragma once

#include <optional>
#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/evaluation.hpp>
#include <aiopt/result.hpp>

#include "prompt/predicted_edit.hpp"
#include "store/run_store.hpp"

namespace aiopt {

struct EditHistory {
  std::optional<Evaluation> parents_parent;  ///< What the program was made from; empty for the baseline.
  std::vector<PredictedEdit> edits;          ///< Those with a prediction, of the last few; oldest first.
};

/// From what was told alone, so that a resumed run makes the same prompt. Empty where the program was not profiled.
Result<EditHistory> edit_history(const RunStore& store, const Elite& program);

}  // namespace aiopt
