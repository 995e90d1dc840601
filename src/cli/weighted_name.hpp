/// NAME[:WEIGHT], as --model and --emitter take it.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>

namespace aiopt {

struct WeightedName {
  std::string name;
  double weight = 1.0;
};

/// "gpt-x:0.3". A colon that no number follows belongs to the name ("llama3:8b"). invalid_argument names `option`.
Result<WeightedName> parse_weighted_name(std::string_view text, std::string_view option);

/// The same of an option that may be given again, with another name each time.
Result<std::vector<WeightedName>> parse_weighted_names(const std::vector<std::string>& texts, std::string_view option);

}  // namespace aiopt
