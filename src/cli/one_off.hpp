/// An evaluator in a temporary folder, for the subcommands that judge a candidate without a run.

#pragma once

#include <memory>
#include <string>

#include <aiopt/evaluator.hpp>
#include <aiopt/evolution.hpp>
#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

#include "base/files.hpp"
#include "evaluate/lanes.hpp"
#include "evaluate/sandbox.hpp"

namespace aiopt {

/// A task, its unmodified tree, and who judges candidates of it. Neither copied nor moved: its parts refer to each
/// other.
class OneOff {
 public:
  /// Reads the task; the model's key is taken out of the environment.
  static Result<std::unique_ptr<OneOff>> load(const std::string& task_file);

  const Task& task() const { return task_; }
  const Candidate& baseline() const { return baseline_; }

  /// The candidate that a patch makes, numbered `id`. @param file  "-": stdin.
  /// @return io: the patch can't be read; invalid_argument: it makes no candidate.
  Result<Candidate> candidate_of(const std::string& file, CandidateId id) const;

  /// Prepares lanes, sandbox and workspaces; says what the user should know on stderr. Call once.
  Result<void> prepare(const LaneOptions& lanes, SandboxMode sandbox, std::uint64_t seed, Mode mode = Mode::fast);
  Evaluator& evaluator() { return *evaluator_; }  ///< @pre prepare() succeeded

 private:
  explicit OneOff(Task task) : task_(std::move(task)) {}

  Task task_;
  Candidate baseline_;
  TemporaryFolder folder_;
  std::unique_ptr<Lanes> lanes_;
  std::unique_ptr<Sandbox> sandbox_;
  std::unique_ptr<Evaluator> evaluator_;
};

}  // namespace aiopt
