/// The measures, of the benchmark and of profiles.

#include "engine/measures.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace aiopt {

namespace {

constexpr const char* kNotProfiled = "not profiled";
constexpr const char* kNothing = "none";

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

/// The function of the target that would pay off most, or its class of waits: lines move with every patch.
std::string hotspot_of(const Profile& profile) {
  if (!profile.causal) return kNotProfiled;
  if (profile.causal->targets.empty() || profile.causal->targets.front().max_effect <= 0.0) return kNothing;
  const CausalTarget& first = profile.causal->targets.front();
  if (!first.place.function.empty()) return first.place.function;
  return first.scope == "line" ? first.place.file : first.scope;
}

/// In which function threads wait most, and for what most of that; empty if nowhere. A call of fsync sleeps in several
/// functions of the kernel: their shares add up.
std::pair<std::string, WaitClass> first_blocker(const OffCpuProfile& profile) {
  struct Waits {
    double share = 0.0;
    std::map<WaitClass, double> by_class;
  };
  std::map<std::string, Waits> by_function;
  for (const Blocker& blocker : profile.top_blockers) {
    Waits& waits = by_function[blocker.place.function];
    waits.share += blocker.share;
    waits.by_class[blocker.kind] += blocker.share;
  }
  if (by_function.empty()) return {"", WaitClass::other};
  const auto share = [](const auto& entry) { return entry.second; };
  const auto first = std::ranges::max_element(by_function, {}, [](const auto& entry) { return entry.second.share; });
  return {first->first, std::ranges::max_element(first->second.by_class, {}, share)->first};
}

Result<Measure> measure_of(const std::string& name, const Candidate& candidate, const Evaluation& evaluation) {
  if (name == "offcpu_ratio") return Measure(evaluation.off_cpu_ratio().value_or(0.0));
  if (name == "function") return Measure(candidate.changed_function);
  if (name == "causal_hotspot") return Measure(hotspot_of(evaluation.profile));
  if (name == "offcpu_class" || name == "offcpu_function") {
    if (!evaluation.profile.off_cpu) return Measure(std::string(kNotProfiled));
    const auto [function, kind] = first_blocker(*evaluation.profile.off_cpu);
    if (function.empty()) return Measure(std::string(kNothing));
    return Measure(name == "offcpu_class" ? std::string(to_string(kind)) : function);
  }
  return metric_of(name, evaluation.benchmark.value_or(BenchmarkResult{}));
}

}  // namespace

Result<std::vector<Measure>> measures_of(const std::vector<Axis>& axes, const Candidate& candidate,
                                         const Evaluation& evaluation) {
  std::vector<Measure> measures;
  for (const Axis& axis : axes) {
    Result<Measure> measure = measure_of(axis.measure, candidate, evaluation);
    if (!measure) return measure.error();
    measures.push_back(std::move(*measure));
  }
  return measures;
}

}  // namespace aiopt
