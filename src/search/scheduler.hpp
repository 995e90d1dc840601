/// Scheduler: whose turn it is, and who hears what came of it.

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/emitter.hpp>
#include <aiopt/result.hpp>
#include <aiopt/rng.hpp>
#include <aiopt/selection.hpp>

namespace aiopt {

/// An island: an archive, the strategy that picks parents from it, and emitters that share its turns by weight.
struct Island {
  struct WeightedEmitter {
    std::unique_ptr<Emitter> emitter;
    double weight = 1.0;
  };

  std::unique_ptr<Archive> archive;
  std::unique_ptr<SelectionStrategy> selection;
  std::vector<WeightedEmitter> emitters;
};

/// Used by the coordinator thread alone.
class Scheduler {
 public:
  struct Turn {
    IslandId island{0};
    std::string emitter;
    Ask ask;
  };

  /// @pre islands is not empty, each has an emitter of positive weight
  explicit Scheduler(std::vector<Island> islands);

  /// The next island in turn and one of its emitters, drawn by weight; an emitter with nothing to propose passes its
  /// turn on. Nothing if none has anything to propose now.
  ///
  /// @return invalid_argument, naming the strategy or emitter, if it chose a parent that is neither an elite nor the
  ///         baseline, chose nothing to do with it, or threw.
  Result<std::optional<Turn>> ask(Rng& rng);

  /// Adds the candidate to its island's archive, unless `fitness` is empty or it is a program that was measured before,
  /// and tells the emitter; nobody asked for the baseline (id 0), so no emitter is told of it, nor of a repair
  /// (core/repair.hpp), nor of an elite that was measured again (core/remeasurement.hpp). invalid_argument if a value
  /// is not finite, there is no such island or emitter, or the emitter threw.
  Result<std::optional<AddResult>> tell(const Proposal& proposal, std::shared_ptr<const Candidate> candidate,
                                        std::shared_ptr<const Evaluation> evaluation,
                                        const std::optional<Fitness>& fitness);

  const Archive& archive(IslandId island) const;

 private:
  std::vector<Island> islands_;
  std::size_t next_island_ = 0;
};

}  // namespace aiopt
