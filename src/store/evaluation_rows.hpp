/// Evaluations as rows of run.db: the tables evaluation, stage and exchange.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/task.hpp>

#include "store/packed_text.hpp"
#include "store/run_store.hpp"
#include "store/sqlite.hpp"

namespace aiopt {

/// Writes within the caller's transaction. Keeps its statements.
class EvaluationWriter {
 public:
  static Result<EvaluationWriter> prepare(const Database& database);

  /// invalid_argument if it is something that could not be read back, or told and id are not new.
  /// @param stored_ask  The JSON of its ask in table ask, if it is there: then it is not written again.
  /// @param rng  The generator's state after it.
  Result<void> write(Database& database, TextPacker& packer, const StoredEvaluation& evaluation,
                     const std::vector<Axis>& axes, const std::optional<std::string>& stored_ask, std::string_view rng);

 private:
  Result<void> write_stages(Database& database, TextPacker& packer, const StoredEvaluation& evaluation);

  Statement evaluation_;
  Statement stage_;
  Statement exchange_;
};

/// Reads what EvaluationWriter, or a stranger, wrote: anything odd is an Error::Code::corruption.
class EvaluationReader {
 public:
  static Result<EvaluationReader> prepare(const Database& database);

  /// See RunStore::each_evaluation().
  Result<void> each(const Database& database, TextPacker& packer, const std::vector<Axis>& axes,
                    const std::function<Result<void>(StoredEvaluation)>& visit);

  /// Nothing if there is none of that id.
  Result<std::optional<StoredEvaluation>> read(const Database& database, TextPacker& packer,
                                               const std::vector<Axis>& axes, CandidateId id);

  struct Step {
    CandidateId parent = kBaselineId;
    std::optional<Patch> exact;
  };
  /// The step from its parent. Nothing if there is none of that id.
  Result<std::optional<Step>> step(const Database& database, TextPacker& packer, CandidateId id);

 private:
  Statement all_;
  Statement all_stages_;
  Statement one_;
  Statement one_stages_;
  Statement exchange_;
};

}  // namespace aiopt
