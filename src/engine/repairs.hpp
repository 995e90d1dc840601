/// Repairs: which patches that did not build go back to the model, and with what words.

#pragma once

#include <deque>
#include <optional>
#include <vector>

#include <aiopt/chat_client.hpp>
#include <aiopt/evaluation.hpp>
#include <aiopt/proposal.hpp>
#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

#include "prompt/prompt_builder.hpp"
#include "search/scheduler.hpp"
#include "store/run_store.hpp"

namespace aiopt {

/// Used by the coordinator alone. What it gives depends on the calls it got, so that a resumed run repeats it.
class Repairs {
 public:
  /// @param rounds  Task::repair
  explicit Repairs(int rounds) : is_on_(rounds > 0) {}

  /// Call it for everything told. A model's patch that did not build goes back: not one whose build ran out of time or
  /// that failed before in the same words, and a repaired one not a second time.
  void note(const Proposal& proposal, const Evaluation& evaluation);

  /// The oldest that waits, which then waits no more.
  std::optional<Scheduler::Turn> next();

 private:
  bool is_on_;
  std::deque<Scheduler::Turn> waiting_;
};

/// The conversation that led to the patch of `failed`, and why it did not build.
/// not_found, corruption: run.db does not hold it, or no conversation of it.
Result<std::vector<ChatMessage>> repair_messages(const RunStore& store, const PromptBuilder& prompts, const Task& task,
                                                 CandidateId failed);

}  // namespace aiopt
