/// Which model answers the next question.

#pragma once

#include <vector>

#include <aiopt/rng.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// Draws by weight. @pre models is not empty and a weight is above 0.
const ModelTask& choose_model(const std::vector<ModelTask>& models, Rng& rng);

}  // namespace aiopt
