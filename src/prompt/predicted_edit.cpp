/// Finds the changed function in the parent's causal profile, and divides two speed-ups.

#include "prompt/predicted_edit.hpp"

#include <algorithm>
#include <cmath>

namespace aiopt {

namespace {

/// "bool walkv::Map<int>::put::{lambda#1}" is "walkv::Map::put".
std::string bare_function(std::string_view function) {
  function = function.substr(0, function.find("::{"));
  std::string bare;
  int depth = 0;
  for (const char c : function) {
    if (c == '<') ++depth;
    if (depth == 0 && c == ' ') bare.clear();
    if (depth == 0 && c != ' ') bare += c;
    if (c == '>' && depth > 0) --depth;
  }
  return bare;
}

bool is_qualified_end(std::string_view name, std::string_view end) {
  if (end.empty() || !name.ends_with(end)) return false;
  return name.size() == end.size() || name.substr(0, name.size() - end.size()).ends_with("::");
}

const CausalTarget* target_in(const CausalProfile& profile, std::string_view function) {
  const auto found = std::find_if(profile.targets.begin(), profile.targets.end(), [&](const CausalTarget& target) {
    return target.scope == "line" && !target.is_latency && names_same_function(target.place.function, function);
  });
  return found == profile.targets.end() ? nullptr : &*found;
}

/// Exactly 1 for the baseline; empty if it is not known.
std::optional<SpeedupEstimate> speedup_of(const Evaluation& evaluation) {
  if (evaluation.id == kBaselineId) return SpeedupEstimate{};
  return evaluation.benchmark ? evaluation.benchmark->estimate : std::nullopt;
}

/// Distances on the scale of logarithms add up as those of independent errors do.
std::optional<TimeReduction> reduction_between(const SpeedupEstimate& before, const SpeedupEstimate& after) {
  const double down = std::hypot(std::log(after.ratio / after.lower), std::log(before.upper / before.ratio));
  const double up = std::hypot(std::log(after.upper / after.ratio), std::log(before.ratio / before.lower));
  const double factor = after.ratio / before.ratio;
  const TimeReduction reduction{1.0 - 1.0 / factor, 1.0 - std::exp(down) / factor, 1.0 - std::exp(-up) / factor};
  const bool is_finite =
      std::isfinite(reduction.effect) && std::isfinite(reduction.lower) && std::isfinite(reduction.upper);
  return is_finite ? std::optional(reduction) : std::nullopt;
}

}  // namespace

bool names_same_function(std::string_view a, std::string_view b) {
  const std::string bare_a = bare_function(a);
  const std::string bare_b = bare_function(b);
  return is_qualified_end(bare_a, bare_b) || is_qualified_end(bare_b, bare_a);
}

std::optional<PredictedEdit> predicted_edit(const Candidate& candidate, const Evaluation& evaluation,
                                            const Evaluation& parent) {
  if (!parent.profile.causal) return std::nullopt;
  const CausalTarget* target = target_in(*parent.profile.causal, candidate.changed_function);
  const CausalPoint* point = target == nullptr ? nullptr : telling_point(*target);
  const std::optional<SpeedupEstimate> before = speedup_of(parent);
  const std::optional<SpeedupEstimate> after = speedup_of(evaluation);
  if (point == nullptr || !before || !after) return std::nullopt;
  const std::optional<TimeReduction> realised = reduction_between(*before, *after);
  if (!realised) return std::nullopt;
  return PredictedEdit{candidate.id,
                       candidate.changed_function,
                       point->virtual_speedup,
                       {point->effect, point->lower, point->upper},
                       *realised};
}

}  // namespace aiopt
