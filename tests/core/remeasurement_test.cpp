/// An elite that is measured again: its pairs, and what the archive makes of them.

#include "core/remeasurement.hpp"

#include <doctest/doctest.h>

#include "archive/grid_archive.hpp"

using namespace aiopt;

namespace {

BenchmarkResult pairs_of(std::size_t pairs, double throughput, double ratio) {
  BenchmarkResult result;
  for (std::size_t i = 0; i < pairs; ++i) {
    result.candidate.emplace_back().throughput_ops_sec = throughput;
    result.baseline.emplace_back().throughput_ops_sec = 100.0;
  }
  result.estimate.emplace().ratio = ratio;
  return result;
}

Elite elite(std::uint64_t id, double objective, double place) {
  Candidate candidate;
  candidate.id = CandidateId{id};
  candidate.tree_sha256 = std::to_string(id);
  Evaluation evaluation;
  evaluation.id = candidate.id;
  evaluation.benchmark = pairs_of(3, 150.0, 1.5);
  return {std::make_shared<const Candidate>(std::move(candidate)),
          std::make_shared<const Evaluation>(std::move(evaluation)),
          {objective, {place}}};
}

std::unique_ptr<Archive> archive_of_two() {
  Axis axis;
  axis.measure = "place";
  auto archive = make_grid_archive({axis}, 2);
  archive->add(elite(1, 1.5, 0.05));
  archive->add(elite(2, 1.4, 0.05));
  return archive;
}

Evaluation again(std::size_t pairs, double throughput) {
  Evaluation evaluation;
  evaluation.id = CandidateId{9};
  evaluation.benchmark = pairs_of(pairs, throughput, 1.2);
  return evaluation;
}

}  // namespace

TEST_CASE("new pairs go behind the earlier ones, and the estimate is theirs") {
  BenchmarkResult all = pairs_of(3, 150.0, 1.5);
  append_pairs(all, pairs_of(2, 110.0, 1.2));
  REQUIRE(all.candidate.size() == 5);
  REQUIRE(all.baseline.size() == 5);
  CHECK(all.candidate[2].throughput_ops_sec == 150.0);
  CHECK(all.candidate[3].throughput_ops_sec == 110.0);
  CHECK(all.estimate->ratio == 1.2);
}

TEST_CASE("an elite that does not pass when it is measured again is known for it") {
  const auto archive = archive_of_two();
  Evaluation held = again(4, 300.0);
  held.status = EvaluationStatus::quarantined;
  held.reason = "look first";
  REQUIRE(update_elite(*archive, CandidateId{1}, held, {0.0, {0.05}}));
  CHECK(archive->find(CandidateId{1})->evaluation->status == EvaluationStatus::quarantined);
  CHECK(archive->find(CandidateId{1})->evaluation->reason == "look first");
  CHECK(archive->best()->candidate->id == CandidateId{2});
}

TEST_CASE("an elite that was measured again has all its pairs, and falls behind who is better by now") {
  const auto archive = archive_of_two();
  REQUIRE(archive->best()->candidate->id == CandidateId{1});
  const auto kept = archive->best()->evaluation;
  REQUIRE(update_elite(*archive, CandidateId{1}, again(4, 110.0), {1.1, {0.05}}));
  const Elite* fallen = archive->find(CandidateId{1});
  REQUIRE(fallen != nullptr);
  CHECK(fallen->evaluation->benchmark->baseline.size() == 7);
  CHECK(fallen->evaluation->status == EvaluationStatus::passed);
  CHECK(fallen->evaluation->benchmark->speedup() == 1.2);
  CHECK(fallen->evaluation->id == CandidateId{1});
  CHECK(fallen->fitness.objective == 1.1);
  CHECK(archive->best()->candidate->id == CandidateId{2});
  CHECK(kept->benchmark->baseline.size() == 3);  // Who holds the earlier figures keeps them.
}

TEST_CASE("an elite that failed when it was measured again keeps its pairs and leaves its place") {
  const auto archive = archive_of_two();
  Evaluation failed;
  failed.status = EvaluationStatus::tests_failed;
  REQUIRE(update_elite(*archive, CandidateId{1}, failed, {0.0, {0.05}}));
  CHECK(archive->find(CandidateId{1})->evaluation->benchmark->baseline.size() == 3);
  CHECK(archive->best()->candidate->id == CandidateId{2});
}

TEST_CASE("who was driven out meanwhile is not brought back") {
  const auto archive = archive_of_two();
  CHECK_FALSE(update_elite(*archive, CandidateId{7}, again(3, 200.0), {9.0, {0.05}}));
  CHECK(archive->residents().size() == 2);
}
