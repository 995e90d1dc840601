/// Elites and proposals with as little in them as a test of the search needs.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <aiopt/archive.hpp>
#include <aiopt/proposal.hpp>

namespace aiopt {

inline Elite make_elite(std::uint64_t id, double objective, SourceTree tree = {}) {
  Candidate candidate;
  candidate.id = CandidateId{id};
  candidate.tree = std::move(tree);
  Evaluation evaluation;
  evaluation.id = candidate.id;
  return {std::make_shared<const Candidate>(std::move(candidate)),
          std::make_shared<const Evaluation>(std::move(evaluation)),
          {objective, {}}};
}

inline Proposal make_proposal(std::uint64_t id, std::string emitter, Ask ask) {
  Proposal proposal;
  proposal.id = CandidateId{id};
  proposal.emitter = std::move(emitter);
  proposal.ask = std::move(ask);
  return proposal;
}

inline Evaluation make_evaluation(std::uint64_t id, EvaluationStatus status = EvaluationStatus::passed) {
  Evaluation evaluation;
  evaluation.id = CandidateId{id};
  evaluation.status = status;
  return evaluation;
}

}  // namespace aiopt
