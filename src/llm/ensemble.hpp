/// Which model answers the next question, and what it cost.

#pragma once

#include <string>
#include <vector>

#include <aiopt/proposal.hpp>
#include <aiopt/rng.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// Draws by weight. @pre models is not empty and a weight is above 0.
const ModelTask& choose_model(const std::vector<ModelTask>& models, Rng& rng);

/// Dollars of that usage by the model's prices; 0 for a model that the task gives no prices for.
double usd(const std::vector<ModelTask>& models, const std::string& model, const TokenUsage& usage);

}  // namespace aiopt
