/// The terminal's view of a run.

#include "view/terminal.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "core/reason.hpp"
#include "view/comparison_view.hpp"
#include "view/run_summary.hpp"

namespace aiopt {

namespace {

std::size_t columns_of(std::FILE* out) {
  winsize size{};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 100;
}

std::string format_tokens(std::uint64_t tokens) {
  if (tokens < 10'000) return fmt::format("{}", tokens);
  if (tokens < 10'000'000) return fmt::format("{}k", tokens / 1000);
  return fmt::format("{}M", tokens / 1'000'000);
}

std::string outcome_of(const Evaluation& evaluation, const std::optional<Fitness>& fitness) {
  if (evaluation.status != EvaluationStatus::passed) {
    return fmt::format("{}: {}", to_string(evaluation.status), telling_line(evaluation.reason));
  }
  const double objective = fitness ? fitness->objective : 0.0;
  if (!evaluation.benchmark) return fmt::format("objective {:.4f}", objective);
  const BenchmarkResult& benchmark = *evaluation.benchmark;
  return fmt::format("{}, objective {:.4f}", describe_speedup(benchmark), objective);
}

std::string_view mark_of(const std::optional<AddResult>& added) {
  if (!added) return "";
  switch (added->status) {
    case AddStatus::new_cell:
      return " [new cell]";
    case AddStatus::improve_existing:
      return " [better elite]";
    case AddStatus::shares_cell:
      return " [shares a cell]";
    case AddStatus::not_added:
      return "";
  }
  return "";
}

}  // namespace

TerminalView::TerminalView(std::FILE* out, bool live) : out_(out), live_(live) {}

TerminalView::~TerminalView() {
  clear();
}

void TerminalView::on_run_started(const RunProgress& progress, bool resumed) {
  first_seconds_ = progress.seconds;
  first_evaluations_ = progress.evaluations;
  best_speedup_ = progress.best_speedup;
  if (resumed) print(fmt::format("going on after {} of {} evaluations", progress.evaluations, progress.budget));
}

void TerminalView::on_notice(const std::string& line) {
  print(line);
}

void TerminalView::on_told(const Proposal& proposal, const Evaluation& evaluation,
                           const std::optional<Fitness>& fitness, const std::optional<AddResult>& added,
                           const RunProgress& progress) {
  if (proposal.id == kBaselineId) {
    if (!evaluation.benchmark) return;
    print(fmt::format(
        "baseline: {:.0f} ops/s{}", evaluation.benchmark->throughput_ops_sec(),
        evaluation.benchmark->latency_us() ? fmt::format(", {:.1f} us", *evaluation.benchmark->latency_us()) : ""));
    return;
  }
  const bool is_best = progress.best == proposal.id;
  // A terminal's line shows the count; what entered the archive is worth a line that stays.
  if (!live_ || is_best || (added && added->status != AddStatus::not_added)) {
    print(fmt::format(
        "[{}/{}] {} by {}: {}{}{}", progress.evaluations, progress.budget, to_number(proposal.id), proposal.emitter,
        outcome_of(evaluation, fitness),
        evaluation.reused_from ? fmt::format(" [same program as {}]", to_number(*evaluation.reused_from)) : "",
        is_best ? " [best]" : mark_of(added)));
  }
  if (live_) redraw(progress);
}

void TerminalView::on_tick(const RunProgress& progress) {
  if (live_) redraw(progress);
}

void TerminalView::on_run_finished(const RunProgress&) {
  clear();
}

/// A run does not end because its reader has gone or the log's disk is full.
void TerminalView::write(const std::string& text) {
  std::fputs(text.c_str(), out_);
  std::fflush(out_);
}

void TerminalView::print(const std::string& line) {
  clear();
  write(line + "\n");
}

void TerminalView::redraw(const RunProgress& progress) {
  const double minutes = (progress.seconds - first_seconds_) / 60.0;
  const double done = static_cast<double>(progress.evaluations - first_evaluations_);
  const std::string line = progress_line(progress, minutes > 0.0 ? done / minutes : 0.0);
  // The last column stays free: a full line would wrap and could not be drawn over.
  write("\r\033[K" + line.substr(0, columns_of(out_) - 1));
  line_is_drawn_ = true;
}

void TerminalView::clear() {
  if (!line_is_drawn_) return;
  write("\r\033[K");
  line_is_drawn_ = false;
}

std::string progress_line(const RunProgress& progress, double evaluations_per_minute) {
  std::string line =
      fmt::format("[{}/{}] best {} | {:.1f}/min | {} cells, {:.1f} % | lane {:.0f} %", progress.evaluations,
                  progress.budget, format_ratio(progress.best_speedup), evaluations_per_minute,
                  progress.archive.num_elites, 100.0 * progress.archive.coverage, 100.0 * progress.lane_busy_share);
  if (progress.builds_at_once >= 0.005) line += fmt::format(" | builds {:.2f}", progress.builds_at_once);
  if (progress.waiting_for_model > 0) line += fmt::format(" | {} at the model", progress.waiting_for_model);
  if (progress.evaluating > 0) line += fmt::format(" | {} evaluating", progress.evaluating);
  const std::uint64_t tokens = progress.tokens.prompt_tokens + progress.tokens.completion_tokens;
  if (tokens > 0) line += fmt::format(" | {} tokens", format_tokens(tokens));
  if (progress.usd > 0.0) line += fmt::format(" | ${:.2f}", progress.usd);
  if (evaluations_per_minute > 0.0 && progress.budget > progress.evaluations) {
    const double left = static_cast<double>(progress.budget - progress.evaluations) / evaluations_per_minute * 60.0;
    line += fmt::format(" | {} left", format_duration(left));
  }
  return line;
}

}  // namespace aiopt
