/// Emitter: where proposals come from. ask() for one, tell() what became of it.

#pragma once

#include <optional>
#include <string_view>

#include <aiopt/archive.hpp>
#include <aiopt/evaluation.hpp>
#include <aiopt/proposal.hpp>
#include <aiopt/rng.hpp>
#include <aiopt/selection.hpp>

namespace aiopt {

/// Used by the coordinator thread alone.
///
/// A resumed run calls ask() and tell() again in the order of the first time, so an emitter's
/// choices depend on nothing but its construction, the calls it got and `rng`.
class Emitter {
 public:
  virtual ~Emitter();

  /// A stable name; written to run.db.
  virtual std::string_view name() const = 0;

  /// The next thing to try, or nothing if this emitter has nothing (more) to propose now.
  /// @pre !archive.elites().empty()
  virtual std::optional<Ask> ask(const Archive& archive, SelectionStrategy& selection, Rng& rng) = 0;

  /// Called once for each ask(), in the order in which evaluations end. `added` is empty if the
  /// candidate failed a stage. May be told of a proposal that it does not remember having asked
  /// (of another version of aiopt); Proposal::ask.note has its own words about it.
  virtual void tell(const Proposal& proposal, const Evaluation& evaluation, const std::optional<Fitness>& fitness,
                    const std::optional<AddResult>& added) = 0;
};

}  // namespace aiopt
