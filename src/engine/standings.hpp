/// Standings: where the elites lie when a candidate sets out, for a thread that evaluates it.

#pragma once

#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/evaluator.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// A copy: the archive is the coordinator's alone.
class Standings {
 public:
  /// @param axes  the archive's; those of causal profiles are not asked
  Standings(const std::vector<Axis>& axes, const std::vector<const Elite*>& elites);

  /// Of a candidate that lacks one of the measures: behind.
  EliteStanding of(const Candidate& candidate, const Evaluation& evaluation) const;

 private:
  struct Place {
    std::vector<Measure> measures;
    double speedup = 0.0;
  };

  bool is_beyond_names(const std::vector<Measure>& measures) const;
  bool share_cell(const std::vector<Measure>& a, const std::vector<Measure>& b) const;

  std::vector<Axis> axes_;
  std::vector<Place> places_;
};

}  // namespace aiopt
