/// Weighted choice among models.

#include "llm/ensemble.hpp"

#include <cassert>

namespace aiopt {
namespace {

/// A weight that is negative or not a number draws nothing.
double usable(double weight) {
  return weight > 0 ? weight : 0;
}

}  // namespace

const ModelTask& choose_model(const std::vector<ModelTask>& models, Rng& rng) {
  assert(!models.empty());
  double total = 0;
  for (const ModelTask& model : models) total += usable(model.weight);
  assert(total > 0);
  double rest = rng.uniform() * total;
  const ModelTask* chosen = &models.front();
  for (const ModelTask& model : models) {
    if (usable(model.weight) <= 0) continue;
    chosen = &model;  // Also the answer if rounding leaves a rest after the last one.
    rest -= model.weight;
    if (rest < 0) break;
  }
  return *chosen;
}

}  // namespace aiopt
