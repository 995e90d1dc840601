/// Archive: the elites found so far, one to a cell of the measure space.

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <aiopt/evaluation.hpp>

namespace aiopt {

/// Where a candidate lies on one axis: a number, or a name on a category axis.
using Measure = std::variant<double, std::string>;

struct Fitness {
  double objective = 0.0;         ///< Larger is better.
  std::vector<Measure> measures;  ///< One for each of Task::axes.
  double standard_error = 0.0;    ///< Of the objective; 0: it is taken as exact.
};

/// What the archive keeps of a candidate. Cheap to copy.
struct Elite {
  std::shared_ptr<const Candidate> candidate;
  std::shared_ptr<const Evaluation> evaluation;  ///< Never null; passed.
  Fitness fitness;
};

enum class AddStatus { not_added, improve_existing, new_cell };

struct AddResult {
  AddStatus status = AddStatus::not_added;
  std::size_t cell = 0;
  double improvement =
      0.0;  ///< Over the elite that was there (negative if not added); the objective itself for a new cell.
};

struct ArchiveStats {
  std::size_t num_elites = 0;
  double coverage = 0.0;  ///< Share of the cells that hold an elite, in [0, 1].
  double qd_score = 0.0;  ///< Sum of the elites' objectives.
  std::optional<double> objective_max;
};

/// Thread-compatible: the engine's coordinator thread alone touches it.
class Archive {
 public:
  virtual ~Archive();

  /// Keeps the elite if its cell is empty or holds a strictly lower objective; a tie keeps
  /// the elite that is there (pyribs' rule).
  ///
  /// @throws std::invalid_argument if a value is not finite, or there is not one measure of the
  ///         right kind per axis.
  virtual AddResult add(Elite elite) = 0;

  /// All elites, ordered by cell. Valid until the next add().
  virtual const std::vector<const Elite*>& elites() const = 0;

  /// The elite of that candidate, or null. Valid until the next add().
  virtual const Elite* find(CandidateId id) const = 0;

  /// The elite of that cell, or null. Valid until the next add().
  virtual const Elite* at(std::size_t cell) const = 0;

  /// The elite with the highest objective, the first of equals; null if there is none.
  virtual const Elite* best() const = 0;

  /// "offcpu_ratio 0.3-0.4, function Wal::append": the cell in words.
  virtual std::string describe(std::size_t cell) const = 0;

  virtual ArchiveStats stats() const = 0;
};

}  // namespace aiopt
