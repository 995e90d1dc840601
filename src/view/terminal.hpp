/// TerminalView: one live line on a terminal, plain lines in a pipe.

#pragma once

#include <cstdio>
#include <string>

#include <aiopt/event_sink.hpp>

namespace aiopt {

class TerminalView final : public EventSink {
 public:
  /// @param out   Usually stderr; borrowed.
  /// @param live  Whether `out` is a terminal that can redraw a line.
  TerminalView(std::FILE* out, bool live);
  ~TerminalView() override;

  void on_run_started(const RunProgress& progress, bool resumed) override;
  void on_notice(const std::string& line) override;
  void on_told(const Proposal& proposal, const Evaluation& evaluation, const std::optional<Fitness>& fitness,
               const std::optional<AddResult>& added, const RunProgress& progress) override;
  void on_tick(const RunProgress& progress) override;
  void on_run_finished(const RunProgress& progress) override;

 private:
  void write(const std::string& text);
  void print(const std::string& line);
  void redraw(const RunProgress& progress);
  void clear();

  std::FILE* out_;
  bool live_;
  bool line_is_drawn_ = false;
  double best_speedup_ = 1.0;
  double first_seconds_ = 0.0;  ///< Of the run, when this sitting began.
  std::uint64_t first_evaluations_ = 0;
};

/// "[12/60] best 2.31x | 14.2/min | 9 cells, 4.5 % | lane 71 % | 2 building | 12k tokens | 3 min 20 s left"
std::string progress_line(const RunProgress& progress, double evaluations_per_minute);

}  // namespace aiopt
