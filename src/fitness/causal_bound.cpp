/// What a causal profile bounds.

#include "fitness/causal_bound.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace aiopt {

std::optional<double> causal_bound(const Profile& baseline) {
  if (!baseline.causal) return std::nullopt;
  // A line has a curve for each progress point: the one that gives it most counts.
  std::map<std::pair<std::string, int>, double> withheld;
  for (const CausalTarget& target : baseline.causal->targets) {
    if (target.share <= 0.0 || target.is_latency || !target.given.empty() || target.curve.size() < 2) continue;
    const double most = std::clamp(target.curve.back().upper, 0.0, 1.0);
    const double kept = std::max(0.0, target.share - most);
    const auto [found, is_new] = withheld.try_emplace({target.place.file, target.place.line}, kept);
    if (!is_new) found->second = std::min(found->second, kept);
  }
  double stays = 0.0;
  for (const auto& [line, kept] : withheld) stays += kept;
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
