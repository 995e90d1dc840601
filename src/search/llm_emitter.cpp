/// The llm emitter: a parent, two other elites to learn from, and a question.

#include <memory>
#include <string_view>
#include <vector>

#include "search/emitters.hpp"

namespace aiopt {

namespace {

/// One of the elites that are not in `taken`, each as likely; null if there is none.
const Elite* draw_other(const std::vector<const Elite*>& elites, const std::vector<CandidateId>& taken, Rng& rng) {
  std::vector<const Elite*> others;
  others.reserve(elites.size());
  for (const Elite* elite : elites) {
    bool is_taken = false;
    for (const CandidateId id : taken) is_taken = is_taken || elite->candidate->id == id;
    if (!is_taken) others.push_back(elite);
  }
  return others.empty() ? nullptr : others[rng.index(others.size())];
}

class LlmEmitter : public Emitter {
 public:
  std::string_view name() const override { return "llm"; }

  /// The inspirations: the best elite, to build on, and one drawn from all, to see something different.
  std::optional<Ask> ask(const Archive& archive, SelectionStrategy& selection, Rng& rng) override {
    Ask ask;
    ask.parent = selection.select(archive, 1, rng).at(0);
    ask.change = ModelQuestion{"diff_user", ""};
    std::vector<CandidateId> taken{ask.parent};
    const Elite* best = archive.best();
    if (best != nullptr && best->candidate->id != ask.parent) taken.push_back(best->candidate->id);
    while (taken.size() < 3) {
      const Elite* other = draw_other(archive.elites(), taken, rng);
      if (other == nullptr) break;
      taken.push_back(other->candidate->id);
    }
    ask.inspirations.assign(taken.begin() + 1, taken.end());
    return ask;
  }

  void tell(const Proposal&, const Evaluation&, const std::optional<Fitness>&,
            const std::optional<AddResult>&) override {}
};

}  // namespace

std::unique_ptr<Emitter> make_llm_emitter() {
  return std::make_unique<LlmEmitter>();
}

}  // namespace aiopt
