/// Claims: see the header.

#include "engine/claims.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engine/candidate_tree.hpp"
#include "source/patch_apply.hpp"

namespace aiopt {

namespace {

/// Far from the seeds of the search, whose candidates count from 1.
constexpr std::uint64_t kClaimSeed = 0xC1A1'0000'0000'0000;

double lower_speedup(const StoredClaim& claim) {
  return claim.benchmark.estimate ? claim.benchmark.estimate->lower : claim.benchmark.speedup();
}

/// Whether these claims are of that short list. One that lacks a claim, for a gate fired or for it has grown since, is
/// measured again.
bool are_of(const std::vector<StoredClaim>& claims, const std::vector<Elite>& list) {
  return claims.size() == list.size() && std::all_of(claims.begin(), claims.end(), [&](const StoredClaim& claim) {
           return std::any_of(list.begin(), list.end(),
                              [&](const Elite& elite) { return elite.candidate->id == claim.id; });
         });
}

/// One candidate against another on one workload; nothing, said why, if that can't be measured or a gate fires.
Result<std::optional<BenchmarkResult>> measure(const Candidate& candidate, const Candidate& against,
                                               const ComparisonOptions& how, Evaluator& evaluator, EventSink& events,
                                               const std::stop_token& stop) {
  Result<ComparisonResult> result = evaluator.compare(candidate, against, how, stop);
  if (!result && result.error().code == Error::Code::cancelled) return result.error();
  std::string why = result ? "" : result.error().message;
  if (result) {
    const auto fired =
        std::find_if(result->gates.begin(), result->gates.end(), [](const GateReport& gate) { return gate.fired; });
    if (fired == result->gates.end()) return std::optional(std::move(result->benchmark));
    why = fmt::format("the gate '{}': {}", fired->name, fired->detail);
  }
  events.on_notice(fmt::format("candidate {} makes no claim: {}", to_number(candidate.id), why));
  return std::optional<BenchmarkResult>{};
}

}  // namespace

std::vector<Elite> short_list(const Archive& archive, int most) {
  std::vector<Elite> list;
  for (const Elite* elite : archive.residents()) {
    // One that did not pass when it was measured again may be alone in its cell.
    const bool passes = elite->evaluation->status == EvaluationStatus::passed;
    if (elite->candidate->id != kBaselineId && passes) list.push_back(*elite);
  }
  std::stable_sort(list.begin(), list.end(), [](const Elite& a, const Elite& b) {
    return lower_confidence_bound(a.fitness) > lower_confidence_bound(b.fitness);
  });
  if (list.size() > static_cast<std::size_t>(most)) list.resize(static_cast<std::size_t>(most));
  return list;
}

Result<std::vector<StoredClaim>> make_claims(const Task& task, const EvolutionOptions& options,
                                             const SourceTree& baseline, const Archive& archive, Evaluator& evaluator,
                                             RunStore& store, EventSink& events, std::stop_token stop) {
  const std::vector<Elite> list = short_list(archive, options.claim_candidates);
  Result<std::vector<StoredClaim>> known = store.claims();
  if (!known) return known.error();
  if (options.claim_pairs <= 0 || are_of(*known, list)) return known;
  if (list.empty()) {  // Whoever made one did not pass when it was measured again.
    if (auto committed = store.commit_claims({}); !committed) return committed.error();
    return std::vector<StoredClaim>{};
  }

  std::vector<std::uint64_t> ids;
  for (const Elite& elite : list) ids.push_back(to_number(elite.candidate->id));
  events.on_notice(fmt::format("measuring the best again, outside the search: candidate{} {}, {} pairs each{}",
                               ids.size() > 1 ? "s" : "", fmt::join(ids, ", "), options.claim_pairs,
                               task.holdout ? ", and on the held-out workload" : ""));
  Candidate unmodified;
  unmodified.tree = baseline;
  std::vector<StoredClaim> claims;
  for (const Elite& elite : list) {
    ComparisonOptions how;
    how.pairs = options.claim_pairs;
    how.seed = kClaimSeed + options.seed + to_number(elite.candidate->id);
    auto benchmark = measure(*elite.candidate, unmodified, how, evaluator, events, stop);
    if (!benchmark) return benchmark.error();
    if (!*benchmark) continue;
    StoredClaim& claim = claims.emplace_back();
    claim.id = elite.candidate->id;
    claim.benchmark = std::move(**benchmark);
    if (!task.holdout) continue;
    how.holdout = true;
    how.builds_afresh = false;
    auto holdout = measure(*elite.candidate, unmodified, how, evaluator, events, stop);
    if (!holdout) return holdout.error();
    claim.holdout = std::move(*holdout);
  }
  std::stable_sort(claims.begin(), claims.end(),
                   [](const StoredClaim& a, const StoredClaim& b) { return lower_speedup(a) > lower_speedup(b); });
  if (claims.empty()) return claims;

  const Elite& best = *std::find_if(list.begin(), list.end(),
                                    [&](const Elite& elite) { return elite.candidate->id == claims.front().id; });
  const CandidateId parent_id = best.candidate->parent.value_or(kBaselineId);
  if (parent_id != kBaselineId) {
    Result<SourceTree> tree =
        candidate_tree(store, baseline, parent_id, PatchRules{task.editable, task.max_patch_bytes});
    if (!tree) return tree.error();
    Candidate parent;
    parent.id = parent_id;
    parent.tree = std::move(*tree);
    ComparisonOptions how;
    how.pairs = options.claim_pairs;
    how.seed = kClaimSeed + options.seed;
    auto against = measure(*best.candidate, parent, how, evaluator, events, stop);
    if (!against) return against.error();
    claims.front().against_parent = std::move(*against);
  }
  if (auto kept = store.commit_claims(claims); !kept) return kept.error();
  return claims;
}

}  // namespace aiopt
