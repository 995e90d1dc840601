/// How a candidate stands among the elites, by what is known before its causal profile.

#include "engine/standings.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace aiopt;

namespace {

const std::vector<Axis> kGridAxes = {{"offcpu_ratio", Axis::Kind::linear, 10, 0.0, 1.0},
                                     {"causal_hotspot", Axis::Kind::category, 64, 0.0, 1.0},
                                     {"function", Axis::Kind::category, 64, 0.0, 1.0}};

Candidate changing(std::string function) {
  Candidate candidate;
  candidate.changed_function = std::move(function);
  return candidate;
}

Evaluation waiting(double ratio, double speedup) {
  Evaluation evaluation;
  BenchmarkRun run;
  run.throughput_ops_sec = speedup;
  BenchmarkRun baseline;
  baseline.throughput_ops_sec = 1.0;
  evaluation.benchmark = BenchmarkResult{{run}, {baseline}};
  evaluation.profile.off_cpu.emplace().ratio = ratio;
  return evaluation;
}

Standings standings_with(double ratio, const std::string& function, double speedup) {
  const Elite elite{std::make_shared<const Candidate>(changing(function)),
                    std::make_shared<const Evaluation>(waiting(ratio, speedup)),
                    {speedup, {ratio, std::string("not profiled"), function}}};
  return {kGridAxes, {&elite}};
}

}  // namespace

TEST_CASE("where no elite lies on the axes that are known, a candidate opens a cell, however slow it is") {
  const Standings standings = standings_with(0.55, "put", 2.0);
  CHECK(standings.of(changing("put"), waiting(0.75, 0.9)) == EliteStanding::opens_cell);
  CHECK(standings.of(changing("get"), waiting(0.55, 0.9)) == EliteStanding::opens_cell);
  CHECK(Standings(kGridAxes, {}).of(changing("put"), waiting(0.5, 0.9)) == EliteStanding::opens_cell);
}

TEST_CASE("in an elite's cell it leads if it is faster, and else is behind") {
  const Standings standings = standings_with(0.55, "put", 2.0);
  CHECK(standings.of(changing("put"), waiting(0.58, 2.5)) == EliteStanding::leads_cell);
  CHECK(standings.of(changing("put"), waiting(0.51, 1.9)) == EliteStanding::behind);
}

TEST_CASE("a name for which there is no cell left opens none") {
  std::vector<Axis> axes = kGridAxes;
  axes[2].cells = 1;
  const Candidate candidate = changing("put");
  const Elite elite{std::make_shared<const Candidate>(candidate),
                    std::make_shared<const Evaluation>(waiting(0.5, 1.0)),
                    {1.0, {0.5, std::string("none"), std::string("put")}}};
  CHECK(Standings(axes, {&elite}).of(changing("get"), waiting(0.9, 2.0)) == EliteStanding::behind);
  CHECK(Standings(axes, {&elite}).of(changing("put"), waiting(0.9, 2.0)) == EliteStanding::opens_cell);
}

TEST_CASE("what lacks a measure of the archive's is behind") {
  const std::vector<Axis> axes = {{"cache_misses", Axis::Kind::linear, 10, 0.0, 1.0}};
  CHECK(Standings(axes, {}).of(changing("put"), waiting(0.5, 2.0)) == EliteStanding::behind);
}
