/// Profiles of coz, old and new, whole and torn.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "profile/coz_profile.hpp"
#include "profile/profile_fixture.hpp"

using namespace aiopt;

namespace {

CausalExperiments parsed(const std::string& text) {
  Result<CausalExperiments> profile = parse_coz(text);
  REQUIRE(profile.has_value());
  return *std::move(profile);
}

std::size_t experiment_count(const CausalExperiments& profile) {
  std::size_t count = 0;
  for (const CausalRun& run : profile.runs) count += run.experiments.size();
  return count;
}

/// Everything but the notes.
std::string as_text(const CausalExperiments& profile) {
  std::string text = profile.source + "\n";
  for (const CausalRun& run : profile.runs) {
    text += "run " + std::to_string(run.runtime_ns) + "\n";
    for (const auto& [place, count] : run.samples) text += place + " " + std::to_string(count) + "\n";
    for (const CausalExperiment& one : run.experiments) {
      text += one.selected + " " + std::to_string(one.virtual_speedup) + " " + std::to_string(one.duration_ns) + " " +
              std::to_string(one.selected_samples) + " " + std::to_string(one.delay_ns.value_or(-1)) + "\n";
      for (const ProgressVisits& visits : one.visits) {
        text += visits.point + (visits.is_latency ? " latency " : " ") + std::to_string(visits.arrivals) + " " +
                std::to_string(visits.departures) + " " + std::to_string(visits.difference) + "\n";
      }
    }
  }
  return text;
}

std::string only_note(const std::string& text) {
  const CausalExperiments profile = parsed(text);
  REQUIRE(profile.notes.size() == 1);
  return profile.notes[0];
}

}  // namespace

TEST_CASE("a run of coz that was killed keeps the experiments that had ended") {
  const CausalExperiments profile = parsed(profile_fixture("coz022.coz"));
  CHECK(profile.source == "coz");
  CHECK(profile.notes.empty());
  REQUIRE(profile.runs.size() == 1);
  REQUIRE(profile.runs[0].experiments.size() == 16);
  CHECK(profile.runs[0].runtime_ns == 0.0);
  const CausalExperiment& second = profile.runs[0].experiments[1];
  CHECK(second.selected == "lock.cpp:8");
  CHECK(second.virtual_speedup == 0.65);
  CHECK(second.duration_ns == 410486572.0);
  CHECK(second.selected_samples == 130);
  CHECK_FALSE(second.delay_ns.has_value());
  REQUIRE(second.visits.size() == 1);
  CHECK(second.visits[0].point == "op");
  CHECK(second.visits[0].arrivals == 12896);
}

TEST_CASE("JSON lines of coz are read like its text") {
  const CausalExperiments profile = parsed(profile_fixture("head.jsonl"));
  CHECK(profile.notes.empty());
  REQUIRE(profile.runs.size() == 1);
  CHECK(profile.runs[0].runtime_ns == 1523884120.0);
  CHECK(profile.runs[0].samples.at("/src/kv/cache.cpp:118") == 212);
  REQUIRE(profile.runs[0].experiments.size() == 2);
  const CausalExperiment& half = profile.runs[0].experiments[1];
  CHECK(half.virtual_speedup == 0.5);
  CHECK(half.selected_samples == 58);
  REQUIRE(half.visits.size() == 2);
  CHECK(half.visits[1].is_latency);
  CHECK(half.visits[1].departures == 450);
  CHECK(half.visits[1].difference == 3.0);
}

TEST_CASE("old spellings, decimal commas, JSON and text may be mixed in one file") {
  const CausalExperiments profile = parsed(profile_fixture("coz_mixed.coz"));
  CHECK(profile.notes.empty());
  REQUIRE(profile.runs.size() == 2);
  const CausalRun& first = profile.runs[0];
  REQUIRE(first.experiments.size() == 2);
  CHECK(first.experiments[1].virtual_speedup == 0.5);
  CHECK(first.experiments[0].visits[0].point == "op");
  CHECK(first.experiments[0].visits[1].point == "flush");
  CHECK(first.experiments[1].visits[1].is_latency);
  // runtime and samples are of the run so far: the last ones count.
  CHECK(first.runtime_ns == 1523884120.0);
  CHECK(first.samples.at("/src/kv/wal.cc:47") == 212);
  CHECK(profile.runs[1].runtime_ns == 0.0);
  CHECK(profile.runs[1].experiments.at(0).visits.at(1).departures == 208);
}

TEST_CASE("appended runs stay apart") {
  const CausalExperiments profile = parsed(profile_fixture("ours_c1_sleepline.coz"));
  REQUIRE(profile.runs.size() == 6);
  CHECK(experiment_count(profile) == 16);
  CHECK(profile.runs[2].experiments[0].virtual_speedup == 1.0);
  CHECK(profile.runs[5].samples.at("causal/c1.cpp:12") == 1);
}

TEST_CASE("bcoz is told by its delays and its classes") {
  const CausalExperiments line = parsed(profile_fixture("bcoz_line.coz"));
  CHECK(line.source == "bcoz");
  CHECK(line.runs.at(0).experiments.at(1).delay_ns == 13200000.0);
  const CausalExperiments subclass = parsed(profile_fixture("bcoz_subclass.coz"));
  CHECK(subclass.source == "bcoz");
  CHECK(subclass.runs.at(0).experiments.at(0).selected == "IO");
  CHECK(subclass.runs.at(0).experiments.at(2).selected == "SCHEDULING(IO,0.50%|)");
  CHECK(parsed("experiment\tselected=OFF_CPU\tspeedup=0.10\tduration=5\tselected-samples=1\n").source == "bcoz");
  CHECK(parsed("experiment\tselected=IO.cc:1\tspeedup=0.10\tduration=5\tselected-samples=1\n").source == "coz");
}

TEST_CASE("what is written for coz plot is read back the same") {
  for (const char* name : {"coz022.coz", "coz_mixed.coz", "head.jsonl", "ours_c1_sleepline.coz", "bcoz_line.coz",
                           "bcoz_subclass.coz", "seed_speedup.coz"}) {
    CAPTURE(name);
    const CausalExperiments profile = parsed(profile_fixture(name));
    const std::string text = to_coz_text(profile);
    CHECK(as_text(parsed(text)) == as_text(profile));
    CHECK(to_coz_text(parsed(text)) == text);
  }
  // Nothing is lost where coz wrote it, but for the time of the start.
  std::string original = profile_fixture("coz022.coz");
  original.replace(0, original.find('\n'), "startup\ttime=0");
  CHECK(to_coz_text(parsed(original)) == original);
}

TEST_CASE("numbers that coz itself does not write come back, too") {
  CausalExperiments profile;
  profile.source = "coz";
  CausalExperiment experiment;
  experiment.selected = "a\tb\n=c.cc:1";
  experiment.virtual_speedup = 1.0 / 3.0;
  experiment.duration_ns = -12.625;
  experiment.visits.push_back({"get = set", true, 7, 3, 0.1});
  profile.runs.push_back({{experiment}, 1e22, {{"x.cc:1", 18446744073709551615U}}});
  const CausalExperiments again = parsed(to_coz_text(profile));
  const CausalRun& run = again.runs.at(0);
  CHECK(run.experiments.at(0).selected == "a b =c.cc:1");
  CHECK(run.experiments.at(0).virtual_speedup == 1.0 / 3.0);
  CHECK(run.experiments.at(0).duration_ns == -12.625);
  CHECK(run.experiments.at(0).visits.at(0).point == "get = set");
  CHECK(run.experiments.at(0).visits.at(0).difference == 0.1);
  CHECK(run.runtime_ns == 1e22);
  CHECK(run.samples.at("x.cc:1") == 18446744073709551615U);
}

TEST_CASE("unreadable lines are counted, the first is named, and what belongs to them is left out") {
  const CausalExperiments profile = parsed(
      "startup\ttime=1\n"
      "experiment\tselected=a.cc:1\tspeedup=0.00\tduration=500\tselected-samples=1\n"
      "throughput-point\tname=op\tdelta=10\n"
      "experiment\tselected=a.cc:1\tspeedup=0.5\n"
      "throughput-point\tname=op\tdelta=99\n"
      "experiment\tselected=a.cc:1\tspeedup=1.50\tduration=500\tselected-samples=1\n"
      "experiment\tselected=a.cc:1\tspeedup=nan\tduration=500\tselected-samples=1\n"
      "experiment\tselected=a.cc:1\tspeedup=0.5\tduration=99999999999999999999e999\tselected-samples=1\n"
      "experiment\tselected=a.cc:1\tspeedup=0.50\tduration=400\tselected-samples=1\r\n"
      "throughput-point\tname=op\tdelta=-3\n"
      "throughput-point\tname=op\tdelta=12\n"
      "{\"type\":\"experiment\",\n");
  REQUIRE(experiment_count(profile) == 2);
  REQUIRE(profile.runs[0].experiments[0].visits.size() == 1);
  CHECK(profile.runs[0].experiments[0].visits[0].arrivals == 10);
  REQUIRE(profile.runs[0].experiments[1].visits.size() == 1);
  CHECK(profile.runs[0].experiments[1].visits[0].arrivals == 12);
  REQUIRE(profile.notes.size() == 1);
  CHECK(profile.notes[0] ==
        "7 of 12 lines could not be read; the first is line 4: \"experiment selected=a.cc:1 speedup=0.5\"");
}

TEST_CASE("a profile without an experiment says why, as far as it can be told") {
  CHECK(only_note("").find("the file is empty") != std::string::npos);
  CHECK(only_note("\n \n").find("the file is empty") != std::string::npos);
  CHECK(only_note("startup\ttime=1\n").find("killed") != std::string::npos);
  CHECK(only_note("startup\ttime=1\nruntime\ttime=9\n").find("no line was sampled") != std::string::npos);
  CHECK(only_note("startup\ttime=1\nruntime\ttime=9\nsamples\tlocation=a.cc:1\tcount=4\n")
            .find("no progress point was visited") != std::string::npos);
  CHECK(
      only_note("experiment\tselected=a.cc:1\tspeedup=0.00\tduration=5\tselected-samples=1\n").find("progress point") !=
      std::string::npos);
  CHECK(parsed("Overhead breakdown\n").notes.at(1).find("no line of the file is a record of coz") != std::string::npos);
}

TEST_CASE("summaries of speedups become a pair of experiments that say as much, and a note") {
  const CausalExperiments profile = parsed(profile_fixture("seed_speedup.coz"));
  REQUIRE(experiment_count(profile) == 4);
  const std::vector<CausalExperiment>& experiments = profile.runs.at(0).experiments;
  CHECK(experiments[0].selected == "/src/kv/wal.cc:47");
  CHECK(experiments[0].virtual_speedup == 0.0);
  CHECK(experiments[1].virtual_speedup == 1.0);
  CHECK(1.0 - experiments[1].duration_ns / experiments[0].duration_ns == doctest::Approx(0.235));
  CHECK(experiments[1].visits.at(0).arrivals == experiments[0].visits.at(0).arrivals);
  REQUIRE(profile.notes.size() == 1);
  CHECK(profile.notes[0].starts_with("2 lines say \"speedup\""));
  CHECK(experiment_count(parsed("speedup\ta.cc:1\t100\nspeedup\ta.cc:1\nspeedup\t\t5\n")) == 0);
}

TEST_CASE("a recording instead of text is an error that says what was handed over") {
  const Result<CausalExperiments> recording = parse_coz("PERFILE2\x68\x01");
  REQUIRE_FALSE(recording.has_value());
  CHECK(recording.error().message.find("perf.data") != std::string::npos);
  CHECK_FALSE(parse_coz("\x7f"
                        "ELF\x02")
                  .has_value());
}
