/// SmallRun: all that a run needs, on a FakeEvaluator and a one-file program; store, prompts and search are real.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/files.hpp"
#include "engine/evolution.hpp"
#include "support/fake_evaluator.hpp"
#include "support/recording_sink.hpp"

namespace aiopt {

/// A reply that sets the program's value, as a model would give it: the whole file.
std::string reply_text_with_value(std::uint64_t value);

class SmallRun {
 public:
  /// @throws std::runtime_error if aiopt's prompts cannot be read
  SmallRun();

  /// A run.db in a folder of that name, below folder.
  std::unique_ptr<RunStore> create_store(const std::string& name = "run");
  std::unique_ptr<RunStore> open_store(const std::string& name = "run");
  std::string exported(const std::string& name = "run");

  Result<RunEnd> run(RunStore& store, ChatClient& chat, const EvolutionOptions& options, StopTokens stop = {});

  TemporaryFolder folder;
  Task task;
  SourceTree baseline;
  FakeEvaluator evaluator;
  RecordingSink sink;    ///< Of the last run().
  RunProgress progress;  ///< Of the last run().
  std::function<void(const RunProgress&)> after_told;

 private:
  std::optional<PromptBuilder> prompts_;
};

}  // namespace aiopt
