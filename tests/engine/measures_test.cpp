/// Tests of measures: where a profiled candidate lies, and one without a profile.

#include "engine/measures.hpp"

#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

using namespace aiopt;

namespace {

const std::vector<Axis> kAxes = {{"offcpu_ratio", Axis::Kind::linear, 10, 0.0, 1.0},
                                 {"causal_hotspot", Axis::Kind::category, 64, 0.0, 1.0},
                                 {"offcpu_class", Axis::Kind::category, 4, 0.0, 1.0},
                                 {"offcpu_function", Axis::Kind::category, 64, 0.0, 1.0}};

Evaluation benchmarked() {
  Evaluation evaluation;
  BenchmarkRun run;
  run.throughput_ops_sec = 1.0;
  run.cpu_seconds = 1.0;
  run.thread_seconds = 4.0;
  evaluation.benchmark = BenchmarkResult{{run}, {}};
  return evaluation;
}

std::vector<Measure> measures(const Evaluation& evaluation) {
  Candidate candidate;
  candidate.changed_function = "Wal::append";
  const Result<std::vector<Measure>> found = measures_of(kAxes, candidate, evaluation);
  REQUIRE(found);
  return *found;
}

}  // namespace

TEST_CASE("without a profile the off-CPU ratio is by accounting, and the rest says that there is none") {
  const std::vector<Measure> found = measures(benchmarked());
  CHECK(std::get<double>(found[0]) == 0.75);
  for (const int axis : {1, 2, 3})
    CHECK(std::get<std::string>(found[static_cast<std::size_t>(axis)]) == "not profiled");
}

TEST_CASE("a profile's ratio without idle waits counts, its first blocker and its first credible target") {
  Evaluation evaluation = benchmarked();
  OffCpuProfile& off_cpu = evaluation.profile.off_cpu.emplace();
  off_cpu.ratio = 0.5;
  off_cpu.ratio_with_idle = 0.9;
  off_cpu.top_blockers = {{{"Wal::sync", "src/wal.cc", 4}, WaitClass::io, 0.4, "", {}},
                          {{"Db::put", "src/db.cc", 9}, WaitClass::lock, 0.1, "", {}}};
  CausalProfile& causal = evaluation.profile.causal.emplace();
  causal.targets.resize(2);
  causal.targets[0].place = {"Db::commit", "src/db.cc", 51};
  causal.targets[0].max_effect = 0.3;
  causal.targets[1].place = {"crc", "src/crc.cc", 3};
  causal.targets[1].max_effect = 0.2;
  CHECK(measures(evaluation) ==
        std::vector<Measure>{0.5, std::string("Db::commit"), std::string("io"), std::string("Wal::sync")});

  // A line outside of what the functions are known of; a class of waits.
  causal.targets[0].place = {"", "lib/a.cc", 3};
  causal.targets[0].scope = "line";
  CHECK(std::get<std::string>(measures(evaluation)[1]) == "lib/a.cc");
  causal.targets[0].place = {};
  causal.targets[0].scope = "lock";
  CHECK(std::get<std::string>(measures(evaluation)[1]) == "lock");
}

TEST_CASE("the first blocker is the function that waits most, wherever in the kernel it sleeps") {
  Evaluation evaluation = benchmarked();
  OffCpuProfile& off_cpu = evaluation.profile.off_cpu.emplace();
  off_cpu.top_blockers = {{{"Db::put", "src/db.cc", 9}, WaitClass::lock, 0.3, "futex_do_wait", {}},
                          {{"Wal::sync", "src/wal.cc", 4}, WaitClass::io, 0.2, "jbd2_log_wait_commit", {}},
                          {{"Wal::sync", "src/wal.cc", 4}, WaitClass::io, 0.15, "folio_wait_bit", {}},
                          {{"Wal::sync", "src/wal.cc", 4}, WaitClass::scheduling, 0.1, "", {}}};
  const std::vector<Measure> found = measures(evaluation);
  CHECK(std::get<std::string>(found[2]) == "io");
  CHECK(std::get<std::string>(found[3]) == "Wal::sync");
  // Of two kinds, each less than the other function's.
  off_cpu.top_blockers[2].kind = WaitClass::lock;
  CHECK(std::get<std::string>(measures(evaluation)[2]) == "io");
  CHECK(std::get<std::string>(measures(evaluation)[3]) == "Wal::sync");
}

TEST_CASE("a profile that found nothing is no missing profile") {
  Evaluation evaluation = benchmarked();
  evaluation.profile.off_cpu.emplace();
  evaluation.profile.causal.emplace();
  evaluation.profile.causal->targets.resize(1);
  evaluation.profile.causal->targets.front().place.function = "f";  // Without an effect that can be believed.
  CHECK(measures(evaluation) ==
        std::vector<Measure>{0.0, std::string("none"), std::string("none"), std::string("none")});
}
