/// GridArchive: pyribs' rules, and a slow archive of another make that must agree with it.

#include "archive/grid_archive.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>

#include <aiopt/rng.hpp>

using namespace aiopt;

namespace {

Elite make_elite(std::uint64_t id, double objective, std::vector<Measure> measures) {
  auto candidate = std::make_shared<Candidate>();
  candidate->id = CandidateId{id};
  return {std::move(candidate), std::make_shared<Evaluation>(), {objective, std::move(measures)}};
}

Axis linear_axis(int cells, double lower = 0.0, double upper = 1.0) {
  return {"offcpu_ratio", Axis::Kind::linear, cells, lower, upper};
}

Axis category_axis(int cells) {
  return {"function", Axis::Kind::category, cells, 0.0, 1.0};
}

std::size_t cell_of(const Axis& axis, double measure) {
  return make_grid_archive({axis})->add(make_elite(1, 1.0, {measure})).cell;
}

std::uint64_t id_of(const Elite* elite) {
  return to_number(elite->candidate->id);
}

/// The rules once more, with a list that is searched from the front and no state beside it.
class SlowArchive {
 public:
  explicit SlowArchive(std::vector<Axis> axes) : axes_(std::move(axes)), names_(axes_.size()) {}

  AddResult add(const Elite& elite) {
    const std::size_t cell = cell_of(elite.fitness.measures);
    for (auto& [where, incumbent] : elites_) {
      if (where != cell) continue;
      const double improvement = elite.fitness.objective - incumbent.fitness.objective;
      if (elite.fitness.objective <= incumbent.fitness.objective) return {AddStatus::not_added, cell, improvement};
      incumbent = elite;
      return {AddStatus::improve_existing, cell, improvement};
    }
    elites_.emplace_back(cell, elite);
    return {AddStatus::new_cell, cell, elite.fitness.objective};
  }

  std::vector<std::uint64_t> ids_by_cell() const {
    std::map<std::size_t, std::uint64_t> ids;
    for (const auto& [cell, elite] : elites_) ids[cell] = to_number(elite.candidate->id);
    std::vector<std::uint64_t> in_order;
    for (const auto& [cell, id] : ids) in_order.push_back(id);
    return in_order;
  }

  double qd_score() const {
    double sum = 0.0;
    for (const auto& [cell, elite] : elites_) sum += elite.fitness.objective;
    return sum;
  }

  double objective_max() const {
    double max = -std::numeric_limits<double>::infinity();
    for (const auto& [cell, elite] : elites_) max = std::max(max, elite.fitness.objective);
    return max;
  }

 private:
  std::size_t cell_of(const std::vector<Measure>& measures) {
    std::size_t cell = 0;
    for (std::size_t i = 0; i < axes_.size(); ++i) {
      long index = 0;
      if (const auto* name = std::get_if<std::string>(&measures[i])) {
        auto& names = names_[i];
        if (std::find(names.begin(), names.end(), *name) == names.end()) names.push_back(*name);
        index = std::find(names.begin(), names.end(), *name) - names.begin();
      } else {
        const double measure = std::get<double>(measures[i]);
        index =
            static_cast<long>((axes_[i].cells * (measure - axes_[i].lower) + 1e-6) / (axes_[i].upper - axes_[i].lower));
      }
      index = std::max(0L, std::min(index, axes_[i].cells - 1L));
      cell = cell * static_cast<std::size_t>(axes_[i].cells) + static_cast<std::size_t>(index);
    }
    return cell;
  }

  std::vector<Axis> axes_;
  std::vector<std::vector<std::string>> names_;
  std::vector<std::pair<std::size_t, Elite>> elites_;
};

}  // namespace

TEST_CASE("a tie keeps the elite that is already in the cell") {
  const auto archive = make_grid_archive({linear_axis(10)});
  CHECK(archive->add(make_elite(1, 5.0, {0.32})).status == AddStatus::new_cell);
  const AddResult tie = archive->add(make_elite(2, 5.0, {0.38}));
  CHECK(tie.status == AddStatus::not_added);
  CHECK(tie.improvement == 0.0);
  CHECK(id_of(archive->at(3)) == 1);
  CHECK(archive->find(CandidateId{2}) == nullptr);
}

TEST_CASE("a strictly better candidate takes the cell, a worse one does not") {
  const auto archive = make_grid_archive({linear_axis(10)});
  archive->add(make_elite(1, 5.0, {0.32}));
  const AddResult worse = archive->add(make_elite(2, 3.0, {0.32}));
  CHECK(worse.status == AddStatus::not_added);
  CHECK(worse.improvement == -2.0);
  const AddResult better = archive->add(make_elite(3, 5.5, {0.32}));
  CHECK(better.status == AddStatus::improve_existing);
  CHECK(better.improvement == 0.5);
  CHECK(id_of(archive->at(3)) == 3);
  CHECK(archive->find(CandidateId{1}) == nullptr);
  CHECK(archive->find(CandidateId{3}) == archive->at(3));
  CHECK(archive->stats().qd_score == 5.5);
}

TEST_CASE("the cell index is pyribs', its epsilon before the division included") {
  CHECK(cell_of(linear_axis(10), 0.0) == 0);
  CHECK(cell_of(linear_axis(10), 0.3) == 3);
  CHECK(cell_of(linear_axis(10), 0.1 + 0.2) == 3);
  // 10 * 0.29999995 + 1e-6 = 3.0000005
  CHECK(cell_of(linear_axis(10), 0.29999995) == 3);
  CHECK(cell_of(linear_axis(10), 0.2999998) == 2);
  // Over [0, 100] the epsilon shrinks with the interval: (10 * 29.999995 + 1e-6) / 100 = 2.99999951
  CHECK(cell_of(linear_axis(10, 0, 100), 29.999995) == 2);
  CHECK(cell_of(linear_axis(10, 0, 100), 29.99999995) == 3);
  CHECK(cell_of(linear_axis(4, -2, 2), -0.5) == 1);
}

TEST_CASE("a measure beyond the axis falls in its edge cell, however far out it lies") {
  CHECK(cell_of(linear_axis(10), 1.0) == 9);
  CHECK(cell_of(linear_axis(10), 1.7) == 9);
  CHECK(cell_of(linear_axis(10), -0.3) == 0);
  CHECK(cell_of(linear_axis(10), 1e300) == 9);
  CHECK(cell_of(linear_axis(10), -1e300) == 0);
  CHECK(cell_of(linear_axis(10), std::numeric_limits<double>::max()) == 9);
}

TEST_CASE("the first axis is the most significant in a cell's number") {
  const auto archive = make_grid_archive({linear_axis(10), linear_axis(4), category_axis(3)});
  CHECK(archive->add(make_elite(1, 1.0, {0.35, 0.6, "f"})).cell == (3 * 4 + 2) * 3 + 0);
  CHECK(archive->add(make_elite(2, 1.0, {0.35, 0.6, "g"})).cell == (3 * 4 + 2) * 3 + 1);
}

TEST_CASE("categories get cells in the order in which they first appear, and late ones share the last") {
  const auto archive = make_grid_archive({category_axis(3)});
  CHECK(archive->add(make_elite(1, 1.0, {"Wal::append"})).cell == 0);
  CHECK(archive->add(make_elite(2, 1.0, {"crc32"})).cell == 1);
  CHECK(archive->add(make_elite(3, 1.0, {"Wal::append"})).cell == 0);
  CHECK(archive->add(make_elite(4, 1.0, {"Arena::new_node"})).cell == 2);
  CHECK(archive->describe(2) == "function Arena::new_node");
  CHECK(archive->add(make_elite(5, 2.0, {"main"})).cell == 2);
  CHECK(archive->add(make_elite(6, 3.0, {"get"})).cell == 2);
  CHECK(archive->add(make_elite(7, 4.0, {"crc32"})).cell == 1);
  CHECK(archive->describe(2) == "function Arena::new_node or another");
  CHECK(id_of(archive->at(2)) == 6);
}

TEST_CASE("a cell is described in words") {
  const auto archive = make_grid_archive({linear_axis(10), category_axis(2)});
  const AddResult added = archive->add(make_elite(1, 1.0, {0.31, "Wal::append"}));
  CHECK(archive->describe(added.cell) == "offcpu_ratio 0.3-0.4, function Wal::append");
  CHECK(archive->describe(added.cell + 1) == "offcpu_ratio 0.3-0.4, function (none yet)");
  CHECK_THROWS_AS(archive->describe(20), std::out_of_range);
  CHECK(make_grid_archive({linear_axis(4, -2, 2)})->describe(0) == "offcpu_ratio -2 to -1");
}

TEST_CASE("what cannot be placed is refused and leaves the archive as it was") {
  const auto archive = make_grid_archive({linear_axis(10), category_axis(1)});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(archive->add(make_elite(1, nan, {0.5, "f"})), std::invalid_argument);
  CHECK_THROWS_AS(archive->add(make_elite(1, infinity, {0.5, "f"})), std::invalid_argument);
  CHECK_THROWS_AS(archive->add(make_elite(1, 1.0, {nan, "f"})), std::invalid_argument);
  CHECK_THROWS_AS(archive->add(make_elite(1, 1.0, {-infinity, "f"})), std::invalid_argument);
  CHECK_THROWS_AS(archive->add(make_elite(1, 1.0, {0.5})), std::invalid_argument);
  CHECK_THROWS_AS(archive->add(make_elite(1, 1.0, {0.5, "f", 0.5})), std::invalid_argument);
  CHECK_THROWS_AS(archive->add(make_elite(1, 1.0, {"f", 0.5})), std::invalid_argument);
  CHECK_THROWS_AS(archive->add(make_elite(1, 1.0, {0.5, 0.5})), std::invalid_argument);
  CHECK_THROWS_AS(archive->add(Elite{nullptr, std::make_shared<Evaluation>(), {1.0, {0.5, "f"}}}),
                  std::invalid_argument);
  CHECK(archive->elites().empty());
  CHECK(archive->best() == nullptr);
  CHECK_FALSE(archive->stats().objective_max);
  // None of them took the only category's cell.
  archive->add(make_elite(2, 1.0, {0.5, "g"}));
  CHECK(archive->describe(5) == "offcpu_ratio 0.5-0.6, function g");
}

TEST_CASE("axes that make no grid are refused") {
  const double max = std::numeric_limits<double>::max();
  CHECK_THROWS_AS(make_grid_archive({linear_axis(0)}), std::invalid_argument);
  CHECK_THROWS_AS(make_grid_archive({category_axis(-1)}), std::invalid_argument);
  CHECK_THROWS_AS(make_grid_archive({linear_axis(10, 1.0, 1.0)}), std::invalid_argument);
  CHECK_THROWS_AS(make_grid_archive({linear_axis(10, 2.0, 1.0)}), std::invalid_argument);
  CHECK_THROWS_AS(make_grid_archive({linear_axis(10, std::nan(""), 1.0)}), std::invalid_argument);
  CHECK_THROWS_AS(make_grid_archive({linear_axis(10, -max, max)}), std::invalid_argument);
  const Axis huge = linear_axis(std::numeric_limits<int>::max());
  CHECK_THROWS_AS(make_grid_archive({huge, huge, huge}), std::invalid_argument);
  CHECK_NOTHROW(make_grid_archive({huge, huge}));
}

TEST_CASE("of equally good elites the first to get there is the best") {
  const auto archive = make_grid_archive({linear_axis(10)});
  archive->add(make_elite(1, 2.0, {0.9}));
  archive->add(make_elite(2, 2.0, {0.1}));
  CHECK(id_of(archive->best()) == 1);
  archive->add(make_elite(3, 3.0, {0.1}));
  CHECK(id_of(archive->best()) == 3);
}

TEST_CASE("20,000 random adds agree with an archive of another make, stats after each of them") {
  const std::vector<Axis> axes = {linear_axis(25, -1.0, 3.0), category_axis(12), linear_axis(4)};
  const auto archive = make_grid_archive(axes);
  SlowArchive slow(axes);
  Rng rng(20221122);
  for (std::uint64_t id = 1; id <= 20'000; ++id) {
    // Coarse objectives make ties; measures reach beyond both ends and lie on the cells' bounds at times.
    const double objective = static_cast<double>(rng.index(4'000)) / 16.0 - 50.0;
    const double measure = id % 7 == 0 ? -1.0 + 0.16 * static_cast<double>(rng.index(26)) : rng.uniform() * 6.0 - 2.0;
    const std::string function = "f" + std::to_string(rng.index(1 + id / 500));
    const Elite elite = make_elite(id, objective, {measure, function, rng.uniform() * rng.uniform()});
    const AddResult expected = slow.add(elite);
    const AddResult actual = archive->add(elite);
    REQUIRE(actual.status == expected.status);
    REQUIRE(actual.cell == expected.cell);
    REQUIRE(actual.improvement == expected.improvement);
    const ArchiveStats stats = archive->stats();
    REQUIRE(stats.objective_max == archive->best()->fitness.objective);
    if (id % 500 != 0) continue;
    std::vector<std::uint64_t> ids;
    for (const Elite* listed : archive->elites()) ids.push_back(id_of(listed));
    REQUIRE(ids == slow.ids_by_cell());
    REQUIRE(stats.num_elites == ids.size());
    REQUIRE(stats.coverage == doctest::Approx(static_cast<double>(ids.size()) / 1200.0));
    REQUIRE(stats.qd_score == doctest::Approx(slow.qd_score()).epsilon(1e-12));
    REQUIRE(stats.objective_max == slow.objective_max());
    for (const std::uint64_t known : ids) REQUIRE(id_of(archive->find(CandidateId{known})) == known);
  }
}
