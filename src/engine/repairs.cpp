/// Repairs: see the header.

#include "engine/repairs.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "core/messages_json.hpp"
#include "core/repair.hpp"
#include "prompt/prompt_library.hpp"

namespace aiopt {

void Repairs::note(const Proposal& proposal, const Evaluation& evaluation) {
  const bool is_new_failure = evaluation.status == EvaluationStatus::build_failed && !evaluation.reused_from;
  if (!is_on_ || !is_new_failure || proposal.model.empty() || proposal.emitter == kRepairEmitter) return;
  Ask ask;
  ask.parent = proposal.ask.parent;
  ask.change = ModelQuestion{std::string(kRepairPrompt), proposal.model, proposal.id};
  waiting_.push_back({proposal.island, std::string(kRepairEmitter), std::move(ask)});
}

std::optional<Scheduler::Turn> Repairs::next() {
  if (waiting_.empty()) return std::nullopt;
  Scheduler::Turn turn = std::move(waiting_.front());
  waiting_.pop_front();
  return turn;
}

Result<std::vector<ChatMessage>> repair_messages(const RunStore& store, const PromptBuilder& prompts, const Task& task,
                                                 CandidateId failed) {
  const Result<StoredEvaluation> stored = store.evaluation(failed);
  if (!stored) return stored.error();
  Result<std::vector<ChatMessage>> asked = messages_from_json(stored->proposal.prompt);
  if (!asked) {
    return Error{asked.error().code, fmt::format("run.db, proposal {}: {}", to_number(failed), asked.error().message)};
  }
  return prompts.build_repair(task, std::move(*asked), stored->proposal.reply, stored->evaluation.reason);
}

}  // namespace aiopt
