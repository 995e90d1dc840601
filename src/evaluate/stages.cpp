/// Running a stage, and putting its failure into words.

#include "evaluate/stages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/text.hpp"
#include "core/reason.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kKeptOutputBytes = 16 << 10;
constexpr std::size_t kReasonBytes = 3 << 10;
constexpr int kReasonLines = 24;

StageStatus status_of(const CommandResult& result) {
  if (result.succeeded()) return StageStatus::passed;
  if (std::holds_alternative<TimedOut>(result.end)) return StageStatus::timed_out;
  // A shell reports the signal that ended its command as 128 + N.
  const int code = result.exit_code();
  return code > 128 && code < 128 + 65 ? StageStatus::crashed : StageStatus::failed;
}

}  // namespace

Result<StageReport> run_stage(Stage stage, const StageCommand& stage_command, const std::filesystem::path& workspace,
                              std::stop_token stop, CommandResult* result) {
  Command command;
  command.line = stage_command.command;
  command.directory = workspace;
  command.timeout = stage_command.timeout;
  command.count_threads = stage == Stage::benchmark;
  Result<CommandResult> ran = run_command(command, std::move(stop));
  if (!ran) return ran.error();
  if (std::holds_alternative<Cancelled>(ran->end)) {
    return Error{Error::Code::cancelled, fmt::format("the {} was cancelled", to_string(stage))};
  }

  log_debug(fmt::format("{}: {} ended with {} after {:.2f} s: {}", workspace.string(), to_string(stage),
                        ran->how_it_ended(), std::chrono::duration<double>(ran->wall_time).count(), command.line));

  StageReport report;
  report.stage = stage;
  report.status = status_of(*ran);
  report.exit_code = ran->exit_code();
  report.wall_time = ran->wall_time;
  report.cpu_time = ran->cpu_time;
  report.peak_rss_bytes = ran->peak_rss_bytes;
  report.output = valid_utf8(shorten_middle(ran->output, kKeptOutputBytes));
  if (result != nullptr) *result = std::move(*ran);
  return report;
}

EvaluationStatus status_of_failure(const StageReport& report) {
  if (report.status == StageStatus::timed_out) return EvaluationStatus::timed_out;
  if (report.stage == Stage::build) return EvaluationStatus::build_failed;
  if (report.status == StageStatus::crashed) return EvaluationStatus::crashed;
  return report.stage == Stage::test ? EvaluationStatus::tests_failed : EvaluationStatus::benchmark_failed;
}

std::string reason_of_failure(const StageReport& report, std::string_view how_it_ended) {
  std::string reason = fmt::format("the {} ended with {}", to_string(report.stage), how_it_ended);
  const std::vector<std::string_view> lines = split_lines(report.output);
  // From the first line that names an error on: what follows a compiler's error explains it.
  auto first = first_error(lines);
  if (first == lines.end()) first = lines.end() - std::min<std::ptrdiff_t>(kReasonLines, std::ssize(lines));
  const auto last = first + std::min<std::ptrdiff_t>(kReasonLines, lines.end() - first);
  std::string excerpt;
  for (auto line = first; line != last; ++line) excerpt.append("\n").append(*line);
  return reason + (excerpt.empty() ? "; it printed nothing" : ":" + shorten_middle(excerpt, kReasonBytes));
}

}  // namespace aiopt
