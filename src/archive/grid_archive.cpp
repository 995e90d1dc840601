/// GridArchive: see the header.

#include "archive/grid_archive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <unordered_map>
#include <utility>

namespace aiopt {

namespace {

/// pyribs' `epsilon`: a measure that rounding left just below a cell's lower bound still falls into that cell.
constexpr double kIndexEpsilon = 1e-6;

class GridAxis {
 public:
  explicit GridAxis(Axis axis) : axis_(std::move(axis)) {
    if (axis_.cells < 1) {
      throw std::invalid_argument(fmt::format("archive axis '{}': cells is {}; it needs at least 1", name(), cells()));
    }
    if (axis_.kind == Axis::Kind::linear && !(axis_.lower < axis_.upper && std::isfinite(axis_.upper - axis_.lower))) {
      throw std::invalid_argument(fmt::format("archive axis '{}': no cells fit between the bounds {} and {}", name(),
                                              axis_.lower, axis_.upper));
    }
  }

  const std::string& name() const { return axis_.measure; }
  int cells() const { return axis_.cells; }

  void check(const Measure& measure) const {
    if (axis_.kind == Axis::Kind::category) {
      if (!std::holds_alternative<std::string>(measure)) {
        throw std::invalid_argument(fmt::format("archive axis '{}': a name is needed, not a number", name()));
      }
    } else if (!std::holds_alternative<double>(measure)) {
      throw std::invalid_argument(fmt::format("archive axis '{}': a number is needed, not a name", name()));
    } else if (!std::isfinite(std::get<double>(measure))) {
      throw std::invalid_argument(fmt::format("archive axis '{}': the measure is not a finite number", name()));
    }
  }

  /// Gives a name that is new its cell. @pre check(measure) passed
  std::size_t index_of(const Measure& measure) {
    return axis_.kind == Axis::Kind::category ? category_index(std::get<std::string>(measure))
                                              : linear_cell(axis_, std::get<double>(measure));
  }

  std::string describe(std::size_t index) const {
    if (axis_.kind == Axis::Kind::linear) return fmt::format("{} {}", name(), range(index));
    if (index >= names_.size()) return fmt::format("{} (none yet)", name());
    const bool shared = names_overflowed_ && index + 1 == names_.size();
    return fmt::format("{} {}{}", name(), names_[index], shared ? " or another" : "");
  }

 private:
  std::size_t category_index(const std::string& category) {
    const auto known = index_by_name_.find(category);
    if (known != index_by_name_.end()) return known->second;
    if (names_.size() == static_cast<std::size_t>(axis_.cells)) {
      names_overflowed_ = true;
      return names_.size() - 1;
    }
    index_by_name_.emplace(category, names_.size());
    names_.push_back(category);
    return names_.size() - 1;
  }

  std::string range(std::size_t index) const {
    const double step = (axis_.upper - axis_.lower) / axis_.cells;
    const double from = axis_.lower + step * static_cast<double>(index);
    const double to = axis_.lower + step * static_cast<double>(index + 1);
    return fmt::format("{:.4g}{}{:.4g}", from, axis_.lower < 0 ? " to " : "-", to);
  }

  Axis axis_;
  std::vector<std::string> names_;  ///< Of a category axis, by cell.
  std::unordered_map<std::string, std::size_t> index_by_name_;
  bool names_overflowed_ = false;
};

/// Elites in the order of their cells.
class CellOrder {
 public:
  const std::vector<const Elite*>& elites() const { return elites_; }

  /// What `cell` holds from now on, which may be nothing.
  void set(std::size_t cell, std::span<const Elite* const> held) {
    const auto [first, last] = std::equal_range(cells_.begin(), cells_.end(), cell);
    const auto at = first - cells_.begin();
    const auto before = last - first;
    const auto now = static_cast<std::ptrdiff_t>(held.size());
    if (now < before) {
      cells_.erase(first + now, last);
      elites_.erase(elites_.begin() + at + now, elites_.begin() + at + before);
    } else if (now > before) {
      cells_.insert(first, held.size() - static_cast<std::size_t>(before), cell);
      elites_.insert(elites_.begin() + at, held.size() - static_cast<std::size_t>(before), nullptr);
    }
    std::copy(held.begin(), held.end(), elites_.begin() + at);
  }

 private:
  std::vector<std::size_t> cells_;  ///< Ascending; one for each of elites_.
  std::vector<const Elite*> elites_;
};

/// Where the elite of a cell stands among those of the others.
struct Standing {
  double objective = 0.0;
  std::uint64_t since = 0;  ///< Counts the elites that there were; no two have the same.
  const Elite* elite = nullptr;

  bool operator<(const Standing& other) const {
    return objective != other.objective ? objective > other.objective : since < other.since;
  }
};

using Residents = std::vector<const Elite*>;  ///< Of one cell: the elite first, then the others by objective.

bool has_higher_objective(const Elite* a, const Elite* b) {
  return a->fitness.objective > b->fitness.objective;
}

/// Orders the residents when `elite`, one of them, is the first. Of equals the one that was before stays before.
void crown(Residents& residents, const Elite* elite) {
  const auto at = std::find(residents.begin(), residents.end(), elite);
  std::rotate(residents.begin(), at, at + 1);
  std::stable_sort(residents.begin() + 1, residents.end(), has_higher_objective);
}

/// Who can be relied on most, of equals the first. By objective it would be the one with most luck.
/// @pre !residents.empty()
const Elite* most_reliable(const Residents& residents) {
  return *std::max_element(residents.begin(), residents.end(), [](const Elite* a, const Elite* b) {
    return lower_confidence_bound(a->fitness) < lower_confidence_bound(b->fitness);
  });
}

bool has_tree(const Residents& residents, const std::string& tree_sha256) {
  return !tree_sha256.empty() && std::any_of(residents.begin(), residents.end(), [&](const Elite* resident) {
    return resident->candidate->tree_sha256 == tree_sha256;
  });
}

class GridArchive final : public Archive {
 public:
  GridArchive(std::vector<Axis> axes, int depth) : depth_(static_cast<std::size_t>(depth)) {
    if (depth < 1) throw std::invalid_argument(fmt::format("the archive's depth is {}; it needs at least 1", depth));
    for (Axis& axis : axes) {
      axes_.emplace_back(std::move(axis));
      const auto cells = static_cast<std::size_t>(axes_.back().cells());
      if (cell_count_ > std::numeric_limits<std::size_t>::max() / cells) {
        throw std::invalid_argument("the archive's axes make more cells than can be counted; give them fewer");
      }
      cell_count_ *= cells;
    }
  }

  AddResult add(Elite elite) override {
    check(elite);
    const CandidateId id = elite.candidate->id;
    if (find(id) != nullptr) {
      throw std::invalid_argument(fmt::format("candidate {} is in the archive already", to_number(id)));
    }
    const std::size_t cell = cell_of(elite.fitness.measures);
    return place(std::move(elite), cell);
  }

  AddResult update(CandidateId id, std::shared_ptr<const Evaluation> evaluation, Fitness fitness) override {
    const auto known = kept_.find(to_number(id));
    if (known == kept_.end()) {
      throw std::invalid_argument(fmt::format("candidate {} is not in the archive", to_number(id)));
    }
    Kept& kept = known->second;
    Elite elite{kept.elite.candidate, std::move(evaluation), std::move(fitness)};
    check(elite);
    const std::size_t cell = cell_of(elite.fitness.measures);
    if (cell == kept.cell) return measured_again(kept, std::move(elite));
    take_out(kept);
    kept_.erase(known);
    return place(std::move(elite), cell);
  }

  const std::vector<const Elite*>& elites() const override { return elites_.elites(); }
  const std::vector<const Elite*>& residents() const override { return residents_.elites(); }

  const Elite* find(CandidateId id) const override {
    const auto known = kept_.find(to_number(id));
    return known == kept_.end() ? nullptr : &known->second.elite;
  }

  const Elite* at(std::size_t cell) const override {
    const auto found = cells_.find(cell);
    return found == cells_.end() ? nullptr : found->second.residents.front();
  }

  const Elite* best() const override { return standings_.empty() ? nullptr : standings_.begin()->elite; }

  std::string describe(std::size_t cell) const override {
    if (cell >= cell_count_) {
      throw std::out_of_range(fmt::format("the archive has no cell {}; it has {} cells", cell, cell_count_));
    }
    std::string words;
    std::size_t axis_stride = cell_count_;
    for (const GridAxis& axis : axes_) {
      axis_stride /= static_cast<std::size_t>(axis.cells());
      words += (words.empty() ? "" : ", ") + axis.describe(cell / axis_stride);
      cell %= axis_stride;
    }
    return words;
  }

  ArchiveStats stats() const override {
    ArchiveStats stats;
    stats.num_elites = cells_.size();
    stats.coverage = static_cast<double>(cells_.size()) / static_cast<double>(cell_count_);
    stats.qd_score = static_cast<double>(objective_sum_);
    if (!standings_.empty()) stats.objective_max = standings_.begin()->objective;
    return stats;
  }

 private:
  struct Kept {
    Elite elite;
    std::size_t cell = 0;
  };
  struct Cell {
    Residents residents;
    std::optional<Standing> standing;
  };

  void check(const Elite& elite) const {
    if (elite.candidate == nullptr || elite.evaluation == nullptr) {
      throw std::invalid_argument("the archive was given an elite without its candidate or evaluation");
    }
    if (!std::isfinite(elite.fitness.objective)) {
      throw std::invalid_argument("the archive was given an objective that is not a finite number");
    }
    if (!(elite.fitness.standard_error >= 0.0) || !std::isfinite(elite.fitness.standard_error)) {
      throw std::invalid_argument("the archive was given a standard error that is not a number of at least 0");
    }
    if (elite.fitness.measures.size() != axes_.size()) {
      throw std::invalid_argument(fmt::format("the archive has {} axes, but was given {} measures", axes_.size(),
                                              elite.fitness.measures.size()));
    }
    for (std::size_t i = 0; i < axes_.size(); ++i) axes_[i].check(elite.fitness.measures[i]);
  }

  std::size_t cell_of(const std::vector<Measure>& measures) {
    std::size_t cell = 0;
    for (std::size_t i = 0; i < axes_.size(); ++i) {
      cell = cell * static_cast<std::size_t>(axes_[i].cells()) + axes_[i].index_of(measures[i]);
    }
    return cell;
  }

  /// @pre the candidate is not in the archive
  AddResult place(Elite newcomer, std::size_t number) {
    const auto known = cells_.find(number);
    if (known == cells_.end()) {
      const double objective = newcomer.fitness.objective;
      Cell& cell = cells_[number];
      cell.residents.push_back(keep(std::move(newcomer), number));
      settle(number, cell);
      return {AddStatus::new_cell, number, objective};
    }
    Cell& cell = known->second;
    const Elite* elite = cell.residents.front();
    const double improvement = newcomer.fitness.objective - elite->fitness.objective;
    const bool is_elite = is_credibly_better(newcomer.fitness, elite->fitness);
    if (has_tree(cell.residents, newcomer.candidate->tree_sha256) || !(is_elite || has_room(cell, newcomer))) {
      return {AddStatus::not_added, number, improvement};
    }
    const Elite* added = keep(std::move(newcomer), number);
    cell.residents.push_back(added);
    crown(cell.residents, is_elite ? added : elite);
    const Elite* last = cell.residents.back();
    const bool is_too_many = cell.residents.size() > depth_;
    if (is_too_many) cell.residents.pop_back();
    settle(number, cell);
    if (is_too_many) kept_.erase(to_number(last->candidate->id));
    return {is_elite ? AddStatus::improve_existing : AddStatus::shares_cell, number, improvement};
  }

  /// Whether it can be kept behind the elite.
  bool has_room(const Cell& cell, const Elite& newcomer) const {
    if (cell.residents.size() < depth_) return true;
    return depth_ > 1 && has_higher_objective(&newcomer, cell.residents.back());
  }

  /// @pre the cell of `now` is that of `kept`
  AddResult measured_again(Kept& kept, Elite now) {
    Cell& cell = cells_.at(kept.cell);
    const Elite* elite = cell.residents.front();
    const double improvement = now.fitness.objective - elite->fitness.objective;
    kept.elite = std::move(now);
    const bool was_elite = elite == &kept.elite;
    // Of equals most_reliable() takes the first, which is the elite. Only the one with new figures can have passed the
    // elite: an elite whose figures stand is not to lose to a third one that is no more credible than before.
    const Elite* first = was_elite ? most_reliable(cell.residents) : most_reliable({elite, &kept.elite});
    crown(cell.residents, first);
    settle(kept.cell, cell);
    return {first == &kept.elite ? AddStatus::improve_existing : AddStatus::shares_cell, kept.cell, improvement};
  }

  /// Leaves its cell to the others.
  void take_out(const Kept& kept) {
    Cell& cell = cells_.at(kept.cell);
    const bool was_elite = cell.residents.front() == &kept.elite;
    std::erase(cell.residents, &kept.elite);
    if (was_elite && !cell.residents.empty()) crown(cell.residents, most_reliable(cell.residents));
    settle(kept.cell, cell);
  }

  const Elite* keep(Elite elite, std::size_t cell) {
    const std::uint64_t id = to_number(elite.candidate->id);
    return &kept_.emplace(id, Kept{std::move(elite), cell}).first->second.elite;
  }

  /// Brings all that is kept beside the cells up to date with this one. An empty one is gone then.
  void settle(std::size_t number, Cell& cell) {
    const Elite* elite = cell.residents.empty() ? nullptr : cell.residents.front();
    const bool stands = elite != nullptr && cell.standing && cell.standing->elite == elite &&
                        cell.standing->objective == elite->fitness.objective;
    if (cell.standing && !stands) {
      standings_.erase(*cell.standing);
      objective_sum_ -= cell.standing->objective;
      cell.standing.reset();
    }
    if (elite != nullptr && !stands) {
      cell.standing = Standing{elite->fitness.objective, ++elites_so_far_, elite};
      standings_.insert(*cell.standing);
      objective_sum_ += elite->fitness.objective;
    }
    elites_.set(number, std::span(cell.residents).first(elite != nullptr ? 1 : 0));
    residents_.set(number, cell.residents);
    if (elite == nullptr) cells_.erase(number);
  }

  std::vector<GridAxis> axes_;
  std::size_t depth_;
  std::size_t cell_count_ = 1;
  std::unordered_map<std::uint64_t, Kept> kept_;  ///< By candidate. Its nodes stay where they are: a pointer lasts.
  std::map<std::size_t, Cell> cells_;             ///< The filled ones.
  std::set<Standing> standings_;                  ///< The best first.
  std::uint64_t elites_so_far_ = 0;
  CellOrder elites_;
  CellOrder residents_;
  long double objective_sum_ =
      0.0;  ///< Of the elites; wider, for what comes in and goes out again leaves its rounding.
};

}  // namespace

std::size_t linear_cell(const Axis& axis, double measure) {
  const double cell = (axis.cells * (measure - axis.lower) + kIndexEpsilon) / (axis.upper - axis.lower);
  // Clipped as a double: a cast of what an int can't hold is undefined, and pyribs' wraps to the wrong edge.
  return static_cast<std::size_t>(std::clamp(cell, 0.0, static_cast<double>(axis.cells - 1)));
}

std::unique_ptr<Archive> make_grid_archive(std::vector<Axis> axes, int depth) {
  return std::make_unique<GridArchive>(std::move(axes), depth);
}

}  // namespace aiopt
