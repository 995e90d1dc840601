/// Which elite to measure again: the luckiest measurements are at the top of every archive, and only more of them tell.

#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <aiopt/archive.hpp>

namespace aiopt {

struct RemeasureRule {
  std::uint32_t every = 8;        ///< One evaluation in so many measures an elite again; 0: none.
  std::uint32_t most_pairs = 24;  ///< An elite with that many is known well enough. Bounds what one elite can cost.
};

/// Whether the evaluation after `asked` others is one for an elite, by the count alone: a resumed run asks the same.
bool is_remeasure_turn(const RemeasureRule& rule, std::uint64_t asked);

/// The elite for which (rank by objective, the best being 1) x (pairs measured) is smallest, of equals the better one:
/// high objectives that rest on few pairs, which are the ones that luck made. The best comes to have twice the pairs of
/// the second and three times those of the third, up to most_pairs. In the spirit of Extract-QD (Flageat et al.,
/// arXiv:2502.06585), which takes elites out to evaluate them again; the others of a cell get their turn when one of
/// them becomes its elite.
///
/// Left out are `under_way`, which are being measured already, and elites without pairs: the baseline, which is the
/// measure itself. Depends on nothing but its arguments; costs a sort of the elites.
///
/// @return Nothing if no elite is left.
std::optional<CandidateId> next_to_remeasure(const Archive& archive, const RemeasureRule& rule,
                                             const std::vector<CandidateId>& under_way = {});

}  // namespace aiopt
