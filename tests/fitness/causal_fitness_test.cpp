/// causal_fitness: the seed's formula, worked by hand, and how an Evaluation is put into it.

#include "fitness/causal_fitness.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace aiopt;

namespace {

/// Passed, with the seed's own baselines: 100,000 ops/s, 500 us, 25 % off-CPU; as good as the baseline, no profile.
CausalFitnessInputs seed_inputs() {
  CausalFitnessInputs inputs;
  inputs.compiled = true;
  inputs.tests_passed = true;
  inputs.throughput_ops_sec = 100'000;
  inputs.latency_us = 500;
  inputs.baseline_throughput_ops_sec = 100'000;
  inputs.baseline_latency_us = 500;
  inputs.baseline_offcpu_ratio = 0.25;
  return inputs;
}

CausalFitnessInputs measured(double throughput, std::optional<double> latency, std::optional<double> max_speedup,
                             std::optional<double> offcpu) {
  CausalFitnessInputs inputs = seed_inputs();
  inputs.throughput_ops_sec = throughput;
  inputs.latency_us = latency;
  inputs.max_speedup_pct = max_speedup;
  inputs.offcpu_ratio = offcpu;
  return inputs;
}

BenchmarkRun run(double throughput, std::optional<double> latency = std::nullopt) {
  BenchmarkRun run;
  run.throughput_ops_sec = throughput;
  run.latency_us = latency;
  return run;
}

Evaluation passed(std::vector<BenchmarkRun> candidate, std::vector<BenchmarkRun> baseline = {}) {
  Evaluation evaluation;
  evaluation.benchmark = BenchmarkResult{std::move(candidate), std::move(baseline)};
  return evaluation;
}

}  // namespace

TEST_CASE("a failed build or a failed test is worth 0, whatever was measured") {
  CausalFitnessInputs inputs = measured(1e6, 1.0, 1.0, 0.0);
  inputs.compiled = false;
  CHECK(causal_fitness(inputs) == 0.0);
  inputs.compiled = true;
  inputs.tests_passed = false;
  CHECK(causal_fitness(inputs) == 0.0);
  CHECK(causal_fitness({}) == 0.0);
}

TEST_CASE("worked values of the seed's formula") {
  // The baseline itself, no profilers: .30 * 1 + .20 * 1 + .30 * 1 + .20 * 1
  CHECK(causal_fitness(measured(100'000, 500, {}, {})) == 1.0);
  // Both profiles: .30 * 1.5 + .20 * (500/400 = 1.25) + .30 * (1 + .01 * 80 = 1.8) + .20 * (.25/.20 = 1.25)
  //              = .45 + .25 + .54 + .25
  CHECK(causal_fitness(measured(150'000, 400, 20, 0.20)) == 1.49);
  // Half the throughput, twice the latency: .30 * .5 + .20 * .5 + .30 + .20
  CHECK(causal_fitness(measured(50'000, 1000, {}, {})) == 0.75);
  // Causal alone, nothing left to win: the term falls to 1 + .01 * 0, so .30 + .20 + .30 + .20
  CHECK(causal_fitness(measured(100'000, 500, 100, {})) == 1.0);
  // Causal alone, half a percent left: .30 + .20 + .30 * (1 + .995) + .20 = .70 + .5985
  CHECK(causal_fitness(measured(100'000, 500, 0.5, {})) == 1.2985);
  // A maximum of 0 is no finding: the term is 1, not 2
  CHECK(causal_fitness(measured(100'000, 500, 0, 0.25)) == 1.0);
  // A negative one neither; double throughput, half the latency and off-CPU: .60 + .40 + .30 + .40
  CHECK(causal_fitness(measured(200'000, 250, -5, 0.125)) == 1.7);
  // More than 100 % takes away: .30 * 0 + .20 + .30 * (1 - .5) + .20 * (.25/.50 = .5) = .20 + .15 + .10
  CHECK(causal_fitness(measured(0, 500, 150, 0.5)) == 0.45);
  // Off-CPU alone, and never blocked: .30 + .20 + .30 + .20 * (.25 / .01 = 25) = .80 + 5
  CHECK(causal_fitness(measured(100'000, 500, {}, 0.0)) == 5.8);
  // At the floor exactly: the same
  CHECK(causal_fitness(measured(100'000, 500, {}, 0.01)) == 5.8);
  // A latency below 1 us counts as 1: .30 + .20 * 500 + .30 + .20
  CHECK(causal_fitness(measured(100'000, 0.5, {}, {})) == 100.8);
  // No latency at all: its term is 1
  CHECK(causal_fitness(measured(300'000, {}, {}, {})) == 1.6);
  // The seed's two example lines: .30 * 1.23456789 + .20 * (500/4.56 = 109.649122...) + .30 + .20
  //                             = .370370367 + 21.9298245... + .50
  CHECK(causal_fitness(measured(123456.789, 4.56, {}, {})) == 22.8002);
  // Everything at once: .30 * 3.37187 + .20 * 40 + .30 * 1.625 + .20 * 5 = 1.011561 + 8 + .4875 + 1
  CHECK(causal_fitness(measured(337'187, 12.5, 37.5, 0.05)) == 10.4991);
}

TEST_CASE("weights are the task's") {
  FitnessTask weights;
  weights.throughput_weight = 1.0;
  weights.latency_weight = weights.causal_weight = weights.offcpu_weight = 0.0;
  CHECK(causal_fitness(measured(250'000, 1.0, 1.0, 0.01), weights) == 2.5);
}

TEST_CASE("a program that spins instead of sleeping wins under causal and gets nothing for it under causal_capped") {
  const CausalFitnessInputs sleeps = measured(100'000, 500, {}, 0.25);
  const CausalFitnessInputs spins = measured(100'000, 500, {}, 0.0);
  CHECK(causal_fitness(sleeps) == 1.0);
  CHECK(causal_fitness(spins) == 5.8);
  CHECK(causal_capped_fitness(sleeps, {}) == 1.0);
  CHECK(causal_capped_fitness(spins, {}) == 1.0);
  // Nor if the spinning costs throughput: .30 * .8 + .70
  CHECK(causal_capped_fitness(measured(80'000, 500, {}, 0.0), {}) == 0.94);
  // Nor if it is hardly faster: .30 * 1.02 + .50 + .20 * 1.02
  CHECK(causal_capped_fitness(measured(102'000, 500, {}, 0.0), {}) == 1.01);
}

TEST_CASE("under causal_capped no term counts beyond its cap, and the off-CPU term not beyond the throughput's") {
  // Throughput has no cap: .30 * 40 + .70
  CHECK(causal_capped_fitness(measured(4'000'000, 500, {}, {}), {}) == 12.7);
  // Latency 2 at most, of 500: .30 + .20 * 2 + .50
  CHECK(causal_capped_fitness(measured(100'000, 1, {}, {}), {}) == 1.2);
  // Off-CPU 1.25 at most where throughput doubled: .60 + .20 + .30 + .20 * 1.25
  CHECK(causal_capped_fitness(measured(200'000, 500, {}, 0.0), {}) == 1.35);
  // Below its cap it is itself: .25/.22 = 1.13636: .60 + .20 + .30 + .227273
  CHECK(causal_capped_fitness(measured(200'000, 500, {}, 0.22), {}) == 1.3273);
  // What is worse than the baseline counts in full: .30 * 2 + .20 * .5 + .30 + .20 * .5
  CHECK(causal_capped_fitness(measured(200'000, 1000, {}, 0.5), {}) == 1.1);
  FitnessTask task;
  task.throughput_cap = 1.5;
  task.latency_cap = 1.1;
  task.causal_cap = 1.2;
  task.offcpu_cap = 3.0;
  // .30 * 1.5 + .20 * 1.1 + .30 * 1.2 + .20 * min(25, 3, 2)
  CHECK(causal_capped_fitness(measured(200'000, 1, 10, 0.0), task) == 1.43);
  CHECK(causal_fitness(measured(200'000, 1, 10, 0.0), task) == causal_fitness(measured(200'000, 1, 10, 0.0)));
  CHECK(causal_capped_fitness({}, task) == 0.0);
}

TEST_CASE("rounding to 4 places is Python's round()") {
  struct Row {
    double value, rounded;
  };
  // Left as typed into python3, right as round(x, 4) printed it.
  const std::vector<Row> rows = {
      // Exactly between two in binary as well: half to even.
      {0.03125, 0.0312},
      {0.09375, 0.0938},
      {0.15625, 0.1562},
      {0.21875, 0.2188},
      {1.03125, 1.0312},
      {1.09375, 1.0938},
      {4096.03125, 4096.0312},
      {-0.03125, -0.0312},
      // A tie in decimal only: what the double really holds decides.
      {1.00005, 1.0001},
      {1.00015, 1.0002},
      {1.00025, 1.0003},
      {2.67575, 2.6757},
      {12345.67895, 12345.6789},
      {0.00015, 0.0001},
      {0.00025, 0.0003},
      {0.00035, 0.0003},
      {0.99995, 1.0},
      {0.99994999999999, 0.9999},
      {5e-05, 0.0001},
      {4.9999999999e-05, 0.0},
      {10.499061000000001, 10.4991},
      {1000000000000000.2, 1000000000000000.2},
      {1e22, 1e22},
      {std::numeric_limits<double>::max(), std::numeric_limits<double>::max()},
  };
  for (const Row& row : rows) {
    CAPTURE(row.value);
    CHECK(round_to_4_places(row.value) == row.rounded);
  }
  CHECK(round_to_4_places(std::numeric_limits<double>::infinity()) == std::numeric_limits<double>::infinity());
}

TEST_CASE("in fast mode the baseline against itself is worth 1") {
  const Evaluation baseline = passed({run(1000, 40), run(1100, 42), run(900, 44)});
  CHECK(make_causal_fitness({})->objective(baseline, baseline) == 1.0);
}

TEST_CASE("pairs rule over the baseline of the run's start, and their median ratio is the throughput term") {
  // Ratios 2, 1.5 and 3: the median is 2, though the medians' ratio is 1500 / 1000.
  const Evaluation candidate = passed({run(2000), run(1500), run(1200)}, {run(1000), run(1000), run(400)});
  const Evaluation start = passed({run(1)});
  // .30 * 2 + .70
  CHECK(make_causal_fitness({})->objective(candidate, start) == 1.3);
}

TEST_CASE("latency is compared with that of the pairs' baseline runs") {
  const Evaluation candidate =
      passed({run(100, 20), run(100, 25), run(100, 90)}, {run(100, 50), run(100, 60), run(100, 40)});
  // Medians 25 and 50: .30 + .20 * 2 + .50
  CHECK(make_causal_fitness({})->objective(candidate, passed({run(100, 1)})) == 1.2);
}

TEST_CASE("without pairs the baseline's own evaluation is compared with") {
  // .30 * 1.5 + .20 * (30/20) + .50
  CHECK(make_causal_fitness({})->objective(passed({run(150, 20)}), passed({run(100, 30)})) == 1.25);
}

TEST_CASE("profiles give the causal and the off-CPU term, and count only where both sides have one") {
  const auto fitness = make_causal_fitness({});
  Evaluation baseline = passed({run(100)});
  baseline.profile.off_cpu.emplace().ratio = 0.8;
  baseline.profile.off_cpu->ratio_with_idle = 0.99;
  Evaluation candidate = passed({run(100)});
  candidate.profile.off_cpu.emplace().ratio = 0.4;
  candidate.profile.causal.emplace().max_speedup = 40.0;
  // .50 + .30 * (1 + 0.01 * 60) + .20 * (0.8 / 0.4)
  CHECK(fitness->objective(candidate, baseline) == 1.38);
  baseline.profile.off_cpu.reset();
  CHECK(fitness->objective(candidate, baseline) == 1.18);
  candidate.profile.causal->max_speedup = 0.0;  // Nothing credible was found: as without a profile.
  CHECK(fitness->objective(candidate, baseline) == 1.0);
}

TEST_CASE("a latency that one side lacks leaves its term at 1") {
  const auto fitness = make_causal_fitness({});
  CHECK(fitness->objective(passed({run(200)}), passed({run(100, 30)})) == 1.3);
  CHECK(fitness->objective(passed({run(200, 10)}), passed({run(100)})) == 1.3);
}

TEST_CASE("whatever did not pass, or has nothing to compare with, is worth 0") {
  const auto fitness = make_causal_fitness({});
  const Evaluation baseline = passed({run(100)});
  Evaluation candidate = passed({run(500)});
  for (int status = 1; status <= static_cast<int>(EvaluationStatus::no_reply); ++status) {
    candidate.status = static_cast<EvaluationStatus>(status);
    CHECK(fitness->objective(candidate, baseline) == 0.0);
  }
  CHECK(fitness->objective(Evaluation{}, baseline) == 0.0);
  CHECK(fitness->objective(passed({run(500)}), Evaluation{}) == 0.0);
  CHECK(fitness->objective(passed({run(500)}), passed({run(0)})) == 0.0);
  CHECK(fitness->objective(passed({run(500)}, {run(0)}), baseline) == 0.0);
}

TEST_CASE("a fitness function is made by its task's name, with its task's weights") {
  for (const std::string& name : fitness_names()) {
    FitnessTask task;
    task.name = name;
    CHECK(make_fitness(task)->name() == name);
  }
  FitnessTask task;
  task.throughput_weight = 1.30;
  CHECK(make_fitness(task)->objective(passed({run(200)}), passed({run(100)})) == 3.3);
  task.name = "causal_capped";
  task.throughput_cap = 1.5;
  CHECK(make_fitness(task)->objective(passed({run(200)}), passed({run(100)})) == 2.65);
  task.name = "causall";
  CHECK(make_fitness(task) == nullptr);
}
