/// Resuming: the search's state is a fold over what run.db holds.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/evaluation_json.hpp"
#include "engine/evolution.hpp"
#include "source/patch_apply.hpp"

namespace aiopt {

Result<void> Evolution::replay() {
  // The search's state - archive, emitters, randomness - is a fold over what was asked and told, in that order.
  Result<std::vector<StoredAsk>> asks = parts_.store.asks();
  if (!asks) return asks.error();
  std::size_t next = 0;
  auto visited = parts_.store.each_evaluation([&](StoredEvaluation stored) -> Result<void> {
    if (stored.told > 0) {
      if (auto asked = replay_asks(*asks, next); !asked) return asked.error();
    }
    return replay_tell(std::move(stored));
  });
  if (!visited) return visited.error();
  if (auto asked = replay_asks(*asks, next); !asked) return asked.error();
  if (in_flight_.size() > static_cast<std::size_t>(options_.window)) {
    return Error{Error::Code::corruption, fmt::format("run.db has {} proposals in flight, and a window of {}",
                                                      in_flight_.size(), options_.window)};
  }

  if (auto recalled = recall_words(failures_); !recalled) return recalled.error();
  for (auto& [id, item] : in_flight_) {
    if (auto recalled = recall_words(item.failures); !recalled) return recalled.error();
  }
  Result<std::optional<Rng::State>> state = parts_.store.rng();
  if (!state) return state.error();
  if (*state && rng_.state() != **state) {
    search_differs_ = true;
    rng_ = Rng(**state);
  }
  if (search_differs_) {
    parts_.events.on_notice(
        "this aiopt, or its patch pool, would have asked for other proposals than the run did; going on from the run's "
        "own");
  }
  return {};
}

/// The fold goes over evaluations without what models said.
Result<void> Evolution::recall_words(std::deque<Failure>& failures) const {
  for (Failure& failure : failures) {
    Result<StoredEvaluation> stored = parts_.store.evaluation(failure.id);
    if (!stored) return stored.error();
    failure.patch = words_of(stored->proposal);
  }
  return {};
}

Result<void> Evolution::replay_asks(const std::vector<StoredAsk>& asks, std::size_t& next) {
  for (; next < asks.size() && asks[next].asked_after <= told_; ++next) {
    const StoredAsk& stored = asks[next];
    Result<std::optional<Scheduler::Turn>> turn = next_turn();
    if (!turn) return turn.error();
    if (!*turn || (*turn)->emitter != stored.emitter || ask_to_json((*turn)->ask) != stored.ask_json) {
      search_differs_ = true;
      Result<Ask> ask = ask_from_json(stored.ask_json);
      if (!ask) return ask.error();
      *turn = Scheduler::Turn{IslandId{0}, stored.emitter, std::move(*ask)};
    }
    if (auto item = take_in(stored.id, std::move(**turn)); !item) return item.error();
    next_id_ = std::max(next_id_, to_number(stored.id) + 1);
  }
  return {};
}

Result<void> Evolution::replay_tell(StoredEvaluation stored) {
  const CandidateId id = stored.proposal.id;
  std::shared_ptr<const Candidate> candidate = id == kBaselineId ? baseline_ : nullptr;
  if (id == kBaselineId) baseline_evaluation_ = std::make_shared<const Evaluation>(stored.evaluation);
  if (id != kBaselineId) {
    const auto item = in_flight_.find(id);
    if (item == in_flight_.end()) {
      return Error{Error::Code::corruption,
                   fmt::format("run.db tells of proposal {} which it never asked for", to_number(id))};
    }
    if (stored.exact) {
      Result<AppliedPatch> applied = apply_patch(item->second.parent.candidate->tree, *stored.exact, rules_);
      if (!applied)
        return Error{Error::Code::corruption,
                     fmt::format("the patch of proposal {} in run.db: {}", to_number(id), applied.error().message)};
      if (tree_sha256(applied->tree) != stored.tree_sha256) {
        return Error{
            Error::Code::corruption,
            fmt::format("the patch of proposal {} in run.db makes another tree than the one recorded", to_number(id))};
      }
      candidate = std::make_shared<const Candidate>(Candidate{id, item->second.proposal.ask.parent, stored.generation,
                                                              std::move(applied->tree), stored.tree_sha256,
                                                              stored.changed_function});
      trees_.emplace(token_digests_.of(candidate->tree), id);
    }
    stored.proposal.ask = item->second.proposal.ask;
    in_flight_.erase(item);
  }
  endpoint_answered_ =
      endpoint_answered_ || (!stored.proposal.model.empty() && stored.evaluation.status != EvaluationStatus::no_reply);
  auto evaluation = std::make_shared<const Evaluation>(std::move(stored.evaluation));
  auto added = parts_.scheduler.tell(stored.proposal, candidate, evaluation, stored.fitness);
  if (!added) return added.error();
  told_ = stored.told;
  earlier_seconds_ = stored.run_seconds;
  count(stored.proposal, *evaluation);
  remember_failure(stored.proposal, *evaluation);
  repairs_.note(stored.proposal, *evaluation);
  return {};
}

}  // namespace aiopt
