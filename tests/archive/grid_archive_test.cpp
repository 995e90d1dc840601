/// GridArchive: pyribs' rules and what uncertain objectives change in them, and slow archives of another make that must
/// agree with it.

#include "archive/grid_archive.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <tuple>

#include <aiopt/rng.hpp>

using namespace aiopt;

namespace {

Elite make_elite(std::uint64_t id, double objective, std::vector<Measure> measures) {
  auto candidate = std::make_shared<Candidate>();
  candidate->id = CandidateId{id};
  return {std::move(candidate), std::make_shared<Evaluation>(), {objective, std::move(measures)}};
}

/// In the cell of that measure on linear_axis(10).
Elite uncertain(std::uint64_t id, double objective, double standard_error, double measure = 0.5) {
  Elite elite = make_elite(id, objective, {measure});
  elite.fitness.standard_error = standard_error;
  return elite;
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

std::vector<std::uint64_t> ids_of(const std::vector<const Elite*>& elites) {
  std::vector<std::uint64_t> ids;
  for (const Elite* elite : elites) ids.push_back(id_of(elite));
  return ids;
}

using Ids = std::vector<std::uint64_t>;

/// Measures the resident again.
AddResult update(Archive& archive, std::uint64_t id, double objective, double standard_error, double measure = 0.5) {
  return archive.update(CandidateId{id}, std::make_shared<Evaluation>(), {objective, {measure}, standard_error});
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

/// The rules of deep cells once more, on one linear axis of 10 cells: a heap of residents in which everything is looked
/// for anew. Objectives must differ.
class SlowDeepArchive {
 public:
  explicit SlowDeepArchive(std::size_t depth) : depth_(depth) {}

  AddStatus add(const Elite& elite) {
    const int cell = std::clamp(static_cast<int>(std::get<double>(elite.fitness.measures[0]) * 10 + 1e-6), 0, 9);
    Resident* first = elite_of(cell);
    if (first == nullptr) {
      heap_.push_back({elite, cell, true});
      return AddStatus::new_cell;
    }
    const double se = elite.fitness.standard_error;
    const double other_se = first->elite.fitness.standard_error;
    const double bound =
        elite.fitness.objective - first->elite.fitness.objective - 1.645 * std::sqrt(se * se + other_se * other_se);
    if (bound > 0.0) first->is_first = false;
    heap_.push_back({elite, cell, bound > 0.0});
    return drop_worst(cell) == id_of(&elite) ? AddStatus::not_added
           : bound > 0.0                     ? AddStatus::improve_existing
                                             : AddStatus::shares_cell;
  }

  AddStatus update(std::uint64_t id, const Fitness& fitness) {
    const auto at = std::find_if(heap_.begin(), heap_.end(), [id](const auto& r) { return id_of(&r.elite) == id; });
    const Resident before = *at;
    heap_.erase(at);
    Elite now = before.elite;
    now.fitness = fitness;
    if (before.is_first) crown_most_reliable(before.cell);
    if (std::clamp(static_cast<int>(std::get<double>(fitness.measures[0]) * 10 + 1e-6), 0, 9) != before.cell) {
      return add(now);
    }
    Resident* first = elite_of(before.cell);
    const bool is_first = first == nullptr || reliable(now) > reliable(first->elite) ||
                          (before.is_first && reliable(now) == reliable(first->elite));
    if (first != nullptr && is_first) first->is_first = false;
    heap_.push_back({now, before.cell, is_first});
    return is_first ? AddStatus::improve_existing : AddStatus::shares_cell;
  }

  Ids residents() const {
    std::vector<Resident> sorted = heap_;
    std::sort(sorted.begin(), sorted.end(), [](const Resident& a, const Resident& b) {
      return std::tuple(a.cell, !a.is_first, -a.elite.fitness.objective) <
             std::tuple(b.cell, !b.is_first, -b.elite.fitness.objective);
    });
    Ids ids;
    for (const Resident& resident : sorted) ids.push_back(id_of(&resident.elite));
    return ids;
  }

  Ids elites() const {
    std::map<int, std::uint64_t> by_cell;
    for (const Resident& resident : heap_) {
      if (resident.is_first) by_cell[resident.cell] = id_of(&resident.elite);
    }
    Ids ids;
    for (const auto& [cell, id] : by_cell) ids.push_back(id);
    return ids;
  }

  double qd_score() const {
    double sum = 0.0;
    for (const Resident& resident : heap_) sum += resident.is_first ? resident.elite.fitness.objective : 0.0;
    return sum;
  }

  std::uint64_t best() const {
    const Resident* best = nullptr;
    for (const Resident& resident : heap_) {
      if (!resident.is_first) continue;
      if (best == nullptr || resident.elite.fitness.objective > best->elite.fitness.objective) best = &resident;
    }
    return id_of(&best->elite);
  }

  bool holds(std::uint64_t id) const {
    return std::any_of(heap_.begin(), heap_.end(), [id](const Resident& r) { return id_of(&r.elite) == id; });
  }

 private:
  struct Resident {
    Elite elite;
    int cell;
    bool is_first;
  };

  static double reliable(const Elite& elite) { return elite.fitness.objective - 1.645 * elite.fitness.standard_error; }

  Resident* elite_of(int cell) {
    for (Resident& resident : heap_) {
      if (resident.cell == cell && resident.is_first) return &resident;
    }
    return nullptr;
  }

  void crown_most_reliable(int cell) {
    Resident* most = nullptr;
    for (Resident& resident : heap_) {
      if (resident.cell == cell && (most == nullptr || reliable(resident.elite) > reliable(most->elite))) {
        most = &resident;
      }
    }
    if (most != nullptr) most->is_first = true;
  }

  /// The one that there is no room for, or 0.
  std::uint64_t drop_worst(int cell) {
    std::size_t count = 0;
    auto worst = heap_.end();
    for (auto at = heap_.begin(); at != heap_.end(); ++at) {
      if (at->cell != cell) continue;
      ++count;
      if (at->is_first) continue;
      if (worst == heap_.end() || at->elite.fitness.objective < worst->elite.fitness.objective) worst = at;
    }
    if (count <= depth_) return 0;
    const std::uint64_t id = id_of(&worst->elite);
    heap_.erase(worst);
    return id;
  }

  std::size_t depth_;
  std::vector<Resident> heap_;
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

TEST_CASE("an uncertain candidate takes the cell only if it is credibly better") {
  // Both 0.03: the difference's standard error is 0.0424, and 1.645 of it 0.0698.
  for (const auto& [objective, status] :
       {std::pair{1.0697, AddStatus::not_added}, {1.0699, AddStatus::improve_existing}}) {
    const auto archive = make_grid_archive({linear_axis(10)});
    archive->add(uncertain(1, 1.0, 0.03));
    const AddResult added = archive->add(uncertain(2, objective, 0.03));
    CHECK(added.status == status);
    CHECK(added.improvement == doctest::Approx(objective - 1.0));
  }
  const auto archive = make_grid_archive({linear_axis(10)});
  archive->add(uncertain(1, 1.0, 0.0));
  CHECK(archive->add(uncertain(2, 1.01, 0.01)).status == AddStatus::not_added);
  CHECK(archive->add(uncertain(3, 1.01, 0.0)).status == AddStatus::improve_existing);
}

TEST_CASE("of 2,000 lucky and unlucky measurements of the same program hardly any drives the elite out") {
  const auto archive = make_grid_archive({linear_axis(10)});
  Rng rng(5);
  std::uint64_t replaced = 0;
  for (std::uint64_t id = 1; id <= 2000; ++id) {
    const AddResult added = archive->add(uncertain(id, 1.0 + 0.03 * rng.normal(), 0.03));
    replaced += added.status == AddStatus::improve_existing ? 1 : 0;
  }
  // By point estimate there would be about ln(2000) = 8 records, and an elite 3.5 standard errors too good.
  CHECK(replaced <= 3);
  CHECK(archive->best()->fitness.objective < 1.09);
}

TEST_CASE("who is not credibly better shares the cell while there is room, and the elite stays the first") {
  const auto archive = make_grid_archive({linear_axis(10)}, 3);
  archive->add(uncertain(1, 1.0, 0.05));
  const AddResult shares = archive->add(uncertain(2, 1.05, 0.05));
  CHECK(shares.status == AddStatus::shares_cell);
  CHECK(shares.improvement == doctest::Approx(0.05));
  CHECK(archive->add(uncertain(3, 0.9, 0.05)).status == AddStatus::shares_cell);
  CHECK(ids_of(archive->residents()) == Ids{1, 2, 3});
  CHECK(ids_of(archive->elites()) == Ids{1});
  CHECK(id_of(archive->at(5)) == 1);
  CHECK(id_of(archive->find(CandidateId{3})) == 3);
  CHECK(archive->stats().num_elites == 1);
  CHECK(archive->stats().qd_score == 1.0);
  CHECK(archive->stats().coverage == 0.1);

  SUBCASE("in a full cell a newcomer takes the place of the last if it is better, and of nobody else") {
    CHECK(archive->add(uncertain(4, 0.9, 0.05)).status == AddStatus::not_added);
    CHECK(archive->find(CandidateId{4}) == nullptr);
    CHECK(archive->add(uncertain(5, 0.91, 0.05)).status == AddStatus::shares_cell);
    CHECK(ids_of(archive->residents()) == Ids{1, 2, 5});
    CHECK(archive->find(CandidateId{3}) == nullptr);
  }
  SUBCASE("the one who takes the cell leaves the former elite among the others, and the last goes") {
    CHECK(archive->add(uncertain(4, 1.5, 0.05)).status == AddStatus::improve_existing);
    CHECK(ids_of(archive->residents()) == Ids{4, 2, 1});
    CHECK(archive->stats().qd_score == 1.5);
  }
}

TEST_CASE("small gains that nobody can tell from noise add up to one that is credible") {
  const auto archive = make_grid_archive({linear_axis(10)}, 3);
  std::uint64_t replaced = 0;
  for (std::uint64_t id = 1; id <= 10; ++id) {
    const AddResult added = archive->add(uncertain(id, 1.0 + 0.02 * static_cast<double>(id), 0.02));
    REQUIRE(added.status != AddStatus::not_added);
    replaced += added.status == AddStatus::improve_existing ? 1 : 0;
  }
  CHECK(replaced == 3);
}

TEST_CASE("a tree that a resident of the cell has too is not added to it again") {
  const auto tree = [](std::uint64_t id, double objective, double measure) {
    auto candidate = std::make_shared<Candidate>();
    candidate->id = CandidateId{id};
    candidate->tree_sha256 = "abc";
    return Elite{std::move(candidate), std::make_shared<Evaluation>(), {objective, {measure}}};
  };
  const auto archive = make_grid_archive({linear_axis(10)}, 3);
  archive->add(tree(1, 1.0, 0.5));
  CHECK(archive->add(tree(2, 1.0, 0.5)).status == AddStatus::not_added);
  CHECK(archive->add(tree(3, 9.0, 0.5)).status == AddStatus::not_added);
  CHECK(archive->add(tree(4, 1.0, 0.1)).status == AddStatus::new_cell);
  CHECK(ids_of(archive->residents()) == Ids{4, 1});
}

TEST_CASE("an elite that was measured again and fell gives way to the one that can be relied on most") {
  const auto archive = make_grid_archive({linear_axis(10)}, 3);
  archive->add(uncertain(1, 1.3, 0.1));
  archive->add(uncertain(2, 1.2, 0.2));   // At least 0.87.
  archive->add(uncertain(3, 1.1, 0.05));  // At least 1.02.
  archive->add(uncertain(4, 1.15, 0.0, 0.1));
  CHECK(id_of(archive->best()) == 1);

  const AddResult fell = update(*archive, 1, 1.0, 0.05);
  CHECK(fell.status == AddStatus::shares_cell);
  CHECK(fell.improvement == doctest::Approx(-0.3));
  CHECK(ids_of(archive->residents()) == Ids{4, 3, 2, 1});
  CHECK(archive->find(CandidateId{1})->fitness.objective == 1.0);
  CHECK(id_of(archive->best()) == 4);
  CHECK(archive->stats().objective_max == 1.15);
  CHECK(archive->stats().qd_score == doctest::Approx(2.25));
}

TEST_CASE("an elite whose good figure a second measurement confirms stays, and one behind it can pass it") {
  const auto archive = make_grid_archive({linear_axis(10)}, 2);
  archive->add(uncertain(1, 1.1, 0.05));
  archive->add(uncertain(2, 1.12, 0.05));
  CHECK(update(*archive, 1, 1.09, 0.03).status == AddStatus::improve_existing);
  CHECK(id_of(archive->at(5)) == 1);
  const AddResult passed = update(*archive, 2, 1.12, 0.03);
  CHECK(passed.status == AddStatus::improve_existing);
  CHECK(passed.improvement == doctest::Approx(0.03));
  CHECK(ids_of(archive->residents()) == Ids{2, 1});
  // Equally reliable: the elite stays, whichever of them is measured.
  CHECK(update(*archive, 1, 1.12, 0.03).status == AddStatus::shares_cell);
  CHECK(update(*archive, 2, 1.12, 0.03).status == AddStatus::improve_existing);
  CHECK(ids_of(archive->residents()) == Ids{2, 1});
}

TEST_CASE("a resident whose measures changed moves to where it belongs") {
  const auto archive = make_grid_archive({linear_axis(10)}, 2);
  archive->add(uncertain(1, 1.3, 0.0, 0.1));
  archive->add(uncertain(2, 1.1, 0.0, 0.1));
  archive->add(uncertain(3, 1.2, 0.0, 0.8));

  SUBCASE("its old cell goes to the next, and it may take an empty one") {
    const AddResult moved = update(*archive, 1, 1.25, 0.0, 0.4);
    CHECK(moved.status == AddStatus::new_cell);
    CHECK(moved.cell == 4);
    CHECK(moved.improvement == 1.25);
    CHECK(ids_of(archive->elites()) == Ids{2, 1, 3});
    CHECK(archive->find(CandidateId{1}) == archive->at(4));
  }
  SUBCASE("it may take the cell of another") {
    CHECK(update(*archive, 1, 1.25, 0.0, 0.8).status == AddStatus::improve_existing);
    CHECK(ids_of(archive->residents()) == Ids{2, 1, 3});
  }
  SUBCASE("it may be lost to those who are there") {
    archive->add(uncertain(4, 1.15, 0.0, 0.8));
    const AddResult lost = update(*archive, 2, 1.1, 0.0, 0.8);
    CHECK(lost.status == AddStatus::not_added);
    CHECK(archive->find(CandidateId{2}) == nullptr);
    CHECK(ids_of(archive->residents()) == Ids{1, 3, 4});
  }
  SUBCASE("the last of a cell leaves it empty") {
    CHECK(update(*archive, 3, 1.2, 0.0, 0.4).status == AddStatus::new_cell);
    CHECK(archive->at(8) == nullptr);
    CHECK(archive->stats().num_elites == 2);
    CHECK(archive->stats().coverage == 0.2);
  }
}

TEST_CASE("an update that can't be made leaves the archive as it was") {
  const auto archive = make_grid_archive({linear_axis(10)}, 2);
  archive->add(uncertain(1, 1.0, 0.1));
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(update(*archive, 2, 1.0, 0.1), std::invalid_argument);
  CHECK_THROWS_AS(update(*archive, 1, nan, 0.1), std::invalid_argument);
  CHECK_THROWS_AS(update(*archive, 1, 1.0, nan), std::invalid_argument);
  CHECK_THROWS_AS(update(*archive, 1, 1.0, -0.1), std::invalid_argument);
  CHECK_THROWS_AS(update(*archive, 1, 1.0, 0.1, nan), std::invalid_argument);
  CHECK_THROWS_AS(archive->update(CandidateId{1}, nullptr, {1.0, {0.5}, 0.0}), std::invalid_argument);
  CHECK(archive->find(CandidateId{1})->fitness.standard_error == 0.1);
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
  CHECK_THROWS_AS(archive->add({std::make_shared<Candidate>(), std::make_shared<Evaluation>(), {1.0, {0.5, "f"}, nan}}),
                  std::invalid_argument);
  CHECK_THROWS_AS(archive->add(Elite{nullptr, std::make_shared<Evaluation>(), {1.0, {0.5, "f"}}}),
                  std::invalid_argument);
  CHECK(archive->elites().empty());
  CHECK(archive->best() == nullptr);
  CHECK_FALSE(archive->stats().objective_max);
  // None of them took the only category's cell.
  archive->add(make_elite(2, 1.0, {0.5, "g"}));
  CHECK(archive->describe(5) == "offcpu_ratio 0.5-0.6, function g");
  CHECK_THROWS_AS(archive->add(make_elite(2, 9.0, {0.1, "g"})), std::invalid_argument);
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
  CHECK_THROWS_AS(make_grid_archive({linear_axis(10)}, 0), std::invalid_argument);
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

TEST_CASE("20,000 random adds and updates agree with a deep archive of another make, all of it after each of them") {
  for (const std::size_t depth : {1U, 2U, 3U, 7U}) {
    const auto archive = make_grid_archive({linear_axis(10)}, static_cast<int>(depth));
    SlowDeepArchive slow(depth);
    Rng rng(20200614 + depth);
    std::map<AddStatus, int> updates;
    for (std::uint64_t id = 1; id <= 5'000; ++id) {
      // An archive that only ever rises would soon take nothing more: the level falls again and again.
      const double level = 1.0 + 0.2 * std::sin(static_cast<double>(id) / 40.0);
      Fitness fitness{
          level + 0.1 * rng.normal(), {rng.uniform() * 1.2 - 0.1}, rng.index(4) == 0 ? 0.0 : 0.1 * rng.uniform()};
      if (rng.index(3) == 0 && !archive->residents().empty()) {
        const Elite* resident = archive->residents()[rng.index(archive->residents().size())];
        // Half of them stay where they are.
        if (rng.index(2) == 0) fitness.measures = resident->fitness.measures;
        const std::uint64_t updated = id_of(resident);
        const AddStatus expected = slow.update(updated, fitness);
        const AddResult actual = archive->update(CandidateId{updated}, std::make_shared<Evaluation>(), fitness);
        REQUIRE(actual.status == expected);
        ++updates[actual.status];
      } else {
        const Elite elite = {make_elite(id, 0.0, {}).candidate, std::make_shared<Evaluation>(), fitness};
        REQUIRE(archive->add(elite).status == slow.add(elite));
      }
      const Ids residents = ids_of(archive->residents());
      REQUIRE(residents == slow.residents());
      REQUIRE(ids_of(archive->elites()) == slow.elites());
      REQUIRE(id_of(archive->best()) == slow.best());
      const ArchiveStats stats = archive->stats();
      REQUIRE(stats.num_elites == slow.elites().size());
      REQUIRE(stats.coverage == static_cast<double>(stats.num_elites) / 10.0);
      REQUIRE(stats.qd_score == doctest::Approx(slow.qd_score()).epsilon(1e-12));
      REQUIRE(stats.objective_max == archive->best()->fitness.objective);
      for (const Elite* elite : archive->elites()) {
        REQUIRE(archive->at(std::min<std::size_t>(
                    9, static_cast<std::size_t>(
                           std::max(0.0, std::get<double>(elite->fitness.measures[0]) * 10 + 1e-6)))) == elite);
      }
      for (const std::uint64_t resident : residents) REQUIRE(id_of(archive->find(CandidateId{resident})) == resident);
      if (id % 500 != 0) continue;
      for (std::uint64_t any = 1; any <= id; ++any) {
        REQUIRE((archive->find(CandidateId{any}) != nullptr) == slow.holds(any));
      }
    }
    // Every way that an update can end was there.
    CHECK(updates[AddStatus::new_cell] > 0);
    CHECK(updates[AddStatus::improve_existing] > 0);
    CHECK(updates[AddStatus::not_added] > 0);
    CHECK((updates[AddStatus::shares_cell] > 0) == (depth > 1));
  }
}
