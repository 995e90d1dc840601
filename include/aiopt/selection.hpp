/// SelectionStrategy: which elite becomes the next parent. Plugins implement this.

#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/rng.hpp>

namespace aiopt {

/// Used by one thread, the coordinator. May keep state; resuming a run calls it again in the same order. An exception
/// ends the run.
class SelectionStrategy {
 public:
  virtual ~SelectionStrategy();

  /// A stable name. It is written to run.db, so take a new one when the choices would differ.
  virtual std::string_view name() const = 0;

  /// Picks `count` parents, the same one more than once if it likes. Its randomness comes from
  /// `rng` alone, so that a seed gives the same run again.
  ///
  /// @pre !archive.elites().empty()
  /// The engine checks the answer: a wrong length or an unknown id is an Error
  /// that names this strategy.
  virtual std::vector<CandidateId> select(const Archive& archive, std::size_t count, Rng& rng) = 0;
};

}  // namespace aiopt
