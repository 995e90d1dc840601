/// EventSink: what the engine tells the terminal, the dashboard and the run log.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <aiopt/archive.hpp>
#include <aiopt/proposal.hpp>

namespace aiopt {

/// Where a run stands. Plain values: copied, not watched.
struct RunProgress {
  std::uint64_t evaluations = 0;  ///< Told so far, the baseline left out.
  std::uint64_t budget = 0;
  std::map<EvaluationStatus, std::uint64_t> outcomes;
  std::uint64_t reused = 0;  ///< Of `evaluations`: the tree had been evaluated before.
  std::uint64_t waiting_for_model = 0;
  std::uint64_t evaluating = 0;
  double seconds = 0.0;          ///< Of this and of earlier sittings of the run.
  double lane_busy_share = 0.0;  ///< Share of this sitting's time in which its lanes measured.
  double builds_at_once = 0.0;   ///< Builds and tests that ran side by side, on average over this sitting.
  TokenUsage tokens;
  double usd = 0.0;
  ArchiveStats archive;
  double best_speedup = 1.0;
  CandidateId best = kBaselineId;
};

/// Every call comes from the coordinator thread, in order. Don't block in one.
class EventSink {
 public:
  virtual ~EventSink();
  virtual void on_run_started(const RunProgress&, bool /*resumed*/) {}
  virtual void on_notice(const std::string& /*line*/) {}  ///< Something that the user should know.
  virtual void on_proposed(const Proposal&, const RunProgress&) {}
  virtual void on_told(const Proposal&, const Evaluation&, const std::optional<Fitness>&,
                       const std::optional<AddResult>&, const RunProgress&) {}
  virtual void on_tick(const RunProgress&) {}  ///< About four times a second while nothing else happens.
  virtual void on_run_finished(const RunProgress&) {}
};

}  // namespace aiopt
