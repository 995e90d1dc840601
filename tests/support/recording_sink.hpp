/// RecordingSink: remembers what the engine told.

#pragma once

#include <functional>
#include <string>
#include <vector>

#include <aiopt/event_sink.hpp>

namespace aiopt {

class RecordingSink final : public EventSink {
 public:
  void on_notice(const std::string& line) override { notices.push_back(line); }
  void on_told(const Proposal& proposal, const Evaluation& evaluation, const std::optional<Fitness>&,
               const std::optional<AddResult>&, const RunProgress& progress) override {
    told.push_back(proposal.id);
    statuses.push_back(evaluation.status);
    last = progress;
    if (after_told) after_told(progress);
  }

  std::vector<std::string> notices;
  std::vector<CandidateId> told;  ///< The baseline first.
  std::vector<EvaluationStatus> statuses;
  RunProgress last;
  std::function<void(const RunProgress&)> after_told;
};

}  // namespace aiopt
