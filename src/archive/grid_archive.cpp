/// GridArchive: see the header.

#include "archive/grid_archive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
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
                                              : linear_index(std::get<double>(measure));
  }

  std::string describe(std::size_t index) const {
    if (axis_.kind == Axis::Kind::linear) return fmt::format("{} {}", name(), range(index));
    if (index >= names_.size()) return fmt::format("{} (none yet)", name());
    const bool shared = names_overflowed_ && index + 1 == names_.size();
    return fmt::format("{} {}{}", name(), names_[index], shared ? " or another" : "");
  }

 private:
  std::size_t linear_index(double measure) const {
    const double cell = (axis_.cells * (measure - axis_.lower) + kIndexEpsilon) / (axis_.upper - axis_.lower);
    // Clipped as a double: a cast of what an int can't hold is undefined, and pyribs' wraps to the wrong edge.
    return static_cast<std::size_t>(std::clamp(cell, 0.0, static_cast<double>(axis_.cells - 1)));
  }

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

class GridArchive final : public Archive {
 public:
  explicit GridArchive(std::vector<Axis> axes) {
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
    const std::size_t cell = cell_of(elite.fitness.measures);
    const double objective = elite.fitness.objective;
    const auto place = elites_by_cell_.lower_bound(cell);
    if (place == elites_by_cell_.end() || place->first != cell) {
      const auto added = elites_by_cell_.emplace_hint(place, cell, std::move(elite));
      list(added->first, added->second);
      note(added->first, added->second, objective);
      return {AddStatus::new_cell, cell, objective};
    }
    Elite& incumbent = place->second;
    const double improvement = objective - incumbent.fitness.objective;
    if (!(objective > incumbent.fitness.objective)) return {AddStatus::not_added, cell, improvement};
    forget(cell, incumbent);
    incumbent = std::move(elite);
    note(cell, incumbent, improvement);
    return {AddStatus::improve_existing, cell, improvement};
  }

  const std::vector<const Elite*>& elites() const override { return elites_; }

  const Elite* find(CandidateId id) const override {
    const auto known = cell_by_id_.find(to_number(id));
    return known == cell_by_id_.end() ? nullptr : at(known->second);
  }

  const Elite* at(std::size_t cell) const override {
    const auto found = elites_by_cell_.find(cell);
    return found == elites_by_cell_.end() ? nullptr : &found->second;
  }

  const Elite* best() const override { return best_; }

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
    stats.num_elites = elites_.size();
    stats.coverage = static_cast<double>(elites_.size()) / static_cast<double>(cell_count_);
    stats.qd_score = objective_sum_;
    if (best_ != nullptr) stats.objective_max = best_->fitness.objective;
    return stats;
  }

 private:
  void check(const Elite& elite) const {
    if (elite.candidate == nullptr || elite.evaluation == nullptr) {
      throw std::invalid_argument("the archive was given an elite without its candidate or evaluation");
    }
    if (!std::isfinite(elite.fitness.objective)) {
      throw std::invalid_argument("the archive was given an objective that is not a finite number");
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

  /// Puts a new cell's elite in its place among elites(). Map nodes stay where they are, so a pointer lasts.
  void list(std::size_t cell, const Elite& elite) {
    const auto place = std::lower_bound(filled_cells_.begin(), filled_cells_.end(), cell);
    elites_.insert(elites_.begin() + (place - filled_cells_.begin()), &elite);
    filled_cells_.insert(place, cell);
  }

  void note(std::size_t cell, const Elite& elite, double improvement) {
    cell_by_id_[to_number(elite.candidate->id)] = cell;
    objective_sum_ += improvement;
    // An elite only ever gives way to a better one, so the highest objective never falls.
    if (best_ == nullptr || elite.fitness.objective > best_objective_) {
      best_ = &elite;
      best_objective_ = elite.fitness.objective;
    }
  }

  void forget(std::size_t cell, const Elite& elite) {
    const auto known = cell_by_id_.find(to_number(elite.candidate->id));
    if (known != cell_by_id_.end() && known->second == cell) cell_by_id_.erase(known);
  }

  std::vector<GridAxis> axes_;
  std::size_t cell_count_ = 1;
  std::map<std::size_t, Elite> elites_by_cell_;
  std::vector<std::size_t> filled_cells_;  ///< Ascending; elites_ has the same order.
  std::vector<const Elite*> elites_;
  std::unordered_map<std::uint64_t, std::size_t> cell_by_id_;
  const Elite* best_ = nullptr;
  double best_objective_ = 0.0;
  double objective_sum_ = 0.0;
};

}  // namespace

std::unique_ptr<Archive> make_grid_archive(std::vector<Axis> axes) {
  return std::make_unique<GridArchive>(std::move(axes));
}

}  // namespace aiopt
