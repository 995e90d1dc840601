/// Builds the messages that ask a model for a patch, from the texts in prompts/.

#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/chat_client.hpp>
#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

#include "prompt/predicted_edit.hpp"

namespace aiopt {

/// A candidate that failed, as the prompt tells of it.
struct Failure {
  CandidateId id = kBaselineId;
  EvaluationStatus status = EvaluationStatus::patch_rejected;
  std::string reason;
  std::string patch;  ///< As the model wrote it, shortened.
};

/// What one prompt is made from. Borrowed for the call.
struct PromptContext {
  const Task& task;
  const Elite& parent;
  const Evaluation& baseline;
  std::vector<const Elite*> inspirations;
  const std::deque<Failure>& failures;  ///< The last ones, oldest first.
  /// What "changed" is said against; without it other elites are compared with the parent.
  const SourceTree* baseline_tree = nullptr;
  /// Of the program that the parent was made from: its profile is what the bottleneck card compares with. Null for the
  /// baseline, or if it is not at hand.
  const Evaluation* parents_parent = nullptr;
  std::vector<PredictedEdit> edits = {};  ///< For the card, oldest first: see predicted_edit().
};

/// Reads the texts once. Thread-compatible.
class PromptBuilder {
 public:
  /// Texts come from the first of `folders` that has them: the task's own, then aiopt's. Errors name the file and the
  /// placeholder that prompts/README.md does not list.
  static Result<PromptBuilder> load(const std::vector<std::filesystem::path>& folders);

  PromptBuilder(PromptBuilder&&) noexcept;
  PromptBuilder& operator=(PromptBuilder&&) noexcept;
  ~PromptBuilder();

  /// The system and the user message. `prompt` is the name of a text: "diff_user".
  /// not_found if there is none of that name.
  Result<std::vector<ChatMessage>> build(const std::string& prompt, const PromptContext& context) const;

  /// `asked` and the model's reply to it, and then why its patch did not build, by the text "repair_user".
  /// not_found if there is none of that name.
  Result<std::vector<ChatMessage>> build_repair(const Task& task, std::vector<ChatMessage> asked,
                                                const std::string& reply, std::string_view reason) const;

 private:
  struct Impl;
  explicit PromptBuilder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Where aiopt's own prompts are: $AIOPT_PROMPTS, else where they were installed, else beside the source it was built
/// from.
std::filesystem::path default_prompt_folder();

}  // namespace aiopt
