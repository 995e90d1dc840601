/// An elite that is measured again: a row of run.db like any other, by an emitter of its own.

#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <aiopt/archive.hpp>
#include <aiopt/evaluation.hpp>

namespace aiopt {

/// Proposal::emitter of such an evaluation. Its Ask::parent is the elite, its patch is empty, and its fitness and its
/// benchmark's estimate are of all pairs of the elite, the earlier ones too.
inline constexpr std::string_view kRemeasureEmitter = "remeasure";

/// Puts the pairs of `more` behind those of `benchmark`; the estimate is that of `more`.
void append_pairs(BenchmarkResult& benchmark, const BenchmarkResult& more);

/// Tells the archive what an elite's new pairs showed, and whether it passed this time. Nothing if `id` is no longer in
/// it.
/// @throws std::invalid_argument as Archive::update()
std::optional<AddResult> update_elite(Archive& archive, CandidateId id, const Evaluation& again,
                                      const Fitness& fitness);

}  // namespace aiopt
