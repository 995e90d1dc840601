/// Tests of the gates: what is seen from outside rules, and what is honest passes.

#include "evaluate/gates.hpp"

#include <chrono>

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

namespace aiopt {

using namespace std::chrono_literals;

namespace {

BenchmarkRun run_of(double operations, double claimed_seconds, double wall_seconds) {
  BenchmarkRun run;
  run.throughput_ops_sec = operations / claimed_seconds;
  run.metrics = {{"fill", run.throughput_ops_sec}, {"fill.operations", operations}};
  run.wall_seconds = wall_seconds;
  run.cpu_seconds = 0.2;
  run.peak_rss_bytes = 100 << 20;
  run.bytes_written = static_cast<std::uint64_t>(operations) * 4000;
  run.syncs = 64;
  return run;
}

struct Fixture {
  Fixture() {
    task.benchmark.throughput = "fill";
    task.gates.writers = 16;
    task.gates.bytes_per_operation = 4000.0;
    for (const double noise : {0.000, 0.004, 0.002}) {
      baseline.runs.push_back(run_of(640, 0.3, 0.35 + noise));
      candidate.runs.push_back(run_of(640, 0.1, 0.15 + noise));
    }
    baseline.witnesses.resize(3);
    candidate.witnesses.resize(3);
  }

  std::vector<std::string> fired() {
    charge_hidden_time(task.benchmark, candidate, baseline);
    std::vector<std::string> names;
    for (const GateReport& gate : check_gates(task, Workload::benchmark, candidate, baseline)) {
      if (gate.fired) names.push_back(gate.name);
    }
    return names;
  }

  Task task;
  RunSeries candidate;
  RunSeries baseline;
};

using Names = std::vector<std::string>;

TEST_CASE_FIXTURE(Fixture,
                  "an honest candidate that is three times as fast passes every gate, and is charged nothing") {
  CHECK(fired().empty());
  for (const BenchmarkRun& run : candidate.runs) CHECK(run.charged_seconds == 0.0);
  CHECK_FALSE(reason_of_gates(check_gates(task, Workload::benchmark, candidate, baseline)));
}

TEST_CASE_FIXTURE(Fixture, "a clock that runs slow is noticed: the time went by outside") {
  for (BenchmarkRun& run : candidate.runs) run.wall_seconds = 0.35;
  CHECK(fired() == Names{"clock"});
  CHECK(candidate.runs[0].charged_seconds == doctest::Approx(0.2).epsilon(0.05));
  CHECK(candidate.runs[0].throughput_ops_sec == doctest::Approx(640 / 0.3).epsilon(0.05));
  const auto reason = reason_of_gates(check_gates(task, Workload::benchmark, candidate, baseline));
  REQUIRE(reason);
  CHECK(reason->starts_with("rejected by the gate 'clock': it says 0.100 s;"));
}

TEST_CASE_FIXTURE(Fixture, "a result line that was made up is noticed") {
  for (BenchmarkRun& run : candidate.runs) {
    run.throughput_ops_sec = 99'999'999;
    run.metrics["fill"] = run.throughput_ops_sec;
  }
  CHECK(fired() == Names{"clock"});
}

TEST_CASE_FIXTURE(Fixture, "work hidden on an unsteady disk is noticed, and a start that took long in one run is not") {
  for (std::size_t i = 0; i < 3; ++i) candidate.runs[i].wall_seconds = std::vector{0.5, 1.0, 3.0}[i];
  CHECK(fired() == Names{"clock"});
  candidate.runs = {run_of(640, 0.1, 0.15), run_of(640, 0.1, 0.30), run_of(640, 0.1, 0.50)};
  CHECK(fired().empty());
}

TEST_CASE_FIXTURE(Fixture, "a little work moved behind the clock is charged, and no reason to reject") {
  for (BenchmarkRun& run : baseline.runs) run.wall_seconds = 1.05;
  for (BenchmarkRun& run : baseline.runs) run.throughput_ops_sec = run.metrics["fill"] = 640.0;
  for (BenchmarkRun& run : candidate.runs) run.throughput_ops_sec = run.metrics["fill"] = 640 / 0.8;
  for (BenchmarkRun& run : candidate.runs) run.wall_seconds = 0.8 + 0.05 + 0.05;
  CHECK(fired().empty());
  CHECK(candidate.runs[0].charged_seconds == doctest::Approx(0.05));
  CHECK(candidate.runs[0].throughput_ops_sec == doctest::Approx(640 / 0.85));
}

TEST_CASE_FIXTURE(Fixture, "the other benchmarks of a db_bench command are no hidden time") {
  for (RunSeries* side : {&baseline, &candidate}) {
    for (BenchmarkRun& run : side->runs) {
      const double seconds = side == &baseline ? 0.5 : 0.9;
      run.metrics["read"] = 1000 / seconds;
      run.metrics["read.operations"] = 1000;
      run.wall_seconds += seconds;
    }
  }
  CHECK(fired().empty());
}

TEST_CASE_FIXTURE(Fixture, "fewer operations than the unmodified program makes are noticed") {
  candidate.runs[1].metrics["fill.operations"] = 64;
  CHECK(fired() == Names{"work"});
}

TEST_CASE_FIXTURE(Fixture, "where a benchmark runs for a time, its count may differ") {
  baseline.runs[1] = run_of(600, 0.3, 0.35);
  candidate.runs[1] = run_of(700, 0.1, 0.15);
  CHECK(fired().empty());
}

TEST_CASE_FIXTURE(Fixture, "group commit passes with one sync for all writers, and one sync less is too few") {
  for (BenchmarkRun& run : candidate.runs) run.syncs = 40;
  CHECK(fired().empty());
  candidate.runs[2].syncs = 39;
  CHECK(fired() == Names{"syncs"});
}

TEST_CASE_FIXTURE(Fixture, "where no sync can be counted, nobody is accused") {
  candidate.runs[1].syncs.reset();
  CHECK(fired().empty());
}

TEST_CASE_FIXTURE(Fixture, "a file that each run leaves unsynced, and the unmodified program never, is noticed") {
  for (RunWitness& witness : baseline.witnesses) witness.unsynced_bytes = {{"db/000005.log", 0}, {"db/LOG", 4096}};
  for (RunWitness& witness : candidate.witnesses) witness.unsynced_bytes = {{"db/000007.log", 8192}};
  CHECK(fired() == Names{"syncs"});
  CHECK(reason_of_gates(check_gates(task, Workload::benchmark, candidate, baseline)) ==
        "rejected by the gate 'syncs': 8192 bytes of db/000007.log were not on the disk when the last synced operation "
        "had returned");

  // It may be chance, a file that nobody needs, or the unmodified program's way.
  candidate.witnesses[1].unsynced_bytes = {{"db/000007.log", 0}};
  CHECK(fired().empty());
  for (RunWitness& witness : candidate.witnesses) witness.unsynced_bytes = {{"db/scratch", 8192}, {"db/LOG", 8192}};
  CHECK(fired().empty());
  for (RunWitness& witness : candidate.witnesses) witness.unsynced_bytes = {{"db/000007.log", 8192}};
  baseline.witnesses[2].unsynced_bytes = {{"db/000009.log", 4096}};
  CHECK(fired().empty());
}

TEST_CASE_FIXTURE(Fixture, "a delay of syncs is twice what an operation takes, and none where that takes too long") {
  task.benchmark.run.timeout = 300s;
  // 16 writers and 6,400 operations a second: 2.5 ms each.
  CHECK(doubting_delay(task, candidate) == 5ms);
  for (BenchmarkRun& run : candidate.runs) run.throughput_ops_sec = 1e6;
  CHECK(doubting_delay(task, candidate) == 2ms);
  for (BenchmarkRun& run : candidate.runs) run.throughput_ops_sec = 640.0;
  CHECK(doubting_delay(task, candidate) == 0ms);  // 640 times 50 ms.
  for (BenchmarkRun& run : candidate.runs) run.throughput_ops_sec = 6400.0;
  task.benchmark.run.timeout = 10s;
  CHECK(doubting_delay(task, candidate) == 0ms);
}

TEST_CASE_FIXTURE(Fixture, "more operations a second than delayed syncs allow were not waited for") {
  RunSeries slowed;
  slowed.runs.push_back(run_of(640, 0.2, 0.25));  // 16 writers that wait 5 ms each make 3,200 a second.
  slowed.witnesses.resize(1);
  slowed.witnesses.front().delayed_syncs = 40;
  CHECK_FALSE(check_waits(task, 5ms, slowed).fired);
  slowed.runs.front() = run_of(640, 0.1, 0.35);
  const GateReport report = check_waits(task, 5ms, slowed);
  CHECK(report.fired);
  CHECK(report.name == "syncs");
  CHECK(
      report.detail ==
      "where each of 40 syncs took 5.0 ms longer it made 6400 operations a second; 16 writers that wait for them make "
      "at most 3200");

  // Not too many in all, for they are waited for at last; but not by those that asked for them.
  slowed.runs.front() = run_of(640, 3.2, 0.35);
  slowed.runs.front().metrics["fill.P50"] = 80.0;
  const GateReport late = check_waits(task, 5ms, slowed);
  CHECK(late.fired);
  CHECK(late.detail == "where each of 40 syncs took 5.0 ms longer half of the operations took at most 0.1 ms");
  slowed.runs.front().metrics["fill.P50"] = 5'100.0;
  CHECK_FALSE(check_waits(task, 5ms, slowed).fired);

  slowed.witnesses.front().delayed_syncs.reset();
  CHECK_FALSE(check_waits(task, 5ms, slowed).fired);  // Nobody could delay them.
  slowed.runs.clear();
  CHECK(check_waits(task, 5ms, slowed).fired);  // It does not end well where syncs take long.
}

TEST_CASE_FIXTURE(Fixture, "operations that take a small part of what a sync takes are noticed") {
  const auto set_half = [](RunSeries& side, double microseconds) {
    for (BenchmarkRun& run : side.runs) run.metrics["fill.P50"] = microseconds;
  };
  // 0.1 s without computing and 64 syncs: 1,562 us each.
  set_half(baseline, 20'000.0);
  set_half(candidate, 50.0);
  CHECK(fired() == Names{"syncs"});
  set_half(candidate, 70.0);
  CHECK(fired().empty());
  // The median operation computes 313 us: where that is what it takes, the disk is quick.
  set_half(baseline, 320.0);
  set_half(candidate, 5.0);
  CHECK(fired().empty());
  // A busy machine is no slow disk either: all the time was spent computing.
  set_half(baseline, 20'000.0);
  for (BenchmarkRun& run : baseline.runs) run.cpu_seconds = 0.3;
  CHECK(fired().empty());
}

TEST_CASE_FIXTURE(Fixture, "data that never went to a file is noticed") {
  candidate.runs[0].bytes_written = 1000;
  CHECK(fired() == Names{"writes"});
}

TEST_CASE_FIXTURE(Fixture, "what a run leaves behind or touches names its gate") {
  candidate.witnesses[1].files_changed = {"build/bench"};
  CHECK(fired() == Names{"protected_files"});
  candidate.witnesses[1] = {};
  candidate.witnesses[1].processes_left = 1;
  CHECK(fired() == Names{"left_processes"});
  candidate.witnesses[1] = {};
  candidate.witnesses[1].network_attempts = 1;
  CHECK(fired() == Names{"network"});
  candidate.witnesses[1] = {};
  candidate.witnesses[1].opened_run_folder = true;
  CHECK(fired() == Names{"run_folder"});
  candidate.witnesses[1] = {};
  candidate.witnesses[1].hit_memory_limit = true;
  CHECK(fired() == Names{"memory"});
  candidate.witnesses[1] = {};
  for (RunWitness& witness : candidate.witnesses) witness.cpu_after_end = std::chrono::milliseconds(30);
  CHECK(fired() == Names{"after_clock"});
}

TEST_CASE_FIXTURE(Fixture, "a file that the unmodified program leaves too is nobody's cheat, whatever number it has") {
  baseline.witnesses[0].files_left = {"run-4711.log"};
  candidate.witnesses[2].files_left = {"run-99.log"};
  CHECK(fired().empty());
  candidate.witnesses[2].files_left.push_back("cache.bin");
  CHECK(fired() == Names{"left_files"});
}

TEST_CASE_FIXTURE(Fixture, "memory and CPU time are held against the unmodified program's") {
  for (BenchmarkRun& run : candidate.runs) run.peak_rss_bytes = 250 << 20;
  CHECK(fired().empty());
  for (BenchmarkRun& run : candidate.runs) run.peak_rss_bytes = 300 << 20;
  CHECK(fired() == Names{"memory"});
  for (BenchmarkRun& run : candidate.runs) run.peak_rss_bytes = 100 << 20;
  for (BenchmarkRun& run : candidate.runs) run.cpu_seconds = 0.8;
  CHECK(fired().empty());
  for (BenchmarkRun& run : candidate.runs) run.cpu_seconds = 0.9;
  CHECK(fired() == Names{"cpu"});
}

TEST_CASE_FIXTURE(Fixture, "the verification is checked where the task has one") {
  candidate.witnesses[0].verify_failure = "key 17 is lost";
  CHECK(fired().empty());
  task.verify.command = "./verify";
  CHECK(fired() == Names{"verify"});
}

TEST_CASE_FIXTURE(Fixture, "what the task says of its benchmark is not held against the held-out workload") {
  task.verify.command = "./verify";
  task.holdout = task.benchmark;
  for (BenchmarkRun& run : candidate.runs) run.syncs = run.bytes_written = 0;
  const auto names = [&](Workload kind) {
    Names checked;
    for (const GateReport& gate : check_gates(task, kind, candidate, baseline)) checked.push_back(gate.name);
    std::sort(checked.begin(), checked.end());
    return checked;
  };
  Names left_out;
  const Names of_benchmark = names(Workload::benchmark);
  const Names of_holdout = names(Workload::holdout);
  std::set_difference(of_benchmark.begin(), of_benchmark.end(), of_holdout.begin(), of_holdout.end(),
                      std::back_inserter(left_out));
  CHECK(left_out == Names{"syncs", "verify", "writes"});
  CHECK_FALSE(reason_of_gates(check_gates(task, Workload::holdout, candidate, baseline)));
  CHECK(reason_of_gates(check_gates(task, Workload::benchmark, candidate, baseline)));
}

TEST_CASE_FIXTURE(Fixture, "a gate that the task turned off is not there") {
  candidate.runs[0].bytes_written = 1000;
  task.gates.off = {"writes"};
  CHECK(fired().empty());
  for (const GateReport& gate : check_gates(task, Workload::benchmark, candidate, baseline))
    CHECK(gate.name != "writes");
}

}  // namespace
}  // namespace aiopt
