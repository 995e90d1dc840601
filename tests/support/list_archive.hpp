/// ListArchive: keeps every elite it is given, in order, a cell for each.

#pragma once

#include <cmath>
#include <cstddef>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <aiopt/archive.hpp>

namespace aiopt {

class ListArchive : public Archive {
 public:
  AddResult add(Elite elite) override {
    if (!std::isfinite(elite.fitness.objective)) throw std::invalid_argument("the objective is not finite");
    const double objective = elite.fitness.objective;
    kept_.push_back(std::move(elite));
    elites_.push_back(&kept_.back());
    return {AddStatus::new_cell, kept_.size() - 1, objective};
  }

  AddResult update(CandidateId, std::shared_ptr<const Evaluation>, Fitness) override {
    throw std::logic_error("the elites of a ListArchive do not change");
  }

  const std::vector<const Elite*>& elites() const override { return elites_; }
  const std::vector<const Elite*>& residents() const override { return elites_; }

  const Elite* find(CandidateId id) const override {
    for (const Elite* elite : elites_) {
      if (elite->candidate->id == id) return elite;
    }
    return nullptr;
  }

  const Elite* at(std::size_t cell) const override { return cell < elites_.size() ? elites_[cell] : nullptr; }

  const Elite* best() const override {
    const Elite* best = nullptr;
    for (const Elite* elite : elites_) {
      if (best == nullptr || elite->fitness.objective > best->fitness.objective) best = elite;
    }
    return best;
  }

  std::string describe(std::size_t cell) const override { return "cell " + std::to_string(cell); }
  ArchiveStats stats() const override { return {}; }

 private:
  std::deque<Elite> kept_;
  std::vector<const Elite*> elites_;
};

}  // namespace aiopt
