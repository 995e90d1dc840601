/// Which elite to measure again: see the header.

#include "archive/remeasure.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace aiopt {

namespace {

std::size_t pairs_of(const Elite& elite) {
  return elite.evaluation->benchmark ? elite.evaluation->benchmark->baseline.size() : 0;
}

}  // namespace

bool is_remeasure_turn(const RemeasureRule& rule, std::uint64_t asked) {
  return rule.every > 0 && (asked + 1) % rule.every == 0;
}

std::optional<CandidateId> next_to_remeasure(const Archive& archive, const RemeasureRule& rule,
                                             const std::vector<CandidateId>& under_way) {
  std::vector<const Elite*> elites = archive.elites();
  // Stable: of equal objectives the one in the first cell, wherever they are in memory.
  std::stable_sort(elites.begin(), elites.end(),
                   [](const Elite* a, const Elite* b) { return a->fitness.objective > b->fitness.objective; });
  const Elite* next = nullptr;
  std::size_t smallest = std::numeric_limits<std::size_t>::max();
  for (std::size_t i = 0; i < elites.size(); ++i) {
    const std::size_t pairs = pairs_of(*elites[i]);
    if (pairs == 0 || pairs >= rule.most_pairs) continue;
    if (std::find(under_way.begin(), under_way.end(), elites[i]->candidate->id) != under_way.end()) continue;
    const std::size_t product = (i + 1) * pairs;
    if (product >= smallest) continue;
    smallest = product;
    next = elites[i];
  }
  if (next == nullptr) return std::nullopt;
  return next->candidate->id;
}

}  // namespace aiopt
