/// Tournament selection.

#include <stdexcept>

#include "select/strategies.hpp"

namespace aiopt {

namespace {

class TournamentSelection final : public SelectionStrategy {
 public:
  explicit TournamentSelection(std::size_t size) : size_(size) {
    if (size_ == 0) throw std::invalid_argument("tournament selection: a tournament of 0 elites has no winner");
  }

  std::string_view name() const override { return "tournament"; }

  std::vector<CandidateId> select(const Archive& archive, std::size_t count, Rng& rng) override {
    std::vector<CandidateId> parents;
    parents.reserve(count);
    while (parents.size() < count) parents.push_back(winner(archive.residents(), rng).candidate->id);
    return parents;
  }

 private:
  const Elite& winner(const std::vector<const Elite*>& elites, Rng& rng) const {
    const Elite* best = elites[rng.index(elites.size())];
    for (std::size_t drawn = 1; drawn < size_; ++drawn) {
      const Elite* rival = elites[rng.index(elites.size())];
      if (rival->fitness.objective > best->fitness.objective) best = rival;
    }
    return *best;
  }

  std::size_t size_;
};

}  // namespace

std::unique_ptr<SelectionStrategy> make_tournament_selection(std::size_t size) {
  return std::make_unique<TournamentSelection>(size);
}

}  // namespace aiopt
