/// Remeasurement: see the header.

#include "core/remeasurement.hpp"

#include <utility>

namespace aiopt {

void append_pairs(BenchmarkResult& benchmark, const BenchmarkResult& more) {
  benchmark.candidate.insert(benchmark.candidate.end(), more.candidate.begin(), more.candidate.end());
  benchmark.baseline.insert(benchmark.baseline.end(), more.baseline.begin(), more.baseline.end());
  benchmark.estimate = more.estimate;
}

std::optional<AddResult> update_elite(Archive& archive, CandidateId id, const Evaluation& again,
                                      const Fitness& fitness) {
  const Elite* elite = archive.find(id);
  if (elite == nullptr) return std::nullopt;
  auto all = std::make_shared<Evaluation>(*elite->evaluation);
  if (again.benchmark && all->benchmark) append_pairs(*all->benchmark, *again.benchmark);
  all->status = again.status;
  all->reason = again.reason;
  return archive.update(id, std::move(all), fitness);
}

}  // namespace aiopt
