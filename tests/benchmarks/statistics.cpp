/// What the statistics of pairs are worth, by simulation: how often intervals hold the truth, how often a race sees
/// what is not there or misses what is, how many pairs it takes, and what a look costs.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "measure/noise_shapes.hpp"
#include "measure/paired_estimate.hpp"
#include "measure/sequential_test.hpp"

using namespace aiopt;

namespace {

/// Of a pair's log-ratio: an ordinary machine, nothing else on it.
constexpr double kPairSd = 0.04;

double percent(int count, int of) {
  return 100.0 * count / of;
}

void print_coverage(int repetitions) {
  fmt::print("\nOne interval: share that holds the truth in %, mean half-width in standard deviations of the noise\n");
  fmt::print("{:<12}{:>11}", "noise", "confidence");
  const std::vector<std::size_t> counts = {3, 4, 5, 6, 7, 8, 9, 10, 14, 20, 30};
  for (const std::size_t pairs : counts) fmt::print("{:>12}", fmt::format("n = {}", pairs));
  fmt::print("\n");
  for (const NoiseShape& shape : kNoiseShapes) {
    for (const double confidence : {0.95, 0.985, 0.99}) {
      fmt::print("{:<12}{:>10.1f}%", shape.name, 100.0 * confidence);
      for (const std::size_t pairs : counts) {
        Rng rng(20261125);
        int held = 0;
        double half_widths = 0.0;
        for (int repetition = 0; repetition < repetitions; ++repetition) {
          std::vector<double> log_ratios(pairs);
          for (double& log_ratio : log_ratios) log_ratio = shape.draw(rng);
          const PairedEstimate estimate = estimate_pairs(log_ratios, confidence);
          if (estimate.lower <= shape.location && shape.location <= estimate.upper) ++held;
          half_widths += 0.5 * (estimate.upper - estimate.lower);
        }
        fmt::print("{:>12}", fmt::format("{:.1f} / {:.2f}", percent(held, repetitions), half_widths / repetitions));
      }
      fmt::print("\n");
    }
  }
}

/// What came of many races of a candidate with that log speed-up.
struct Races {
  int faster = 0;
  int slower = 0;
  double pairs = 0.0;
  int always_held = 0;  ///< Races of which every look's interval held the truth.
};

template <typename NewPairs>
Races run_races(const SequentialTest& test, double log_speedup, double sd, int repetitions, const NewPairs& new_pairs) {
  Rng rng(20261126);
  Races races;
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    auto next_noise = new_pairs(rng);
    std::vector<double> log_ratios;
    Look look;
    look.next_look = test.looks().front();
    bool held = true;
    while (!look.is_last) {
      while (static_cast<int>(log_ratios.size()) < look.next_look)
        log_ratios.push_back(log_speedup + sd * next_noise());
      look = test.look(log_ratios);
      held = held && look.estimate.lower <= log_speedup && log_speedup <= look.estimate.upper;
    }
    races.pairs += look.estimate.pairs;
    if (look.verdict == Verdict::faster) ++races.faster;
    if (look.verdict == Verdict::slower) ++races.slower;
    if (held) ++races.always_held;
  }
  races.pairs /= repetitions;
  return races;
}

template <typename NewPairs>
void print_race(std::string_view name, const SequentialTest& test, double sd, int repetitions,
                const NewPairs& new_pairs) {
  const Races same = run_races(test, 0.0, sd, repetitions, new_pairs);
  fmt::print("{:<12}{:>8.1f}{:>8.1f}{:>8.1f}{:>8.1f}", name, percent(same.faster, repetitions),
             percent(same.slower, repetitions), percent(same.always_held, repetitions), same.pairs);
  for (const double speedup : {0.90, 0.95, 0.98, 1.02, 1.05, 1.10, 1.25}) {
    const Races races = run_races(test, std::log(speedup), sd, repetitions / 4, new_pairs);
    const int right = speedup < 1.0 ? races.slower : races.faster;
    fmt::print("{:>13}", fmt::format("{:.1f} / {:.1f}", percent(right, repetitions / 4), races.pairs));
  }
  fmt::print("\n");
}

void print_races(const RacingRules& rules, double sd, int repetitions) {
  const SequentialTest test(rules);
  fmt::print("\nRaces with looks at");
  for (std::size_t i = 0; i < test.looks().size(); ++i) {
    fmt::print(" {} ({:.2f} %)", test.looks()[i], 100.0 * test.confidences()[i]);
  }
  fmt::print(", half width {}, pairs of sd {:.1f} %\n", rules.half_width, 100.0 * sd);
  fmt::print(
      "A/A: % told faster, % told slower, % of races whose every interval held the truth, mean pairs; then, of\n"
      "candidates at that speed, % told so / mean pairs\n");
  fmt::print("{:<12}{:>8}{:>8}{:>8}{:>8}", "noise", "faster", "slower", "held", "pairs");
  for (const char* speed : {"0.90", "0.95", "0.98", "1.02", "1.05", "1.10", "1.25"}) fmt::print("{:>13}", speed);
  fmt::print("\n");
  for (const NoiseShape& shape : kNoiseShapes) {
    print_race(shape.name, test, sd, repetitions,
               [&shape](Rng& rng) { return [&shape, &rng] { return shape.draw(rng) - shape.location; }; });
  }
  print_race("drift", test, sd, repetitions,
             [](Rng& rng) { return [machine = DriftingMachine(rng)]() mutable { return machine.log_ratio(); }; });
}

/// What engines do that run the candidate once and compare with a baseline that was run once.
template <typename NewPairs>
void print_unpaired(std::string_view name, int repetitions, const NewPairs& one_comparison) {
  Rng rng(20261127);
  int any = 0;
  int above_2 = 0;
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    const double log_ratio = kPairSd * one_comparison(rng);
    if (log_ratio > 0.0) ++any;
    if (log_ratio > std::log(1.02)) ++above_2;
  }
  fmt::print("{:<12}{:>12.1f}{:>12.1f}\n", name, percent(any, repetitions), percent(above_2, repetitions));
}

void print_single_runs(int repetitions) {
  fmt::print("\nOne run against one run, A/A: % told faster\n{:<12}{:>12}{:>12}\n", "noise", "by any", "by > 2 %");
  for (const NoiseShape& shape : kNoiseShapes) print_unpaired(shape.name, repetitions, shape.draw);
  print_unpaired("drift", repetitions, [](Rng& rng) {
    DriftingMachine machine(rng);
    const double baseline = machine.run();
    double candidate = machine.run();
    for (std::size_t later = rng.index(40); later > 0; --later) candidate = machine.run();
    return candidate - baseline;
  });
}

void print_cost() {
  fmt::print("\nCPU time of a look\n");
  const SequentialTest test;
  for (const int pairs : test.looks()) {
    constexpr int kLooks = 100;
    Rng rng(1);
    std::vector<double> log_ratios(static_cast<std::size_t>(pairs));
    for (double& log_ratio : log_ratios) log_ratio = rng.normal();
    const auto before = process_cpu_time();
    for (int look = 0; look < kLooks; ++look) {
      log_ratios.front() += 0.001;
      if (test.look(log_ratios).estimate.pairs != pairs) std::abort();
    }
    const std::chrono::duration<double, std::micro> spent = process_cpu_time() - before;
    fmt::print("{:>4} pairs: {:.0f} us\n", pairs, spent.count() / kLooks);
  }
}

}  // namespace

/// @param argv an optional number of repetitions; 4,000 take some minutes
int main(int argc, char** argv) {
  const int repetitions = argc > 1 ? std::atoi(argv[1]) : 4000;
  if (repetitions < 4) {
    fmt::print(stderr, "statistics: repetitions must be at least 4\n");
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  print_cost();
  print_single_runs(repetitions * 10);
  print_races(RacingRules{}, kPairSd, repetitions);
  print_races(RacingRules{}, 0.01, repetitions);
  RacingRules compared;
  compared.max_pairs = 50;
  for (const double sd : {kPairSd, 0.06, 0.08}) print_races(compared, sd, repetitions / 2);
  print_coverage(repetitions);
  return 0;
}
