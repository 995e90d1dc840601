/// The seed's causal_fitness and the capped one: see the header.

#include "fitness/causal_fitness.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace aiopt {

namespace {

/// So that a latency below the clock's resolution does not make a score of its own.
constexpr double kLowestLatencyUs = 1.0;
constexpr double kLowestOffcpuRatio = 0.01;

/// What an evaluation has of the formula's inputs; nothing if it did not pass, or has nothing to be compared with.
std::optional<CausalFitnessInputs> inputs_of(const Evaluation& evaluation, const Evaluation& baseline) {
  if (evaluation.status != EvaluationStatus::passed || !evaluation.benchmark) return std::nullopt;
  const BenchmarkResult& measured = *evaluation.benchmark;
  const bool paired = !measured.baseline.empty();
  if (!paired && !baseline.benchmark) return std::nullopt;

  CausalFitnessInputs inputs;
  inputs.compiled = true;
  inputs.tests_passed = true;
  inputs.latency_us = measured.latency_us();
  std::optional<double> baseline_latency_us;
  if (paired) {
    inputs.baseline_throughput_ops_sec = measured.baseline_throughput_ops_sec();
    inputs.throughput_ops_sec = inputs.baseline_throughput_ops_sec * measured.speedup();
    baseline_latency_us = measured.baseline_latency_us();
  } else {
    inputs.baseline_throughput_ops_sec = baseline.benchmark->throughput_ops_sec();
    inputs.throughput_ops_sec = measured.throughput_ops_sec();
    baseline_latency_us = baseline.benchmark->latency_us();
  }
  if (!(inputs.baseline_throughput_ops_sec > 0)) return std::nullopt;
  if (!baseline_latency_us) inputs.latency_us.reset();
  inputs.baseline_latency_us = baseline_latency_us.value_or(0.0);
  if (evaluation.profile.causal) inputs.max_speedup_pct = evaluation.profile.causal->max_speedup;
  if (evaluation.profile.off_cpu && baseline.profile.off_cpu) {
    inputs.offcpu_ratio = evaluation.profile.off_cpu->ratio;
    inputs.baseline_offcpu_ratio = baseline.profile.off_cpu->ratio;
  }
  return inputs;
}

using Formula = double (*)(const CausalFitnessInputs&, const FitnessTask&);

class CausalFitness final : public FitnessFunction {
 public:
  CausalFitness(std::string_view name, Formula formula, FitnessTask task)
      : name_(name), formula_(formula), task_(std::move(task)) {}

  std::string_view name() const override { return name_; }

  double objective(const Evaluation& evaluation, const Evaluation& baseline) const override {
    const std::optional<CausalFitnessInputs> inputs = inputs_of(evaluation, baseline);
    return inputs ? formula_(*inputs, task_) : 0.0;
  }

 private:
  std::string_view name_;  ///< A literal.
  Formula formula_;
  FitnessTask task_;
};

/// Each 1 for the unmodified program, and larger for a better one.
struct Terms {
  double throughput = 1.0;
  double latency = 1.0;
  double causal = 1.0;
  double offcpu = 1.0;
};

Terms terms_of(const CausalFitnessInputs& inputs) {
  Terms terms;
  terms.throughput = inputs.throughput_ops_sec / inputs.baseline_throughput_ops_sec;
  if (inputs.latency_us) terms.latency = inputs.baseline_latency_us / std::max(*inputs.latency_us, kLowestLatencyUs);
  if (inputs.max_speedup_pct && *inputs.max_speedup_pct > 0)
    terms.causal = 1.0 + 0.01 * (100 - *inputs.max_speedup_pct);
  if (inputs.offcpu_ratio)
    terms.offcpu = inputs.baseline_offcpu_ratio / std::max(*inputs.offcpu_ratio, kLowestOffcpuRatio);
  return terms;
}

double weighted_sum(const Terms& terms, const FitnessTask& weights) {
  return round_to_4_places(weights.throughput_weight * terms.throughput + weights.latency_weight * terms.latency +
                           weights.causal_weight * terms.causal + weights.offcpu_weight * terms.offcpu);
}

}  // namespace

double causal_fitness(const CausalFitnessInputs& inputs, const FitnessTask& weights) {
  if (!inputs.compiled || !inputs.tests_passed) return 0.0;
  return weighted_sum(terms_of(inputs), weights);
}

double causal_capped_fitness(const CausalFitnessInputs& inputs, const FitnessTask& task) {
  if (!inputs.compiled || !inputs.tests_passed) return 0.0;
  Terms terms = terms_of(inputs);
  // Against the throughput that was measured, not what its own cap leaves of it.
  terms.offcpu = std::min({terms.offcpu, task.offcpu_cap, std::max(1.0, terms.throughput)});
  terms.throughput = std::min(terms.throughput, task.throughput_cap);
  terms.latency = std::min(terms.latency, task.latency_cap);
  terms.causal = std::min(terms.causal, task.causal_cap);
  return weighted_sum(terms, task);
}

double round_to_4_places(double value) {
  if (!std::isfinite(value)) return value;
  // By way of the decimal text, as Python does: multiplying by 10,000 first would round twice.
  std::array<char, 400> text;  // The largest double has 309 digits before the point.
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 4);
  double rounded = value;
  std::from_chars(text.data(), written.ptr, rounded);
  return rounded;
}

std::unique_ptr<FitnessFunction> make_causal_fitness(FitnessTask weights) {
  return std::make_unique<CausalFitness>("causal", causal_fitness, std::move(weights));
}

std::unique_ptr<FitnessFunction> make_causal_capped_fitness(FitnessTask task) {
  return std::make_unique<CausalFitness>("causal_capped", causal_capped_fitness, std::move(task));
}

std::unique_ptr<FitnessFunction> make_fitness(const FitnessTask& task) {
  if (task.name == "causal") return make_causal_fitness(task);
  if (task.name == "causal_capped") return make_causal_capped_fitness(task);
  return nullptr;
}

std::vector<std::string> fitness_names() {
  return {"causal", "causal_capped"};
}

}  // namespace aiopt
