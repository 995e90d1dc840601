/// Uniform selection.

#include "select/strategies.hpp"

namespace aiopt {

namespace {

class UniformSelection final : public SelectionStrategy {
 public:
  std::string_view name() const override { return "uniform"; }

  std::vector<CandidateId> select(const Archive& archive, std::size_t count, Rng& rng) override {
    const std::vector<const Elite*>& elites = archive.residents();
    std::vector<CandidateId> parents;
    parents.reserve(count);
    while (parents.size() < count) parents.push_back(elites[rng.index(elites.size())]->candidate->id);
    return parents;
  }
};

}  // namespace

std::unique_ptr<SelectionStrategy> make_uniform_selection() {
  return std::make_unique<UniformSelection>();
}

}  // namespace aiopt
