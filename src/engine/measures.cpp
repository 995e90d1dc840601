/// The measures of fast mode.

#include "engine/measures.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>

namespace aiopt {

namespace {

Result<Measure> metric_of(const std::string& name, const BenchmarkResult& benchmark) {
  std::vector<double> values;
  for (const BenchmarkRun& run : benchmark.candidate) {
    if (const auto found = run.metrics.find(name); found != run.metrics.end()) values.push_back(found->second);
  }
  if (values.empty()) {
    std::vector<std::string> printed;
    if (!benchmark.candidate.empty()) {
      for (const auto& [metric, value] : benchmark.candidate.front().metrics) printed.push_back(metric);
    }
    return Error{Error::Code::not_found,
                 fmt::format("the archive's axis '{}' is no metric that the benchmark printed; it printed {}", name,
                             fmt::join(printed, ", "))};
  }
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return Measure(values.size() % 2 != 0 ? values[middle] : (values[middle - 1] + values[middle]) / 2);
}

}  // namespace

Result<std::vector<Measure>> measures_of(const std::vector<Axis>& axes, const Candidate& candidate,
                                         const Evaluation& evaluation) {
  const BenchmarkResult benchmark = evaluation.benchmark.value_or(BenchmarkResult{});
  std::vector<Measure> measures;
  for (const Axis& axis : axes) {
    if (axis.measure == "offcpu_ratio") {
      measures.emplace_back(benchmark.off_cpu_ratio().value_or(0.0));
    } else if (axis.measure == "function") {
      measures.emplace_back(candidate.changed_function);
    } else {
      Result<Measure> metric = metric_of(axis.measure, benchmark);
      if (!metric) return metric.error();
      measures.push_back(*metric);
    }
  }
  return measures;
}

}  // namespace aiopt
