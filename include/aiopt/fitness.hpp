/// FitnessFunction: turns what running a candidate showed into one number.

#pragma once

#include <string_view>

#include <aiopt/evaluation.hpp>

namespace aiopt {

/// Thread-compatible.
class FitnessFunction {
 public:
  virtual ~FitnessFunction();
  virtual std::string_view name() const = 0;

  /// The objective: larger is better, 0 for a candidate that did not pass. `baseline` is the
  /// evaluation of the unmodified tree; where the candidate was measured in pairs, the pairs'
  /// own baseline runs rule.
  virtual double objective(const Evaluation& evaluation, const Evaluation& baseline) const = 0;
};

}  // namespace aiopt
