/// What is left out of experiments.

#include "profile/causal_experiments.hpp"

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

CausalExperiment experiment_of(const std::string& selected) {
  CausalExperiment experiment;
  experiment.selected = selected;
  experiment.visits = {{"op"}, {"other"}, {"op"}};
  return experiment;
}

}  // namespace

TEST_CASE("experiments of lines that nobody asked for are taken out, however the line is written") {
  CausalExperiments experiments;
  experiments.runs.resize(2);
  for (const char* place : {"/w/src/crc.cc:12", "/w/src/crc.cc:13", "src/crc.cc:12", "/other/src/crc.cc:12"}) {
    experiments.runs[0].experiments.push_back(experiment_of(place));
  }
  for (const char* place : {"./wal.cc:7", "IO", "/w/wal.cc:7", "/w/wal.cc:70"}) {
    experiments.runs[1].experiments.push_back(experiment_of(place));
  }
  CHECK(keep_lines(experiments, {"/w/src/crc.cc:12", "/w/wal.cc:7"}, "/w") == 4);
  REQUIRE(experiments.runs[0].experiments.size() == 2);
  CHECK(experiments.runs[0].experiments[0].selected == "/w/src/crc.cc:12");
  CHECK(experiments.runs[0].experiments[1].selected == "src/crc.cc:12");
  REQUIRE(experiments.runs[1].experiments.size() == 2);
  CHECK(experiments.runs[1].experiments[0].selected == "./wal.cc:7");
  CHECK(experiments.runs[1].experiments[1].selected == "/w/wal.cc:7");
}

TEST_CASE("of several progress points one is kept") {
  CausalExperiments experiments;
  experiments.runs.resize(1);
  experiments.runs[0].experiments = {experiment_of("a.cc:1")};
  keep_progress_point(experiments, "op");
  CHECK(experiments.runs[0].experiments[0].visits.size() == 2);
  keep_progress_point(experiments, "none");
  CHECK(experiments.runs[0].experiments[0].visits.empty());
}
