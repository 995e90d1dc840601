/// run.db, written and read back.

#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include "base/files.hpp"
#include "store/run_store.hpp"
#include "stored_examples.hpp"

using namespace aiopt;
namespace fs = std::filesystem;

namespace {

using Access = RunStore::Access;

std::unique_ptr<RunStore> new_store(const fs::path& folder) {
  auto store = RunStore::create(folder, example_header(), kExampleAxes);
  if (!store) FAIL(store.error().message);
  return std::move(*store);
}

std::unique_ptr<RunStore> opened(const fs::path& folder, Access access) {
  auto store = RunStore::open(folder, access);
  if (!store) FAIL(store.error().message);
  return std::move(*store);
}

Result<void> commit(RunStore& store, const StoredEvaluation& stored, const std::vector<StoredAsk>& asks = {}) {
  return commit_one(store, stored, asks);
}

std::vector<StoredEvaluation> all(const RunStore& store) {
  std::vector<StoredEvaluation> evaluations;
  const auto done = store.each_evaluation([&](StoredEvaluation stored) -> Result<void> {
    evaluations.push_back(std::move(stored));
    return {};
  });
  if (!done) FAIL(done.error().message);
  return evaluations;
}

}  // namespace

TEST_CASE("a run's header and axes are there again after it was closed") {
  const TemporaryFolder folder;
  new_store(folder.path() / "a" / "run");
  const auto store = opened(folder.path() / "a" / "run", Access::read_only);
  const RunHeader header = example_header();
  CHECK(store->header().task_yaml == header.task_yaml);
  CHECK(store->header().task_file == header.task_file);
  CHECK(store->header().options_json == header.options_json);
  CHECK(store->header().baseline_sha256 == header.baseline_sha256);
  CHECK(store->header().aiopt_version == header.aiopt_version);
  CHECK(store->header().started_at == header.started_at);
  REQUIRE(store->axes().size() == 2);
  CHECK(store->axes()[0].measure == "offcpu_ratio");
  CHECK(store->axes()[0].cells == 10);
  CHECK(store->axes()[0].upper == 1.0);
  CHECK(store->axes()[1].kind == Axis::Kind::category);
  CHECK_FALSE(*store->rng());
  CHECK(store->claims()->empty());
}

TEST_CASE("an evaluation comes back with every field") {
  const TemporaryFolder folder;
  auto store = new_store(folder.path());
  std::vector<StoredEvaluation> written = {example_baseline(), example_evaluation(1)};

  StoredEvaluation rejected = example_evaluation(2, 1);
  rejected.exact.reset();
  rejected.tree_sha256.clear();
  rejected.fitness.reset();
  rejected.added.reset();
  rejected.evaluation.status = EvaluationStatus::patch_rejected;
  rejected.evaluation.reason = "SEARCH matched nothing\n" + example_text(2000, 9);
  rejected.evaluation.benchmark.reset();
  rejected.evaluation.stages.resize(1);
  written.push_back(rejected);

  StoredEvaluation no_reply = example_evaluation(3, 1);
  no_reply.proposal.patch.reset();
  no_reply.proposal.reason = "the endpoint answered 500 four times";
  no_reply.proposal.reply = std::string("\0\xFF", 2);
  no_reply.exact.reset();
  no_reply.evaluation.status = EvaluationStatus::no_reply;
  no_reply.evaluation.stages.clear();
  no_reply.fitness.reset();
  no_reply.added.reset();
  written.push_back(no_reply);

  StoredEvaluation pooled = example_evaluation(4, 1);  // The patch is asked for, and applies as it is.
  pooled.proposal.ask.change = *pooled.proposal.patch;
  pooled.exact = pooled.proposal.patch;
  pooled.proposal.prompt.clear();
  pooled.proposal.reply.clear();
  pooled.evaluation.reused_from = CandidateId{1};
  pooled.evaluation.stages[1].status = StageStatus::timed_out;
  pooled.evaluation.stages[1].exit_code = 124;
  pooled.evaluation.stages[1].output = std::string(300, '\0') + "\xFF";
  written.push_back(pooled);

  for (const StoredEvaluation& stored : written) {
    const auto done = commit(*store, stored);
    CAPTURE((done ? "" : done.error().message));
    REQUIRE(done);
  }
  store.reset();

  store = opened(folder.path(), Access::read_only);
  const auto light = all(*store);
  REQUIRE(light.size() == written.size());
  for (std::size_t i = 0; i < written.size(); ++i) {
    const auto whole = store->evaluation(written[i].proposal.id);
    CAPTURE((whole ? "" : whole.error().message));
    REQUIRE(whole);
    CHECK(every_field(*whole) == every_field(written[i]));
    CHECK(every_field(light[i]) == every_field(written[i], false));
  }
  CHECK(*store->rng() == Rng::State{1, 2, 3, 4});
}

TEST_CASE("asks are kept in the order asked, told or not, and an evaluation has its own") {
  const TemporaryFolder folder;
  auto store = new_store(folder.path());
  StoredEvaluation second = example_evaluation(2);
  second.told = 1;
  StoredAsk large = ask_of(example_evaluation(3));
  large.ask_json = R"({"parent": 0, "note": ")" + std::string(5000, 'x') + "\"}";
  REQUIRE(commit(*store, example_baseline(), {ask_of(example_evaluation(1)), ask_of(second)}));
  REQUIRE(commit(*store, second, {large}));
  store.reset();

  store = opened(folder.path(), Access::read_write);
  const auto asks = store->asks();
  REQUIRE(asks);
  REQUIRE(asks->size() == 3);
  CHECK((*asks)[0].id == CandidateId{1});
  CHECK((*asks)[0].emitter == "llm");
  CHECK((*asks)[0].ask_json == ask_to_json(example_evaluation(1).proposal.ask));
  CHECK((*asks)[1].id == CandidateId{2});
  CHECK((*asks)[2].ask_json == large.ask_json);
  CHECK(every_field(*store->evaluation(CandidateId{2})) == every_field(second));
}

TEST_CASE("the claims are there again in their order, and later ones take their place") {
  const TemporaryFolder folder;
  auto store = new_store(folder.path());
  const StoredClaim first{CandidateId{3}, {{example_run(5.0)}, {example_run(4.0)}, {}}, {}, {}};
  REQUIRE(store->commit_claims({&first, 1}));
  const BenchmarkResult holdout{{example_run(2.0)}, {example_run(1.0)}, SpeedupEstimate{2.0, 1.5, 2.5, 0.95, 0.25}};
  const BenchmarkResult against_parent{{example_run(3.0)}, {example_run(3.0)}, {}};
  const std::vector<StoredClaim> later = {
      {CandidateId{9}, {{example_run(7.0)}, {example_run(6.0)}, {}}, holdout, against_parent},
      {CandidateId{4}, {{example_run(6.5)}, {example_run(6.0)}, {}}, {}, {}}};
  REQUIRE(store->commit_claims(later));
  const auto claims = store->claims();
  REQUIRE(claims);
  REQUIRE(claims->size() == 2);
  CHECK((*claims)[0].id == CandidateId{9});
  CHECK((*claims)[0].benchmark.candidate.at(0).throughput_ops_sec == 7.0);
  CHECK((*claims)[0].benchmark.baseline.at(0).throughput_ops_sec == 6.0);
  REQUIRE((*claims)[0].holdout);
  CHECK((*claims)[0].holdout->estimate == holdout.estimate);
  REQUIRE((*claims)[0].against_parent);
  CHECK((*claims)[0].against_parent->candidate.at(0).throughput_ops_sec == 3.0);
  CHECK((*claims)[1].id == CandidateId{4});
  CHECK_FALSE((*claims)[1].holdout);
}

TEST_CASE("what was seen of the host is there again in the order added") {
  const TemporaryFolder folder;
  auto store = new_store(folder.path());
  CHECK(store->observations()->empty());
  REQUIRE(store->add_observation({StoredObservation::Kind::noise_floor, 7, 12.5, R"({"ratios": [1.0]})"}));
  REQUIRE(store->add_observation({StoredObservation::Kind::fingerprint, 9, 13.5, "{}"}));
  const auto observations = store->observations();
  REQUIRE(observations);
  REQUIRE(observations->size() == 2);
  CHECK((*observations)[0].kind == StoredObservation::Kind::noise_floor);
  CHECK((*observations)[0].told == 7);
  CHECK((*observations)[0].run_seconds == 12.5);
  CHECK((*observations)[0].content == R"({"ratios": [1.0]})");
  CHECK((*observations)[1].kind == StoredObservation::Kind::fingerprint);
}

TEST_CASE("a lineage leads from the baseline to the candidate by exact patches") {
  const TemporaryFolder folder;
  auto store = new_store(folder.path());
  REQUIRE(commit(*store, example_baseline()));
  REQUIRE(commit(*store, example_evaluation(1)));
  REQUIRE(commit(*store, example_evaluation(2)));
  REQUIRE(commit(*store, example_evaluation(3, 1)));
  StoredEvaluation rejected = example_evaluation(4, 3);
  rejected.exact.reset();
  REQUIRE(commit(*store, rejected));
  const auto lineage = store->lineage(CandidateId{3});
  REQUIRE(lineage);
  CHECK(*lineage == std::vector<Patch>{*example_evaluation(1).exact, *example_evaluation(3).exact});
  CHECK(store->lineage(kBaselineId)->empty());
  CHECK(store->lineage(CandidateId{4}).error().message.find("its patch was rejected") != std::string::npos);
  CHECK(store->lineage(CandidateId{99}).error().code == Error::Code::not_found);
}

TEST_CASE("a candidate that is not there is not found, with how many there are") {
  const TemporaryFolder folder;
  auto store = new_store(folder.path());
  fill(*store, 3);
  const auto found = store->evaluation(CandidateId{7});
  REQUIRE_FALSE(found);
  CHECK(found.error().code == Error::Code::not_found);
  CHECK(found.error().message.find("holds no candidate 7; it holds 4 evaluations") != std::string::npos);
  CHECK_FALSE(store->evaluation(CandidateId{std::numeric_limits<std::uint64_t>::max()}));
}

TEST_CASE("what is told at one time is committed as one: all of it or nothing") {
  const TemporaryFolder folder;
  const auto store = new_store(folder.path());
  REQUIRE(commit(*store, example_baseline()));
  const std::vector<StoredEvaluation> with_a_gap = {example_evaluation(1), example_evaluation(3)};
  CHECK_FALSE(store->commit(with_a_gap, {}, {1, 2, 3, 4}));
  CHECK_FALSE(store->evaluation(CandidateId{1}));
  const std::vector<StoredEvaluation> three = {example_evaluation(1), example_evaluation(2), example_evaluation(3)};
  REQUIRE(store->commit(three, {}, {5, 6, 7, 8}));
  CHECK(store->evaluation(CandidateId{3}));
  CHECK(**store->rng() == Rng::State{5, 6, 7, 8});
  REQUIRE(commit(*store, example_evaluation(4)));
}

TEST_CASE("an evaluation is committed once, in the order told, and a refused commit leaves nothing") {
  const TemporaryFolder folder;
  auto store = new_store(folder.path());
  CHECK_FALSE(commit(*store, example_evaluation(1)));  // The baseline is first.
  REQUIRE(commit(*store, example_baseline()));
  CHECK_FALSE(commit(*store, example_baseline()));
  REQUIRE(commit(*store, example_evaluation(1)));
  CHECK_FALSE(commit(*store, example_evaluation(1)));
  CHECK_FALSE(commit(*store, example_evaluation(3)));

  StoredEvaluation same_id = example_evaluation(1);
  same_id.told = 2;
  const std::vector<StoredAsk> asks = {ask_of(example_evaluation(5))};
  const auto done = commit_one(*store, same_id, asks, {9, 9, 9, 9});
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Error::Code::invalid_argument);
  CHECK(store->asks()->empty());
  CHECK(*store->rng() == Rng::State{1, 2, 3, 4});
  REQUIRE(commit(*store, example_evaluation(2)));
  CHECK(all(*store).size() == 3);
}

TEST_CASE("what could not be read back is not written") {
  const TemporaryFolder folder;
  auto store = new_store(folder.path());
  REQUIRE(commit(*store, example_baseline()));
  const auto refused = [&](auto change) {
    StoredEvaluation stored = example_evaluation(1);
    change(stored);
    const auto done = commit(*store, stored);
    return !done && done.error().code == Error::Code::invalid_argument;
  };
  static constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  CHECK(refused([](auto& stored) { stored.fitness->objective = kNan; }));
  CHECK(refused([](auto& stored) { stored.fitness->measures[0] = kNan; }));
  CHECK(refused([](auto& stored) { stored.fitness->measures[0] = std::string("x"); }));
  CHECK(refused([](auto& stored) { stored.fitness->measures.pop_back(); }));
  CHECK(refused([](auto& stored) { stored.added->improvement = kNan; }));
  CHECK(refused([](auto& stored) { stored.run_seconds = kNan; }));
  CHECK(refused([](auto& stored) { stored.proposal.ask.parent = CandidateId{1}; }));
  CHECK(refused([](auto& stored) { stored.proposal.emitter = std::string("a\0b", 3); }));
  CHECK(refused([](auto& stored) { stored.evaluation.id = CandidateId{2}; }));
  CHECK(refused([](auto& stored) { stored.evaluation.stages.resize(64); }));
  CHECK(refused([](auto& stored) { stored.exact->edits.resize(200'000); }));
  CHECK(commit(*store, example_evaluation(1)));
}

TEST_CASE("a flood from a model does not stop the run: its patch is left out, its counts are cut") {
  const TemporaryFolder folder;
  auto store = new_store(folder.path());
  REQUIRE(commit(*store, example_baseline()));
  StoredEvaluation flood = example_evaluation(1);
  flood.exact.reset();
  flood.proposal.patch->edits.resize(200'000);
  flood.proposal.reply = std::string(70u << 20, 'x');
  flood.proposal.usage.completion_tokens = std::numeric_limits<std::uint64_t>::max();
  const auto done = commit(*store, flood);
  CAPTURE((done ? "" : done.error().message));
  REQUIRE(done);
  const auto back = store->evaluation(CandidateId{1});
  REQUIRE(back);
  CHECK_FALSE(back->proposal.patch);
  CHECK(back->proposal.reply.size() <= (64u << 20));
  CHECK(back->proposal.usage.completion_tokens == static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
}

TEST_CASE("a visit that fails ends the walk with its error, and the store can be used on") {
  const TemporaryFolder folder;
  auto store = new_store(folder.path());
  fill(*store, 5);
  int visits = 0;
  const auto done = store->each_evaluation([&](const StoredEvaluation&) -> Result<void> {
    if (++visits == 3) return Error{Error::Code::cancelled, "enough"};
    return {};
  });
  REQUIRE_FALSE(done);
  CHECK(done.error().message == "enough");
  CHECK(visits == 3);
  CHECK(all(*store).size() == 6);
  CHECK(commit(*store, example_evaluation(6)));
}

TEST_CASE("a folder that holds a run is not taken for another, unless that has no evaluation yet") {
  const TemporaryFolder folder;
  new_store(folder.path());
  auto store = new_store(folder.path());
  REQUIRE(commit(*store, example_baseline()));
  store.reset();
  const auto again = RunStore::create(folder.path(), example_header(), kExampleAxes);
  REQUIRE_FALSE(again);
  CHECK(again.error().message.find("holds a run already (1 evaluations); `aiopt resume` goes on with it") !=
        std::string::npos);
  CHECK(all(*opened(folder.path(), Access::read_only)).size() == 1);
}

TEST_CASE("what a killed create() left is taken over") {
  const TemporaryFolder folder;
  REQUIRE(write_file_atomic(folder.path() / "run.db.new", "half a file"));
  REQUIRE(write_file_atomic(folder.path() / "run.db.new-journal", "half a journal"));
  REQUIRE(write_file_atomic(folder.path() / "run.db.lock", "999999999\n"));
  auto store = new_store(folder.path());
  CHECK(commit(*store, example_baseline()));
  CHECK_FALSE(fs::exists(folder.path() / "run.db.new"));
  CHECK_FALSE(fs::exists(folder.path() / "run.db.new-journal"));
}

TEST_CASE("a closed run is one file") {
  const TemporaryFolder folder;
  auto store = new_store(folder.path());
  fill(*store, 3);
  opened(folder.path(), Access::read_only);
  store.reset();
  opened(folder.path(), Access::read_only);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path())) names.push_back(entry.path().filename());
  CHECK(names == std::vector<std::string>{"run.db"});
}

TEST_CASE("a run has one writer, which the second one is told, and any number of readers") {
  const TemporaryFolder folder;
  auto writer = new_store(folder.path());
  fill(*writer, 2);
  const auto second = RunStore::open(folder.path(), Access::read_write);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Error::Code::unavailable);
  CHECK(second.error().message.find(fmt::format("process {} is writing to it", getpid())) != std::string::npos);
  CHECK_FALSE(RunStore::create(folder.path(), example_header(), kExampleAxes));

  const auto reader = opened(folder.path(), Access::read_only);
  CHECK(all(*reader).size() == 3);
  const auto done = reader->each_evaluation([&](const StoredEvaluation& stored) -> Result<void> {
    if (stored.told == 0) return commit(*writer, example_evaluation(3));  // The writer goes on while one reads.
    return {};
  });
  CHECK(done);
  CHECK(all(*reader).size() == 4);
  CHECK_FALSE(commit(*reader, example_evaluation(4)));
  writer.reset();
  CHECK(opened(folder.path(), Access::read_write));
}
