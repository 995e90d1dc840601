/// What a causal profile promised of a function, against what an edit of it gave.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <aiopt/evaluation.hpp>

#include "prompt/card_words.hpp"

namespace aiopt {

struct PredictedEdit {
  CandidateId id = kBaselineId;
  std::string function;          ///< As the patch names it: "Wal::append".
  double virtual_speedup = 0.0;  ///< At which `predicted` was measured, in [0, 1].
  TimeReduction predicted;       ///< By the parent's causal profile: what making the place so much faster would give.
  TimeReduction realised;        ///< Of the time per operation, against the parent.
};

/// Whether both name the same function: "Wal::append" and "walkv::Wal::append", template arguments and return type left
/// out; a lambda is a part of the function around it.
bool names_same_function(std::string_view a, std::string_view b);

/// Empty if the parent's causal profile has no line in the function that the candidate changed most, or if a speed-up
/// of either has no finite interval. Of several lines the first one counts, of the first progress point that is no
/// latency.
///
/// Both were measured against the baseline, in races of their own: `realised` is 1 - parent's / candidate's speed-up,
/// and its interval that of a quotient of independent estimates. The baseline's speed-up is 1, exactly.
std::optional<PredictedEdit> predicted_edit(const Candidate& candidate, const Evaluation& evaluation,
                                            const Evaluation& parent);

}  // namespace aiopt
