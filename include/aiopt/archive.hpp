/// Archive: the elites found so far, one to a cell of the measure space, and who shares their cells.

#pragma once

#include <cmath>
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
  double standard_error = 0.0;    ///< Of the objective, at least 0; 0: taken as exact.
};

/// The normal distribution's one-sided 95 % quantile: of twenty candidates that are no better than an elite, one is
/// taken for better. A stricter one would also miss more of those that are.
inline constexpr double kCredibleErrors = 1.645;

/// Whether the lower bound of the difference of their objectives is above 0. Of two exact ones: strictly greater.
inline bool is_credibly_better(const Fitness& candidate, const Fitness& elite) {
  return candidate.objective - elite.objective >
         kCredibleErrors * std::hypot(candidate.standard_error, elite.standard_error);
}

/// What can be relied on of an objective: its lower 95 % bound.
inline double lower_confidence_bound(const Fitness& fitness) {
  return fitness.objective - kCredibleErrors * fitness.standard_error;
}

/// What the archive keeps of a candidate. Cheap to copy.
struct Elite {
  std::shared_ptr<const Candidate> candidate;
  std::shared_ptr<const Evaluation> evaluation;  ///< Never null; passed.
  Fitness fitness;
};

/// Values are written to run.db: new ones go to the end.
enum class AddStatus {
  not_added,
  improve_existing,  ///< It is the elite of a cell that had one.
  new_cell,
  shares_cell,  ///< It is kept behind the elite of its cell, for nobody can tell yet which of them is better.
};

struct AddResult {
  AddStatus status = AddStatus::not_added;
  std::size_t cell = 0;
  /// Over the elite that was there: of either sign where the cell is shared, for neither is credibly better; negative
  /// or too small to tell if not added. The objective itself for a new cell.
  double improvement = 0.0;
};

struct ArchiveStats {
  std::size_t num_elites = 0;  ///< One for each cell that holds any.
  double coverage = 0.0;       ///< Share of the cells that hold an elite, in [0, 1].
  double qd_score = 0.0;       ///< Sum of the elites' objectives.
  std::optional<double> objective_max;
};

/// A cell holds up to `depth` residents (Flageat and Cully, Deep-Grid MAP-Elites, 2020). The first of them is the
/// cell's elite: it stays until another is credibly better, so that a lucky measurement does not drive out a good
/// candidate. The others are those with the highest objectives. Should the elite leave, or be measured again and fall,
/// the resident with the highest lower_confidence_bound() follows it.
///
/// What is decided depends on the calls and their arguments alone. Thread-compatible: the engine's coordinator thread
/// alone touches it.
class Archive {
 public:
  virtual ~Archive();

  /// Makes it the elite if its cell is empty or holds one that it is credibly better than; else it shares the cell if
  /// there is room, or if its objective is above that of the last resident, which then leaves. At depth 1, and with
  /// exact objectives, that is pyribs' rule: strictly better, a tie keeps the elite that is there. A tree that a
  /// resident of the cell has too is not added.
  ///
  /// @throws std::invalid_argument if a value is not finite or the standard error negative, if there is not one measure
  ///         of the right kind per axis, or if the candidate is in the archive already.
  virtual AddResult add(Elite elite) = 0;

  /// Gives a resident that was measured again its new figures and its new place. In its own cell it is the elite if
  /// its lower_confidence_bound() is above that of the others, which by now says more than who came first; a tie keeps
  /// the elite. In another cell it is a newcomer, as for add(), and may be lost.
  ///
  /// @return Where it is now: `improve_existing` is the elite, be its objective higher or lower than before;
  ///         `not_added` is no longer in the archive.
  /// @throws std::invalid_argument as add(), or if there is no such resident; the archive is then as it was.
  virtual AddResult update(CandidateId id, std::shared_ptr<const Evaluation> evaluation, Fitness fitness) = 0;

  /// The elite of each cell that has one, ordered by cell. Valid until the next add() or update(), as all below.
  virtual const std::vector<const Elite*>& elites() const = 0;

  /// All that are kept, ordered by cell; within a cell the elite first, then the others by objective. Parents are drawn
  /// from these: a gain too small to be credible must be able to lead to a greater one.
  virtual const std::vector<const Elite*>& residents() const = 0;

  /// The resident of that candidate, or null.
  virtual const Elite* find(CandidateId id) const = 0;

  /// The elite of that cell, or null.
  virtual const Elite* at(std::size_t cell) const = 0;

  /// The elite with the highest objective, of equals the one that got there first; null if there is none.
  virtual const Elite* best() const = 0;

  /// "offcpu_ratio 0.3-0.4, function Wal::append": the cell in words.
  virtual std::string describe(std::size_t cell) const = 0;

  virtual ArchiveStats stats() const = 0;
};

}  // namespace aiopt
