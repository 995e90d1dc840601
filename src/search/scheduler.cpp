/// Islands in turn, emitters by weight, and a check of everything that a plugin answers.

#include "search/scheduler.hpp"

#include <algorithm>
#include <cassert>
#include <exception>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "core/remeasurement.hpp"
#include "core/repair.hpp"

namespace aiopt {

namespace {

/// A strategy's mistake, on its way through the emitter that asked it.
class StrategyFailure : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Stands before a strategy, so that an emitter can rely on its answers.
class CheckedSelection : public SelectionStrategy {
 public:
  explicit CheckedSelection(SelectionStrategy& strategy) : strategy_(strategy) {}

  std::string_view name() const override { return strategy_.name(); }

  std::vector<CandidateId> select(const Archive& archive, std::size_t count, Rng& rng) override {
    std::vector<CandidateId> chosen = ask_strategy(archive, count, rng);
    if (chosen.size() != count) {
      throw StrategyFailure(
          fmt::format("selection strategy '{}' gave {} parents, not {}", name(), chosen.size(), count));
    }
    for (const CandidateId id : chosen) {
      if (archive.find(id) == nullptr) {
        throw StrategyFailure(fmt::format("selection strategy '{}' chose candidate {}, which is not in the archive",
                                          name(), to_number(id)));
      }
    }
    return chosen;
  }

 private:
  std::vector<CandidateId> ask_strategy(const Archive& archive, std::size_t count, Rng& rng) {
    try {
      return strategy_.select(archive, count, rng);
    } catch (const std::exception& error) {
      throw StrategyFailure(fmt::format("selection strategy '{}' failed: {}", name(), error.what()));
    } catch (...) {
      throw StrategyFailure(fmt::format("selection strategy '{}' failed for no reason that it gave", name()));
    }
  }

  SelectionStrategy& strategy_;
};

Error invalid(std::string message) {
  return Error{Error::Code::invalid_argument, std::move(message)};
}

/// What is wrong with an answer of an emitter; empty if nothing is.
std::string fault_of(const Ask& ask, const Archive& archive) {
  if (ask.parent != kBaselineId && archive.find(ask.parent) == nullptr) {
    return fmt::format("chose parent {}, which is not in the archive", to_number(ask.parent));
  }
  for (const CandidateId id : ask.inspirations) {
    if (archive.find(id) == nullptr) {
      return fmt::format("chose inspiration {}, which is not in the archive", to_number(id));
    }
  }
  if (const Patch* patch = std::get_if<Patch>(&ask.change)) {
    return patch->edits.empty() ? "proposed a patch without edits" : "";
  }
  const auto& question = std::get<ModelQuestion>(ask.change);
  if (question.repairs) return "asked for a repair, which is the engine's to do";
  return question.prompt.empty() ? "asked a question without a prompt" : "";
}

Result<std::optional<Ask>> ask_emitter(Emitter& emitter, const Archive& archive, SelectionStrategy& selection,
                                       Rng& rng) {
  CheckedSelection checked(selection);
  std::optional<Ask> ask;
  try {
    ask = emitter.ask(archive, checked, rng);
  } catch (const StrategyFailure& error) {
    return invalid(error.what());
  } catch (const std::exception& error) {
    return invalid(fmt::format("emitter '{}' failed: {}", emitter.name(), error.what()));
  } catch (...) {
    return invalid(fmt::format("emitter '{}' failed for no reason that it gave", emitter.name()));
  }
  if (!ask) return std::optional<Ask>();
  const std::string fault = fault_of(*ask, archive);
  if (!fault.empty()) return invalid(fmt::format("emitter '{}' {}", emitter.name(), fault));
  return ask;
}

/// Index of an emitter, drawn by weight.
std::size_t draw(const std::vector<Island::WeightedEmitter>& emitters, Rng& rng) {
  double total = 0.0;
  for (const auto& entry : emitters) total += std::max(entry.weight, 0.0);
  double rest = rng.uniform() * total;
  std::size_t last_with_weight = 0;
  for (std::size_t i = 0; i < emitters.size(); ++i) {
    if (emitters[i].weight <= 0.0) continue;
    last_with_weight = i;
    rest -= emitters[i].weight;
    if (rest < 0.0) break;
  }
  return last_with_weight;
}

}  // namespace

Scheduler::Scheduler(std::vector<Island> islands) : islands_(std::move(islands)) {
  assert(!islands_.empty());
}

Result<std::optional<Scheduler::Turn>> Scheduler::ask(Rng& rng) {
  for (std::size_t tried = 0; tried < islands_.size(); ++tried) {
    const std::size_t number = next_island_;
    next_island_ = (next_island_ + 1) % islands_.size();
    const Island& island = islands_[number];
    if (island.archive->elites().empty()) continue;
    const std::size_t first = draw(island.emitters, rng);
    for (std::size_t i = 0; i < island.emitters.size(); ++i) {
      const Island::WeightedEmitter& entry = island.emitters[(first + i) % island.emitters.size()];
      if (entry.weight <= 0.0) continue;
      Result<std::optional<Ask>> ask = ask_emitter(*entry.emitter, *island.archive, *island.selection, rng);
      if (!ask) return ask.error();
      if (!*ask) continue;
      return std::optional<Turn>(
          Turn{IslandId{static_cast<std::uint32_t>(number)}, std::string(entry.emitter->name()), **std::move(ask)});
    }
  }
  return std::optional<Turn>();
}

Result<std::optional<AddResult>> Scheduler::tell(const Proposal& proposal, std::shared_ptr<const Candidate> candidate,
                                                 std::shared_ptr<const Evaluation> evaluation,
                                                 const std::optional<Fitness>& fitness) {
  const auto number = static_cast<std::size_t>(proposal.island);
  const std::string what = fmt::format("cannot tell of candidate {}", to_number(proposal.id));
  if (number >= islands_.size()) return invalid(fmt::format("{}: there is no island {}", what, number));
  if (evaluation == nullptr) return invalid(fmt::format("{}: it comes without an evaluation", what));
  Island& island = islands_[number];
  if (proposal.emitter == kRemeasureEmitter) {
    if (!fitness) return std::optional<AddResult>();
    try {
      return update_elite(*island.archive, proposal.ask.parent, *evaluation, *fitness);
    } catch (const std::exception& error) {
      return invalid(fmt::format("{}: the archive refused it: {}", what, error.what()));
    }
  }
  const auto teller = std::find_if(island.emitters.begin(), island.emitters.end(), [&proposal](const auto& entry) {
    return entry.emitter->name() == proposal.emitter;
  });
  const bool is_of_emitter = proposal.id != kBaselineId && proposal.emitter != kRepairEmitter;
  if (teller == island.emitters.end() && is_of_emitter) {
    return invalid(fmt::format("{}: island {} has no emitter '{}'", what, number, proposal.emitter));
  }

  std::optional<AddResult> added;
  if (fitness && !evaluation->reused_from) {
    if (candidate == nullptr) return invalid(fmt::format("{}: it has a fitness and no tree", what));
    try {
      added = island.archive->add(Elite{std::move(candidate), evaluation, *fitness});
    } catch (const std::exception& error) {
      return invalid(fmt::format("{}: the archive refused it: {}", what, error.what()));
    }
  }
  if (!is_of_emitter) return added;
  try {
    teller->emitter->tell(proposal, *evaluation, fitness, added);
  } catch (const std::exception& error) {
    return invalid(fmt::format("{}: emitter '{}' failed: {}", what, proposal.emitter, error.what()));
  } catch (...) {
    return invalid(fmt::format("{}: emitter '{}' failed for no reason that it gave", what, proposal.emitter));
  }
  return added;
}

const Archive& Scheduler::archive(IslandId island) const {
  return *islands_.at(static_cast<std::size_t>(island)).archive;
}

}  // namespace aiopt
