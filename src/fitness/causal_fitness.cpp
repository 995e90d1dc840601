/// The seed's causal_fitness: see the header.

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

class CausalFitness final : public FitnessFunction {
 public:
  explicit CausalFitness(FitnessTask weights) : weights_(std::move(weights)) {}

  std::string_view name() const override { return "causal"; }

  double objective(const Evaluation& evaluation, const Evaluation& baseline) const override {
    if (evaluation.status != EvaluationStatus::passed || !evaluation.benchmark) return 0.0;
    const BenchmarkResult& measured = *evaluation.benchmark;
    const bool paired = !measured.baseline.empty();
    if (!paired && !baseline.benchmark) return 0.0;

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
    if (!(inputs.baseline_throughput_ops_sec > 0)) return 0.0;
    if (!baseline_latency_us) inputs.latency_us.reset();
    inputs.baseline_latency_us = baseline_latency_us.value_or(0.0);
    return causal_fitness(inputs, weights_);
  }

 private:
  FitnessTask weights_;
};

}  // namespace

double causal_fitness(const CausalFitnessInputs& inputs, const FitnessTask& weights) {
  if (!inputs.compiled || !inputs.tests_passed) return 0.0;

  const double throughput_score = inputs.throughput_ops_sec / inputs.baseline_throughput_ops_sec;
  double latency_score = 1.0;
  if (inputs.latency_us) latency_score = inputs.baseline_latency_us / std::max(*inputs.latency_us, kLowestLatencyUs);
  double causal_score = 1.0;
  if (inputs.max_speedup_pct && *inputs.max_speedup_pct > 0)
    causal_score = 1.0 + 0.01 * (100 - *inputs.max_speedup_pct);
  double offcpu_score = 1.0;
  if (inputs.offcpu_ratio)
    offcpu_score = inputs.baseline_offcpu_ratio / std::max(*inputs.offcpu_ratio, kLowestOffcpuRatio);

  return round_to_4_places(weights.throughput_weight * throughput_score + weights.latency_weight * latency_score +
                           weights.causal_weight * causal_score + weights.offcpu_weight * offcpu_score);
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
  return std::make_unique<CausalFitness>(std::move(weights));
}

std::unique_ptr<FitnessFunction> make_fitness(const FitnessTask& task) {
  if (task.name == "causal") return make_causal_fitness(task);
  return nullptr;
}

std::vector<std::string> fitness_names() {
  return {"causal"};
}

}  // namespace aiopt
