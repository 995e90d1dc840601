/// What a model's reply cost.

#pragma once

#include <string>
#include <vector>

#include <aiopt/proposal.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// US dollars of that usage by the model's prices; 0 for a model that the task gives no prices for.
double usd(const std::vector<ModelTask>& models, const std::string& model, const TokenUsage& usage);

}  // namespace aiopt
