/// Which elites lie in the same cell, and whether one of them is as fast.

#include "engine/standings.hpp"

#include <cmath>
#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "archive/grid_archive.hpp"
#include "engine/measures.hpp"

namespace aiopt {

namespace {

double speedup_of(const Evaluation& evaluation) {
  return evaluation.benchmark ? evaluation.benchmark->speedup() : 0.0;
}

}  // namespace

Standings::Standings(const std::vector<Axis>& axes, const std::vector<const Elite*>& elites) {
  places_.resize(elites.size());
  for (std::size_t e = 0; e < elites.size(); ++e) places_[e].speedup = speedup_of(*elites[e]->evaluation);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i].measure == "causal_hotspot") continue;
    axes_.push_back(axes[i]);
    for (std::size_t e = 0; e < elites.size(); ++e) {
      places_[e].measures.push_back(elites[e]->fitness.measures[i]);
    }
  }
}

/// Where both lie in one cell. A number that is not finite lies nowhere.
bool Standings::share_cell(const std::vector<Measure>& a, const std::vector<Measure>& b) const {
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    if (axes_[i].kind == Axis::Kind::category) {
      if (a[i] != b[i]) return false;
      continue;
    }
    const double first = std::get<double>(a[i]);
    const double second = std::get<double>(b[i]);
    if (!std::isfinite(second) || linear_cell(axes_[i], first) != linear_cell(axes_[i], second)) return false;
  }
  return true;
}

/// A name for which an axis of categories has no cell left: it shares the last one.
bool Standings::is_beyond_names(const std::vector<Measure>& measures) const {
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    if (axes_[i].kind != Axis::Kind::category) continue;
    std::set<std::string> names;
    for (const Place& place : places_) names.insert(std::get<std::string>(place.measures[i]));
    const bool is_known = names.contains(std::get<std::string>(measures[i]));
    if (!is_known && names.size() >= static_cast<std::size_t>(axes_[i].cells)) return true;
  }
  return false;
}

EliteStanding Standings::of(const Candidate& candidate, const Evaluation& evaluation) const {
  const Result<std::vector<Measure>> measures = measures_of(axes_, candidate, evaluation);
  if (!measures) return EliteStanding::behind;
  if (is_beyond_names(*measures)) return EliteStanding::behind;
  EliteStanding standing = EliteStanding::opens_cell;
  for (const Place& place : places_) {
    if (!share_cell(place.measures, *measures)) continue;
    if (place.speedup >= speedup_of(evaluation)) return EliteStanding::behind;
    standing = EliteStanding::leads_cell;
  }
  return standing;
}

}  // namespace aiopt
