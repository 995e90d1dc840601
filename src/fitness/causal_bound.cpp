/// What a causal profile bounds.

#include "fitness/causal_bound.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace aiopt {

namespace {

/// From a smaller one to the whole is too far a guess.
constexpr double kLeastSpeedupTried = 0.5;

/// With what starts and ends beside it.
constexpr double kOneThread = 1.2;

struct SourceLineRoom {
  double share = 0.0;
  double gives_back = 0.0;
};

/// The upper ends of the effects, as if the line took no time at all; nothing if no large virtual speedup was tried.
std::optional<double> most_given_back(const CausalTarget& target) {
  std::optional<double> most;
  for (const CausalPoint& point : target.curve) {
    if (point.virtual_speedup < kLeastSpeedupTried) continue;
    most = std::max(most.value_or(0.0), std::min(1.0, point.upper / point.virtual_speedup));
  }
  return most;
}

}  // namespace

std::optional<double> causal_bound(const Profile& baseline) {
  if (!baseline.causal || !baseline.off_cpu) return std::nullopt;
  if (baseline.off_cpu->lost > 0) return std::nullopt;  // There may have been more threads.
  if (!(baseline.off_cpu->threads > 0.0) || baseline.off_cpu->threads > kOneThread) return std::nullopt;
  // A line has a curve for each progress point: the one that gives it most counts.
  std::map<std::pair<std::string, int>, SourceLineRoom> lines;
  for (const CausalTarget& target : baseline.causal->targets) {
    if (target.scope != "line" || target.is_latency || !target.given.empty()) continue;
    const std::optional<double> most = most_given_back(target);
    if (!most) continue;
    SourceLineRoom& line = lines[{target.place.file, target.place.line}];
    line.share = target.share;
    line.gives_back = std::max(line.gives_back, *most);
  }
  double stays = 0.0;
  for (const auto& [place, line] : lines) stays += line.share - line.gives_back;
  if (stays <= 0.0) return std::nullopt;
  return 1.0 / std::min(stays, 1.0);
}

void check_causal_bound(const GatesTask& gates, const Profile& baseline, Evaluation& candidate) {
  if (std::ranges::find(gates.off, "causal_bound") != gates.off.end()) return;
  if (candidate.status != EvaluationStatus::passed || !candidate.benchmark || !candidate.benchmark->estimate) return;
  const std::optional<double> bound = causal_bound(baseline);
  if (!bound) return;
  GateReport report{"causal_bound", false, ""};
  const double gained = candidate.benchmark->estimate->lower;
  report.fired = gained > *bound;
  report.detail = fmt::format("{:.2f}x at least, and the profiles of the unmodified program leave room for {:.2f}x",
                              gained, *bound);
  if (report.fired) {
    candidate.status = EvaluationStatus::quarantined;
    candidate.reason = fmt::format("causal_bound: {}: look at the patch before you believe it", report.detail);
  }
  // A program that was known before brings the report of then.
  std::erase_if(candidate.gates, [](const GateReport& gate) { return gate.name == "causal_bound"; });
  candidate.gates.push_back(std::move(report));
}

}  // namespace aiopt
