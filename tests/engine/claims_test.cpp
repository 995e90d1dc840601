/// What is claimed when the search has ended: who is measured again, in what order, and what is left out.

#include "engine/claims.hpp"

#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "archive/grid_archive.hpp"
#include "engine/candidate_tree.hpp"
#include "support/elites.hpp"
#include "support/list_archive.hpp"
#include "support/scripted_chat.hpp"
#include "support/small_run.hpp"

using namespace aiopt;

namespace {

std::vector<std::uint64_t> ids_of(const std::vector<Elite>& list) {
  std::vector<std::uint64_t> ids;
  for (const Elite& elite : list) ids.push_back(to_number(elite.candidate->id));
  return ids;
}

std::vector<std::uint64_t> ids_of(const std::vector<StoredClaim>& claims) {
  std::vector<std::uint64_t> ids;
  for (const StoredClaim& claim : claims) ids.push_back(to_number(claim.id));
  return ids;
}

/// A run that has ended. Each candidate is better than the one before and made from it: 110, 120, 130, ...
struct EndedRun : SmallRun {
  EvolutionOptions options;
  std::unique_ptr<RunStore> store;
  ListArchive archive;

  EndedRun() {
    ScriptedChat chat([](const ChatRequest& request) -> Result<ChatReply> {
      ChatReply reply;
      reply.text = reply_text_with_value(100 + 10 * request.number);
      return reply;
    });
    options.iterations = 6;
    options.workers = 1;
    options.window = 1;
    options.claim_pairs = 5;
    store = create_store();
    REQUIRE(run(*store, chat, options));
    REQUIRE(store->each_evaluation([&](StoredEvaluation stored) -> Result<void> {
      if (!stored.fitness) return {};
      const CandidateId id = stored.proposal.id;
      auto tree = candidate_tree(*store, baseline, id, PatchRules{task.editable, task.max_patch_bytes});
      REQUIRE(tree);
      Candidate candidate;
      candidate.id = id;
      if (id != kBaselineId) candidate.parent = stored.proposal.ask.parent;
      candidate.tree = std::move(*tree);
      archive.add({std::make_shared<const Candidate>(std::move(candidate)),
                   std::make_shared<const Evaluation>(stored.evaluation), *stored.fitness});
      return {};
    }));
    sink = RecordingSink{};
    evaluator.compared.clear();
  }

  std::vector<StoredClaim> claims(std::stop_token stop = {}) {
    auto made = make_claims(task, options, baseline, archive, evaluator, *store, sink, stop);
    REQUIRE_MESSAGE(made, (made ? "" : made.error().message));
    return *made;
  }

  std::string notices() const {
    std::string all;
    for (const std::string& notice : sink.notices) all += notice + "\n";
    return all;
  }
};

}  // namespace

TEST_CASE("the short list goes by what can be relied on, and leaves the baseline out") {
  ListArchive archive;
  const auto add = [&](std::uint64_t id, double objective, double standard_error) {
    Elite elite = make_elite(id, objective);
    elite.fitness.standard_error = standard_error;
    archive.add(elite);
  };
  add(0, 9.0, 0.0);
  add(1, 2.0, 0.5);  // 1.18 at the least: chosen by luck alone, it may be.
  add(2, 1.5, 0.0);
  add(3, 1.6, 0.01);
  add(4, 1.2, 0.0);
  CHECK(ids_of(short_list(archive, 3)) == std::vector<std::uint64_t>{3, 2, 4});
  CHECK(ids_of(short_list(archive, 10)) == std::vector<std::uint64_t>{3, 2, 4, 1});
}

TEST_CASE("an elite that did not pass when it was measured again is not on the short list, alone in its cell or not") {
  ListArchive archive;
  archive.add(make_elite(1, 1.5));
  Elite quarantined = make_elite(2, 0.0);
  Evaluation again = *quarantined.evaluation;
  again.status = EvaluationStatus::quarantined;
  quarantined.evaluation = std::make_shared<const Evaluation>(std::move(again));
  archive.add(quarantined);
  CHECK(ids_of(short_list(archive, 10)) == std::vector<std::uint64_t>{1});
}

TEST_CASE("the best are measured in all pairs from fresh builds, the first also against what it was made from") {
  EndedRun run;
  const std::vector<StoredClaim> claims = run.claims();
  CHECK(ids_of(claims) == std::vector<std::uint64_t>{6, 5, 4});
  CHECK(claims[0].benchmark.baseline.size() == 5);
  CHECK(claims[0].benchmark.speedup() == doctest::Approx(1.6));
  CHECK_FALSE(claims[0].holdout);

  const CandidateId parent = *run.archive.find(CandidateId{6})->candidate->parent;
  REQUIRE(run.evaluator.compared.size() == (parent == kBaselineId ? 3 : 4));
  std::set<std::uint64_t> seeds;
  for (const FakeEvaluator::Compared& compared : run.evaluator.compared) {
    CHECK(compared.options.pairs == 5);
    CHECK(compared.options.builds_afresh);
    CHECK_FALSE(compared.options.holdout);
    CHECK(seeds.insert(compared.options.seed).second);
  }
  for (int i = 0; i < 3; ++i) CHECK(run.evaluator.compared[static_cast<std::size_t>(i)].against == kBaselineId);
  CHECK(claims[0].against_parent.has_value() == (parent != kBaselineId));
  CHECK_FALSE(claims[1].against_parent);
  CHECK(ids_of(*run.store->claims()) == ids_of(claims));
}

TEST_CASE("the parent that the best is compared with is rebuilt from run.db") {
  // With one elite at a time each candidate is made from the one before.
  EndedRun run;
  run.options.claim_candidates = 1;
  Elite best = *run.archive.find(CandidateId{6});
  Candidate made_from_2 = *best.candidate;
  made_from_2.parent = CandidateId{2};
  best.candidate = std::make_shared<const Candidate>(std::move(made_from_2));
  run.archive = ListArchive();
  run.archive.add(best);
  const std::vector<StoredClaim> claims = run.claims();
  REQUIRE(claims.size() == 1);
  REQUIRE(claims[0].against_parent);
  CHECK(claims[0].against_parent->speedup() == doctest::Approx(160.0 / 120.0));
  CHECK(run.evaluator.compared.back().against == CandidateId{2});
}

TEST_CASE("a held-out workload is measured too, in what was just built") {
  EndedRun run;
  run.task.holdout = run.task.benchmark;
  run.options.claim_candidates = 2;
  const std::vector<StoredClaim> claims = run.claims();
  REQUIRE(claims.size() == 2);
  CHECK(claims[0].holdout);
  CHECK(claims[1].holdout);
  REQUIRE(run.evaluator.compared.size() >= 4);
  for (const std::size_t at : {1U, 3U}) {
    CHECK(run.evaluator.compared[at].options.holdout);
    CHECK_FALSE(run.evaluator.compared[at].options.builds_afresh);
    CHECK(run.evaluator.compared[at].candidate == run.evaluator.compared[at - 1].candidate);
  }
  CHECK(run.notices().find("held-out workload") != std::string::npos);
}

TEST_CASE("a candidate at which a gate fires, or that no longer runs, makes no claim, and that is said") {
  EndedRun run;
  run.evaluator.gates[CandidateId{6}] = {"syncs", true, "12 fsyncs for 1000 operations"};
  run.evaluator.gates[CandidateId{4}] = {"clock", false, "all is well"};
  run.evaluator.incomparable.emplace(CandidateId{5}, Error{Error::Code::unavailable, "it no longer builds"});
  CHECK(ids_of(run.claims()) == std::vector<std::uint64_t>{4});
  CHECK(run.notices().find("candidate 6 makes no claim: the gate 'syncs': 12 fsyncs") != std::string::npos);
  CHECK(run.notices().find("candidate 5 makes no claim: it no longer builds") != std::string::npos);
}

TEST_CASE("claims of the same short list are taken as they are; those of another are measured") {
  EndedRun run;
  run.options.claim_candidates = 2;
  const std::vector<StoredClaim> claims = run.claims();
  const std::size_t measured = run.evaluator.compared.size();
  CHECK(ids_of(run.claims()) == ids_of(claims));
  CHECK(run.evaluator.compared.size() == measured);

  // The run went on, and its short list has one more.
  run.options.claim_candidates = 3;
  CHECK(run.claims().size() == 3);
  CHECK(run.evaluator.compared.size() > measured);
  CHECK(run.store->claims()->size() == 3);
}

TEST_CASE("nobody claims anything without pairs, or with nothing but the baseline") {
  EndedRun run;
  run.options.claim_pairs = 0;
  CHECK(run.claims().empty());
  run.options.claim_pairs = 5;
  run.archive = ListArchive();
  run.archive.add(make_elite(0, 1.0));
  CHECK(run.claims().empty());
  CHECK(run.evaluator.compared.empty());
  CHECK(run.sink.notices.empty());
}

TEST_CASE("a stop ends the claims, and leaves none") {
  EndedRun run;
  std::stop_source stop;
  stop.request_stop();
  const auto made = make_claims(run.task, run.options, run.baseline, run.archive, run.evaluator, *run.store, run.sink,
                                stop.get_token());
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Error::Code::cancelled);
  CHECK(run.store->claims()->empty());
}
