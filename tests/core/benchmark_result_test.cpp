/// Medians, speed-up and spread of benchmark runs.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <aiopt/evaluation.hpp>

using namespace aiopt;

namespace {

BenchmarkRun run_of(double throughput, std::optional<double> latency = {}) {
  BenchmarkRun run;
  run.throughput_ops_sec = throughput;
  run.latency_us = latency;
  return run;
}

BenchmarkRun timed_run(double cpu_seconds, double thread_seconds) {
  BenchmarkRun run;
  run.cpu_seconds = cpu_seconds;
  run.thread_seconds = thread_seconds;
  return run;
}

}  // namespace

TEST_CASE("throughput is the median of the runs, whatever their order") {
  const BenchmarkResult result{{run_of(300), run_of(100), run_of(200)}, {}};
  CHECK(result.throughput_ops_sec() == 200);
}

TEST_CASE("the median of an even number of runs is the mean of the two in the middle") {
  const BenchmarkResult result{{run_of(400), run_of(100), run_of(200), run_of(300)}, {}};
  CHECK(result.throughput_ops_sec() == 250);
}

TEST_CASE("without baseline runs a result is its own baseline and its speed-up is 1") {
  const BenchmarkResult result{{run_of(100, 8.0), run_of(300, 4.0)}, {}};
  CHECK(result.baseline_throughput_ops_sec() == 200);
  CHECK(result.baseline_latency_us() == 6.0);
  CHECK(result.speedup() == 1.0);
  CHECK(result.speedup_spread().lowest == 1.0);
  CHECK(result.speedup_spread().highest == 1.0);
}

TEST_CASE("the speed-up is the median of the pairs' ratios, not the ratio of the medians") {
  // The machine was twice as fast during the second pair: ratios 2, 1.5, 3.
  const BenchmarkResult result{{run_of(200), run_of(300), run_of(300)}, {run_of(100), run_of(200), run_of(100)}};
  CHECK(result.throughput_ops_sec() / result.baseline_throughput_ops_sec() == 3.0);
  CHECK(result.speedup() == 2.0);
  CHECK(result.speedup_spread().lowest == 1.5);
  CHECK(result.speedup_spread().highest == 3.0);
}

TEST_CASE("a run without a partner is in no ratio") {
  const BenchmarkResult result{{run_of(200), run_of(900)}, {run_of(100)}};
  CHECK(result.speedup() == 2.0);
  CHECK(result.speedup_spread().highest == 2.0);
}

TEST_CASE("a pair whose baseline counted nothing is left out") {
  const BenchmarkResult result{{run_of(200), run_of(200), run_of(0)}, {run_of(0), run_of(100), run_of(0)}};
  CHECK(result.speedup() == 2.0);
}

TEST_CASE("ratios and their logarithms are of the same pairs") {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  const BenchmarkResult result{{run_of(200), run_of(0), run_of(50), run_of(kInfinite), run_of(1e-300), run_of(7)},
                               {run_of(100), run_of(100), run_of(100), run_of(100), run_of(1e300)}};
  CHECK(result.ratios() == std::vector{2.0, 0.5, 0.0});
  const std::vector<double> logs = result.log_ratios();
  REQUIRE(logs.size() == 3);
  CHECK(logs[0] == doctest::Approx(std::log(2.0)));
  CHECK(logs[1] == doctest::Approx(-std::log(2.0)));
  CHECK(logs[2] == doctest::Approx(-600.0 * std::log(10.0)));  // Its ratio is below what a double holds.
  CHECK(BenchmarkResult{}.log_ratios().empty());
}

TEST_CASE("latency is the median of the runs that have one") {
  const BenchmarkResult result{{run_of(1, 5.0), run_of(1), run_of(1, 9.0), run_of(1, 6.0)}, {run_of(1, 12.0)}};
  CHECK(result.latency_us() == 6.0);
  CHECK(result.baseline_latency_us() == 12.0);
  CHECK_FALSE(BenchmarkResult{{run_of(1)}, {run_of(1)}}.latency_us());
}

TEST_CASE("the off-CPU ratio is the share of the threads' time in which they did not compute") {
  CHECK(timed_run(1.0, 4.0).off_cpu_ratio() == 0.75);
  CHECK(BenchmarkResult{{timed_run(1, 4), timed_run(2, 4), timed_run(0, 4)}, {}}.off_cpu_ratio() == 0.75);
}

TEST_CASE("the off-CPU ratio stays within 0 and 1 when the clocks disagree") {
  CHECK(timed_run(4.1, 4.0).off_cpu_ratio() == 0.0);
  CHECK(timed_run(-0.1, 4.0).off_cpu_ratio() == 1.0);
}

TEST_CASE("no off-CPU ratio is made up where thread time is not known") {
  CHECK_FALSE(timed_run(1.0, 0.0).off_cpu_ratio());
  CHECK_FALSE(timed_run(1.0, std::numeric_limits<double>::quiet_NaN()).off_cpu_ratio());
  CHECK_FALSE(BenchmarkResult{{timed_run(1, 0)}, {}}.off_cpu_ratio());
  CHECK(BenchmarkResult{{timed_run(1, 0), timed_run(1, 2)}, {}}.off_cpu_ratio() == 0.5);
}

TEST_CASE("a result without runs has medians of 0 and no latency") {
  const BenchmarkResult result;
  CHECK(result.throughput_ops_sec() == 0.0);
  CHECK(result.baseline_throughput_ops_sec() == 0.0);
  CHECK_FALSE(result.latency_us());
  CHECK(result.speedup() == 1.0);
}
