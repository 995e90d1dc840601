/// coz's command line, and how many experiments a plan leaves.

#include "profile/coz.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

namespace {

CozRequest request_of(std::chrono::milliseconds duration, std::vector<std::string> lines = {}) {
  CozRequest request;
  request.options.output = "/tmp/p.coz";
  request.duration = duration;
  request.lines = std::move(lines);
  return request;
}

std::vector<std::string> lines_of(const CozPlan& plan) {
  std::vector<std::string> lines;
  for (const CozRun& run : plan.runs) lines.push_back(run.line);
  return lines;
}

}  // namespace

TEST_CASE("coz's command line has its options before three dashes") {
  CozOptions options;
  options.output = "/tmp/p.coz";
  CHECK(coz_command("/usr/bin/coz", options) ==
        std::vector<std::string>{"/usr/bin/coz", "run", "-o", "/tmp/p.coz", "---"});
  options.binary_scope = {"MAIN", "%/librocksdb.so%"};
  options.source_scope = {"/src/%"};
  options.fixed_line = "wal.cc:47";
  CHECK(coz_command("coz", options) ==
        std::vector<std::string>{"coz", "run", "-o", "/tmp/p.coz", "--binary-scope", "MAIN", "--binary-scope",
                                 "%/librocksdb.so%", "--source-scope", "/src/%", "--fixed-line", "wal.cc:47", "---"});
}

TEST_CASE("a plan without lines is one run for the whole time, of whichever lines") {
  const CozPlan plan = plan_coz("coz", request_of(60s));
  REQUIRE(plan.runs.size() == 1);
  CHECK(plan.runs[0].line.empty());
  CHECK(plan.runs[0].length == 60s);
  CHECK(plan.runs[0].command == std::vector<std::string>{"coz", "run", "-o", "/tmp/p.coz", "---"});
  // Measured: 116 to 118 experiments in 60 s.
  CHECK(plan.experiments_at_zero == doctest::Approx(117 * 8.0 / 28));
  CHECK(plan.experiments_per_point == doctest::Approx(117 * 5.0 / 28));
  CHECK(plan.notes.empty());
}

TEST_CASE("lines share the time, and no run fixes the virtual speedup") {
  const CozPlan plan = plan_coz("coz", request_of(120s, {"a.cc:1", "b.cc:2", "c.cc:3"}));
  CHECK(lines_of(plan) == std::vector<std::string>{"a.cc:1", "b.cc:2", "c.cc:3"});
  for (const CozRun& run : plan.runs) {
    CHECK(run.length == 40s);
    CHECK(run.command == std::vector<std::string>{"coz", "run", "-o", "/tmp/p.coz", "--fixed-line", run.line, "---"});
  }
  CHECK(plan.experiments_at_zero == doctest::Approx(78 * 8.0 / 28));
}

TEST_CASE("a plan with too few experiments says how long would do, and that does") {
  for (const std::size_t lines : {std::size_t{1}, std::size_t{3}}) {
    CAPTURE(lines);
    const std::vector<std::string> names(lines, "a.cc:1");
    const CozPlan plan = plan_coz("coz", request_of(10s, names));
    REQUIRE(plan.notes.size() == 1);
    const std::string wanted = std::to_string((duration_for_coz(lines).count() + 999) / 1000) + " s would do";
    CHECK_MESSAGE(plan.notes[0].find(wanted) != std::string::npos, plan.notes[0]);

    const CozPlan longer = plan_coz("coz", request_of(duration_for_coz(lines), names));
    CHECK(longer.notes.empty());
    CHECK(longer.experiments_per_point >= kWantedExperiments);
    CHECK(longer.experiments_at_zero >= kWantedExperiments);
    CHECK_FALSE(plan_coz("coz", request_of(duration_for_coz(lines) - 600ms * lines, names)).notes.empty());
  }
}

TEST_CASE("coz is found in PATH, its library where its script looks, and its age by what it knows") {
  const TemporaryFolder folder;
  const std::string path = (folder.path() / "empty").string() + "::" + (folder.path() / "bin").string();
  std::filesystem::create_directories(folder.path() / "empty");

  Result<CozInstallation> coz = find_coz(path);
  REQUIRE_FALSE(coz);
  CHECK(coz.error().code == Error::Code::not_found);
  CHECK(coz.error().message.find("coz-profiler") != std::string::npos);

  REQUIRE(write_file_atomic(folder.path() / "bin/coz", "#!/usr/bin/env python3\n"));
  coz = find_coz(path);
  REQUIRE_FALSE(coz);
  CHECK(coz.error().message.find("libcoz.so") != std::string::npos);

  REQUIRE(write_file_atomic(folder.path() / "lib/coz-profiler/libcoz.so", "COZ_OUTPUT"));
  coz = find_coz(path);
  REQUIRE(coz);
  CHECK(coz->program == folder.path() / "bin/coz");
  CHECK(coz->library == std::filesystem::canonical(folder.path()) / "lib/coz-profiler/libcoz.so");
  CHECK_FALSE(coz->reads_dwarf5);

  REQUIRE(write_file_atomic(folder.path() / "lib/libcoz.so", std::string("\0COZ_OUTPUT_FORMAT\0", 19)));
  coz = find_coz(path);
  REQUIRE(coz);
  CHECK(coz->library == std::filesystem::canonical(folder.path()) / "lib/libcoz.so");
  CHECK(coz->reads_dwarf5);
}
