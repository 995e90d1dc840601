/// When the host is tested, what a test says, and that a changed host is noticed.

#include "engine/host_watch.hpp"

#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace aiopt;

namespace {

BenchmarkResult pairs_of(const std::vector<double>& candidate, double baseline) {
  BenchmarkResult result;
  for (const double throughput : candidate) {
    result.candidate.emplace_back().throughput_ops_sec = throughput;
    result.baseline.emplace_back().throughput_ops_sec = baseline;
  }
  return result;
}

/// A candidate's pairs, of which the baseline's throughput is what counts; it varies a little.
std::optional<std::string> note(HostWatch& host, double level, int number) {
  return host.note(pairs_of({2.0 * level, 2.0 * level}, level * (1.0 + 0.002 * (number % 3))));
}

}  // namespace

TEST_CASE("a test is due at the start, again after a hundred evaluations, and never while one runs") {
  HostWatch host(14);
  CHECK(host.is_due(0));
  host.begin_test(0);
  CHECK_FALSE(host.is_due(0));
  CHECK_FALSE(host.is_due(500));
  host.end_test(pairs_of({100, 101}, 100));
  CHECK_FALSE(host.is_due(99));
  CHECK(host.is_due(100));
  CHECK(host.is_due(130));
  host.begin_test(130);
  host.end_test(pairs_of({100, 101}, 100));
  CHECK_FALSE(host.is_due(229));
  CHECK(host.is_due(230));
}

TEST_CASE("a resumed sitting tests at once, however much was told before") {
  HostWatch host(14);
  CHECK(host.is_due(57));
  host.begin_test(57);
  host.end_test(pairs_of({100, 101}, 100));
  CHECK_FALSE(host.is_due(100));
  CHECK(host.is_due(157));
}

TEST_CASE("a test says what this host tells apart, in words and for run.db") {
  HostWatch host(14);
  host.begin_test(0);
  const NoiseFloor floor = host.end_test(pairs_of({100, 104, 97, 101, 96, 103, 99}, 100));
  CHECK(floor.pairs == 7);
  CHECK(floor.detectable_effect > 0.02);
  CHECK(floor.detectable_effect < 0.15);
  CHECK(floor.sentence.find("this host tells ") == 0);
  CHECK(floor.sentence.find(" % apart in 7 pairs") != std::string::npos);
  const nlohmann::json json = nlohmann::json::parse(floor.json);
  CHECK(json["sentence"] == floor.sentence);
  CHECK(json["pairs"] == 7);
  CHECK(json["log_ratios"].size() == 7);

  host.begin_test(100);
  const NoiseFloor quieter = host.end_test(pairs_of({100, 100.4, 99.7, 100.1, 99.6, 100.3, 99.9}, 100));
  CHECK(quieter.detectable_effect < 0.3 * floor.detectable_effect);
}

TEST_CASE("a single pair tells nothing, and claims nothing") {
  HostWatch host(14);
  host.begin_test(0);
  const NoiseFloor floor = host.end_test(pairs_of({100}, 100));
  CHECK(floor.pairs == 1);
  CHECK(floor.sentence.empty());
}

TEST_CASE("a baseline at another level is said once, and asks for a new test") {
  HostWatch host(14);
  host.begin_test(0);
  host.end_test(pairs_of({100, 101}, 100));
  for (int number = 0; number < 15; ++number) CHECK_FALSE(note(host, 1000.0, number));
  CHECK_FALSE(host.is_due(15));
  std::vector<std::string> said;
  for (int number = 0; number < 20; ++number) {
    if (const auto words = note(host, 800.0, number)) said.push_back(*words);
  }
  REQUIRE(said.size() == 1);
  CHECK(said[0].find("the unmodified program became 20 % slower") == 0);
  CHECK(host.is_due(35));
}

TEST_CASE("candidates of all speeds on a host that stays as it is are no drift") {
  HostWatch host(14);
  host.begin_test(0);
  host.end_test(pairs_of({100, 101}, 100));
  for (int number = 0; number < 60; ++number) {
    CHECK_FALSE(host.note(pairs_of({10.0 * number + 1.0}, 1000.0 * (1.0 + 0.002 * (number % 3)))));
  }
  CHECK_FALSE(host.note(BenchmarkResult{}));  // The baseline's own runs have no pairs.
}

TEST_CASE("a host's observation has its line for people") {
  HostFingerprint host;
  host.cpu_model = "Cortex-A76";
  host.cpus = 4;
  const nlohmann::json json = nlohmann::json::parse(host_observation(host));
  CHECK(json["line"] == describe(host));
  CHECK(json.size() > 1);
}
