/// Tokens times prices.

#include "core/model_price.hpp"

#include <algorithm>

namespace aiopt {

double usd(const std::vector<ModelTask>& models, const std::string& model, const TokenUsage& usage) {
  const auto found = std::find_if(models.begin(), models.end(), [&](const ModelTask& m) { return m.name == model; });
  if (found == models.end()) return 0;
  return (static_cast<double>(usage.prompt_tokens) * found->usd_per_million_prompt_tokens +
          static_cast<double>(usage.completion_tokens) * found->usd_per_million_completion_tokens) /
         1e6;
}

}  // namespace aiopt
