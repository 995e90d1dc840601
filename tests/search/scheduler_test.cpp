/// Whose turn it is, and what the scheduler does not believe.

#include "search/scheduler.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <map>
#include <stdexcept>

#include "core/repair.hpp"

#include "support/elites.hpp"
#include "support/list_archive.hpp"
#include "support/scripted_selection.hpp"

using namespace aiopt;

namespace {

Ask question_to(CandidateId parent) {
  Ask ask;
  ask.parent = parent;
  ask.change = ModelQuestion{"diff_user", ""};
  return ask;
}

class ScriptedEmitter : public Emitter {
 public:
  using Script = std::function<std::optional<Ask>(const Archive&, SelectionStrategy&, Rng&)>;
  ScriptedEmitter(std::string name, Script script) : name_(std::move(name)), script_(std::move(script)) {}

  std::string_view name() const override { return name_; }
  std::optional<Ask> ask(const Archive& archive, SelectionStrategy& selection, Rng& rng) override {
    return script_(archive, selection, rng);
  }
  void tell(const Proposal& proposal, const Evaluation&, const std::optional<Fitness>&,
            const std::optional<AddResult>& added) override {
    if (proposal.ask.note == "throw") throw std::runtime_error("no more paper");
    told.push_back(proposal.id);
    last_added = added;
  }

  std::vector<CandidateId> told;
  std::optional<AddResult> last_added;

 private:
  std::string name_;
  Script script_;
};

/// Asks for a child of whatever the strategy picks.
std::unique_ptr<ScriptedEmitter> willing(const std::string& name) {
  return std::make_unique<ScriptedEmitter>(name, [](const Archive& archive, SelectionStrategy& selection, Rng& rng) {
    return question_to(selection.select(archive, 1, rng).at(0));
  });
}

std::unique_ptr<ScriptedEmitter> empty_handed(const std::string& name) {
  return std::make_unique<ScriptedEmitter>(
      name, [](const Archive&, SelectionStrategy&, Rng&) -> std::optional<Ask> { return std::nullopt; });
}

std::unique_ptr<ScriptedEmitter> answering(const std::string& name, Ask ask) {
  return std::make_unique<ScriptedEmitter>(name, [ask](const Archive&, SelectionStrategy&, Rng&) { return ask; });
}

using Weighted = std::vector<std::pair<std::unique_ptr<ScriptedEmitter>, double>>;

/// With the baseline as its only elite.
Island island_of(Weighted emitters) {
  Island island;
  island.archive = std::make_unique<ListArchive>();
  island.archive->add(make_elite(0, 1.0));
  island.selection = std::make_unique<ScriptedSelection>(kBaselineId);
  for (auto& [emitter, weight] : emitters) island.emitters.push_back({std::move(emitter), weight});
  return island;
}

Scheduler scheduler_of(Island island) {
  std::vector<Island> islands;
  islands.push_back(std::move(island));
  return Scheduler(std::move(islands));
}

template <typename... Emitters>
Scheduler scheduler_with(Emitters... emitters) {
  Weighted weighted;
  (weighted.emplace_back(std::move(emitters), 1.0), ...);
  return scheduler_of(island_of(std::move(weighted)));
}

std::string error_of_ask(Scheduler scheduler) {
  Rng rng(1);
  const auto turn = scheduler.ask(rng);
  REQUIRE_FALSE(turn.has_value());
  CHECK(turn.error().code == Error::Code::invalid_argument);
  return turn.error().message;
}

std::string error_with_selection(ScriptedSelection selection) {
  Weighted emitters;
  emitters.emplace_back(willing("a"), 1.0);
  Island island = island_of(std::move(emitters));
  island.selection = std::make_unique<ScriptedSelection>(std::move(selection));
  return error_of_ask(scheduler_of(std::move(island)));
}

}  // namespace

TEST_CASE("emitters get turns in proportion to their weights") {
  Weighted emitters;
  emitters.emplace_back(willing("often"), 3.0);
  emitters.emplace_back(willing("never"), 0.0);
  emitters.emplace_back(willing("seldom"), 1.0);
  Scheduler scheduler = scheduler_of(island_of(std::move(emitters)));
  Rng rng(7);
  std::map<std::string, int> turns;
  for (int i = 0; i < 4000; ++i) {
    const auto turn = scheduler.ask(rng);
    REQUIRE(turn.has_value());
    REQUIRE(turn->has_value());
    ++turns[(*turn)->emitter];
  }
  CHECK(turns["often"] > 2850);
  CHECK(turns["often"] < 3150);
  CHECK(turns["never"] == 0);
}

TEST_CASE("an emitter with nothing to propose passes its turn to the next") {
  Scheduler scheduler = scheduler_with(empty_handed("a"), willing("b"), empty_handed("c"));
  Rng rng(1);
  for (int i = 0; i < 20; ++i) {
    const auto turn = scheduler.ask(rng);
    REQUIRE(turn.has_value());
    REQUIRE(turn->has_value());
    CHECK((*turn)->emitter == "b");
  }
}

TEST_CASE("there is no turn if nobody has anything to propose") {
  Scheduler scheduler = scheduler_with(empty_handed("a"), empty_handed("b"));
  Rng rng(1);
  const auto turn = scheduler.ask(rng);
  REQUIRE(turn.has_value());
  CHECK_FALSE(turn->has_value());
}

TEST_CASE("islands take turns, and one with nothing to propose is passed over") {
  std::vector<Island> islands;
  for (const std::string name : {"a", "b", "none", "d"}) {
    Weighted emitters;
    emitters.emplace_back(name == "none" ? empty_handed(name) : willing(name), 1.0);
    islands.push_back(island_of(std::move(emitters)));
  }
  Scheduler scheduler(std::move(islands));
  Rng rng(1);
  std::string order;
  for (int i = 0; i < 6; ++i) {
    const auto turn = scheduler.ask(rng);
    REQUIRE((turn.has_value() && turn->has_value()));
    order += (*turn)->emitter;
    CHECK(scheduler.archive((*turn)->island).elites().size() == 1);
  }
  CHECK(order == "abdabd");
}

TEST_CASE("an island without elites is passed over") {
  Weighted emitters;
  emitters.emplace_back(willing("a"), 1.0);
  Island island = island_of(std::move(emitters));
  island.archive = std::make_unique<ListArchive>();
  Scheduler scheduler = scheduler_of(std::move(island));
  Rng rng(1);
  const auto turn = scheduler.ask(rng);
  REQUIRE(turn.has_value());
  CHECK_FALSE(turn->has_value());
}

TEST_CASE("a strategy that chooses a candidate which is not there is named") {
  CHECK(error_with_selection(ScriptedSelection(CandidateId{42})) ==
        "selection strategy 'scripted' chose candidate 42, which is not in the archive");
}

TEST_CASE("a strategy that gives the wrong number of parents is named") {
  const auto none = [](const Archive&, std::size_t, Rng&) { return std::vector<CandidateId>{}; };
  CHECK(error_with_selection(ScriptedSelection(none)) == "selection strategy 'scripted' gave 0 parents, not 1");
}

TEST_CASE("what a strategy throws becomes an error that names it") {
  const auto throws = [](const Archive&, std::size_t, Rng&) -> std::vector<CandidateId> {
    throw std::runtime_error("oops");
  };
  const auto throws_a_number = [](const Archive&, std::size_t, Rng&) -> std::vector<CandidateId> { throw 7; };
  CHECK(error_with_selection(ScriptedSelection(throws)) == "selection strategy 'scripted' failed: oops");
  CHECK(error_with_selection(ScriptedSelection(throws_a_number)) ==
        "selection strategy 'scripted' failed for no reason that it gave");
}

TEST_CASE("what an emitter throws becomes an error that names it") {
  const auto throws = [](const Archive&, SelectionStrategy&, Rng&) -> std::optional<Ask> {
    throw std::out_of_range("index");
  };
  const auto throws_a_number = [](const Archive&, SelectionStrategy&, Rng&) -> std::optional<Ask> { throw 7; };
  CHECK(error_of_ask(scheduler_with(std::make_unique<ScriptedEmitter>("mine", throws))) ==
        "emitter 'mine' failed: index");
  CHECK(error_of_ask(scheduler_with(std::make_unique<ScriptedEmitter>("mine", throws_a_number))) ==
        "emitter 'mine' failed for no reason that it gave");
}

TEST_CASE("an emitter's answer is checked") {
  CHECK(error_of_ask(scheduler_with(answering("mine", question_to(CandidateId{9})))) ==
        "emitter 'mine' chose parent 9, which is not in the archive");
  Ask ask = question_to(kBaselineId);
  ask.inspirations = {kBaselineId, CandidateId{5}};
  CHECK(error_of_ask(scheduler_with(answering("mine", ask))) ==
        "emitter 'mine' chose inspiration 5, which is not in the archive");
  ask = question_to(kBaselineId);
  ask.change = Patch{};
  CHECK(error_of_ask(scheduler_with(answering("mine", ask))) == "emitter 'mine' proposed a patch without edits");
  ask.change = ModelQuestion{};
  CHECK(error_of_ask(scheduler_with(answering("mine", ask))) == "emitter 'mine' asked a question without a prompt");
  ask.change = ModelQuestion{"repair_user", "", CandidateId{1}};
  CHECK(error_of_ask(scheduler_with(answering("mine", ask))) ==
        "emitter 'mine' asked for a repair, which is the engine's to do");
}

TEST_CASE("the baseline may be a parent when its cell has gone to another") {
  Weighted emitters;
  emitters.emplace_back(answering("pool", question_to(kBaselineId)), 1.0);
  Island island = island_of(std::move(emitters));
  island.archive = std::make_unique<ListArchive>();
  island.archive->add(make_elite(3, 2.0));
  Scheduler scheduler = scheduler_of(std::move(island));
  Rng rng(1);
  const auto turn = scheduler.ask(rng);
  REQUIRE(turn.has_value());
  CHECK(turn->has_value());
}

TEST_CASE("the emitter that asked is told, and what it made is added") {
  auto owned_a = willing("a");
  auto owned_b = willing("b");
  ScriptedEmitter& a = *owned_a;
  ScriptedEmitter& b = *owned_b;
  Scheduler scheduler = scheduler_with(std::move(owned_a), std::move(owned_b));
  const Elite elite = make_elite(1, 2.5);
  const auto added =
      scheduler.tell(make_proposal(1, "b", question_to(kBaselineId)), elite.candidate, elite.evaluation, elite.fitness);
  REQUIRE(added.has_value());
  REQUIRE(added->has_value());
  CHECK((*added)->status == AddStatus::new_cell);
  CHECK(scheduler.archive(IslandId{0}).find(CandidateId{1}) != nullptr);
  CHECK(a.told.empty());
  CHECK(b.told == std::vector<CandidateId>{CandidateId{1}});
  CHECK(b.last_added.has_value());
}

TEST_CASE("a failed candidate is told and not added") {
  auto owned = willing("a");
  ScriptedEmitter& a = *owned;
  Scheduler scheduler = scheduler_with(std::move(owned));
  const auto evaluation = std::make_shared<const Evaluation>(make_evaluation(1, EvaluationStatus::patch_rejected));
  const auto added = scheduler.tell(make_proposal(1, "a", question_to(kBaselineId)), nullptr, evaluation, std::nullopt);
  REQUIRE(added.has_value());
  CHECK_FALSE(added->has_value());
  CHECK(a.told.size() == 1);
  CHECK(scheduler.archive(IslandId{0}).elites().size() == 1);
}

TEST_CASE("the baseline is added without any emitter being told") {
  auto owned = willing("a");
  ScriptedEmitter& a = *owned;
  Weighted emitters;
  emitters.emplace_back(std::move(owned), 1.0);
  Island island = island_of(std::move(emitters));
  island.archive = std::make_unique<ListArchive>();
  Scheduler scheduler = scheduler_of(std::move(island));
  const Elite baseline = make_elite(0, 1.0);
  const auto added =
      scheduler.tell(make_proposal(0, "", Ask{}), baseline.candidate, baseline.evaluation, baseline.fitness);
  REQUIRE(added.has_value());
  CHECK(added->has_value());
  CHECK(a.told.empty());
}

TEST_CASE("a repair is added to its island without any emitter being told") {
  auto owned = willing("a");
  ScriptedEmitter& a = *owned;
  Scheduler scheduler = scheduler_with(std::move(owned));
  const Elite elite = make_elite(1, 2.5);
  Proposal proposal = make_proposal(1, std::string(kRepairEmitter), question_to(kBaselineId));
  const auto added = scheduler.tell(proposal, elite.candidate, elite.evaluation, elite.fitness);
  REQUIRE(added.has_value());
  CHECK(added->has_value());
  CHECK(scheduler.archive(IslandId{0}).find(CandidateId{1}) != nullptr);
  CHECK(a.told.empty());
  proposal.island = IslandId{1};
  CHECK_FALSE(scheduler.tell(proposal, elite.candidate, elite.evaluation, elite.fitness).has_value());
}

TEST_CASE("what cannot be told is an error, and nothing is thrown") {
  Scheduler scheduler = scheduler_with(willing("a"));
  const Elite good = make_elite(1, 2.0);
  const auto error_of = [&scheduler](const Proposal& proposal, const Elite& elite) {
    const auto added = scheduler.tell(proposal, elite.candidate, elite.evaluation, elite.fitness);
    REQUIRE_FALSE(added.has_value());
    CHECK(added.error().code == Error::Code::invalid_argument);
    return added.error().message;
  };
  Proposal proposal = make_proposal(1, "a", question_to(kBaselineId));
  CHECK(error_of(proposal, make_elite(1, std::numeric_limits<double>::quiet_NaN())) ==
        "cannot tell of candidate 1: the archive refused it: the objective is not finite");
  CHECK(error_of(proposal, Elite{nullptr, good.evaluation, good.fitness}) ==
        "cannot tell of candidate 1: it has a fitness and no tree");
  CHECK(error_of(proposal, Elite{good.candidate, nullptr, good.fitness}) ==
        "cannot tell of candidate 1: it comes without an evaluation");
  proposal.emitter = "gone";
  CHECK(error_of(proposal, good) == "cannot tell of candidate 1: island 0 has no emitter 'gone'");
  proposal.emitter = "a";
  proposal.island = IslandId{4};
  CHECK(error_of(proposal, good) == "cannot tell of candidate 1: there is no island 4");
  proposal.island = IslandId{0};
  proposal.ask.note = "throw";
  CHECK(error_of(proposal, good) == "cannot tell of candidate 1: emitter 'a' failed: no more paper");
}
