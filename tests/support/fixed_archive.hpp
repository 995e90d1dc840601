/// FixedArchive: an archive whose elites a test writes down; one cell to each, in the order given.

#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <aiopt/archive.hpp>

namespace aiopt {

class FixedArchive final : public Archive {
 public:
  /// Candidates 1, 2, 3, ... with these objectives.
  explicit FixedArchive(const std::vector<double>& objectives) {
    for (const double objective : objectives) {
      auto candidate = std::make_shared<Candidate>();
      candidate->id = CandidateId{owned_.size() + 1};
      owned_.push_back({std::move(candidate), std::make_shared<Evaluation>(), {objective, {}}});
    }
    for (const Elite& elite : owned_) elites_.push_back(&elite);
  }
  FixedArchive(const FixedArchive&) = delete;
  FixedArchive& operator=(const FixedArchive&) = delete;

  AddResult add(Elite) override { throw std::logic_error("a FixedArchive takes no elites"); }

  AddResult update(CandidateId, std::shared_ptr<const Evaluation>, Fitness) override {
    throw std::logic_error("the elites of a FixedArchive do not change");
  }

  const std::vector<const Elite*>& elites() const override { return elites_; }
  const std::vector<const Elite*>& residents() const override { return elites_; }

  const Elite* find(CandidateId id) const override {
    const std::uint64_t number = to_number(id);
    return number == 0 ? nullptr : at(static_cast<std::size_t>(number - 1));
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

  ArchiveStats stats() const override {
    ArchiveStats stats;
    stats.num_elites = elites_.size();
    stats.coverage = 1.0;
    for (const Elite* elite : elites_) stats.qd_score += elite->fitness.objective;
    if (best() != nullptr) stats.objective_max = best()->fitness.objective;
    return stats;
  }

 private:
  std::vector<Elite> owned_;
  std::vector<const Elite*> elites_;
};

}  // namespace aiopt
