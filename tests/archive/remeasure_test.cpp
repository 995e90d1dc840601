/// Which elite is measured again.

#include "archive/remeasure.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "archive/grid_archive.hpp"

using namespace aiopt;

namespace {

std::shared_ptr<const Evaluation> with_pairs(std::size_t pairs) {
  Evaluation evaluation;
  evaluation.benchmark = BenchmarkResult{std::vector<BenchmarkRun>(pairs), std::vector<BenchmarkRun>(pairs)};
  return std::make_shared<const Evaluation>(std::move(evaluation));
}

struct ElitesRow {
  double objective;
  std::size_t pairs;
};

/// Candidates 1, 2, 3, ..., each in a cell of its own, the last in the first cell.
std::unique_ptr<Archive> archive_of(const std::vector<ElitesRow>& rows) {
  Axis axis;
  axis.measure = "place";
  axis.cells = 20;
  axis.upper = 20.0;
  auto archive = make_grid_archive({axis}, 2);
  std::uint64_t id = 0;
  for (const ElitesRow& row : rows) {
    auto candidate = std::make_shared<Candidate>();
    candidate->id = CandidateId{++id};
    const double place = 20.5 - static_cast<double>(id);
    archive->add({std::move(candidate), with_pairs(row.pairs), {row.objective, {place}}});
  }
  return archive;
}

std::uint64_t next_of(const Archive& archive, const RemeasureRule& rule = {},
                      const std::vector<CandidateId>& under_way = {}) {
  return to_number(next_to_remeasure(archive, rule, under_way).value_or(CandidateId{0}));
}

}  // namespace

TEST_CASE("one evaluation in `every` is for an elite, by the count alone") {
  RemeasureRule rule;
  rule.every = 4;
  std::string turns;
  for (std::uint64_t asked = 0; asked < 12; ++asked) turns += is_remeasure_turn(rule, asked) ? 'x' : '.';
  CHECK(turns == "...x...x...x");
  rule.every = 0;
  CHECK_FALSE(is_remeasure_turn(rule, 3));
}

TEST_CASE("the elite with the highest objective on the fewest pairs is measured next") {
  CHECK(next_of(*archive_of({{1.1, 3}, {1.4, 3}, {1.2, 3}})) == 2);
  // 1 x 7, 2 x 3, 3 x 3
  CHECK(next_of(*archive_of({{1.1, 3}, {1.4, 7}, {1.2, 3}})) == 3);
  // 1 x 6 and 2 x 3: of equals the better one.
  CHECK(next_of(*archive_of({{1.1, 3}, {1.4, 6}, {1.2, 3}})) == 2);
  // Equal in both: the one in the first cell, which here came last.
  CHECK(next_of(*archive_of({{1.4, 3}, {1.4, 3}})) == 2);
}

TEST_CASE("what has no pairs, has enough of them or is being measured is left out") {
  CHECK(next_of(*archive_of({{1.4, 0}, {1.2, 3}})) == 2);
  RemeasureRule rule;
  rule.most_pairs = 12;
  CHECK(next_of(*archive_of({{1.4, 12}, {1.2, 11}}), rule) == 2);
  CHECK(next_of(*archive_of({{1.4, 12}, {1.2, 12}}), rule) == 0);
  const auto archive = archive_of({{1.4, 3}, {1.2, 3}, {1.1, 3}});
  CHECK(next_of(*archive, {}, {CandidateId{1}}) == 2);
  CHECK(next_of(*archive, {}, {CandidateId{1}, CandidateId{2}, CandidateId{3}}) == 0);
  CHECK(next_of(*archive_of({})) == 0);
}

TEST_CASE("only the elite of a cell is measured again, not who shares it") {
  const auto archive = archive_of({{1.2, 12}});
  auto candidate = std::make_shared<Candidate>();
  candidate->id = CandidateId{7};
  REQUIRE(archive->add({std::move(candidate), with_pairs(3), {1.3, {19.5}, 0.2}}).status == AddStatus::shares_cell);
  CHECK(next_of(*archive) == 1);
}

TEST_CASE("pairs come to be shared out as 1 / rank, and stop at the most") {
  auto archive = archive_of({{1.4, 1}, {1.3, 1}, {1.2, 1}, {1.1, 1}});
  std::map<std::uint64_t, std::size_t> pairs = {{1, 1}, {2, 1}, {3, 1}, {4, 1}};
  const auto measure = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const std::uint64_t id = next_of(*archive);
      if (id == 0) return;
      archive->update(CandidateId{id}, with_pairs(++pairs[id]), archive->find(CandidateId{id})->fitness);
    }
  };
  measure(21);
  CHECK(pairs == std::map<std::uint64_t, std::size_t>{{1, 12}, {2, 6}, {3, 4}, {4, 3}});
  measure(1000);
  CHECK(pairs == std::map<std::uint64_t, std::size_t>{{1, 24}, {2, 24}, {3, 24}, {4, 24}});
}
