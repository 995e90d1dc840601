/// Tests of what a failed stage is called, and of the words for it.

#include "evaluate/stages.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

StageReport report(Stage stage, StageStatus status, std::string output = "") {
  StageReport made;
  made.stage = stage;
  made.status = status;
  made.output = std::move(output);
  return made;
}

}  // namespace

TEST_CASE("how a stage ended decides the candidate's status") {
  CHECK(status_of_failure(report(Stage::build, StageStatus::failed)) == EvaluationStatus::build_failed);
  CHECK(status_of_failure(report(Stage::build, StageStatus::crashed)) == EvaluationStatus::build_failed);
  CHECK(status_of_failure(report(Stage::build, StageStatus::timed_out)) == EvaluationStatus::timed_out);
  CHECK(status_of_failure(report(Stage::test, StageStatus::failed)) == EvaluationStatus::tests_failed);
  CHECK(status_of_failure(report(Stage::test, StageStatus::crashed)) == EvaluationStatus::crashed);
  CHECK(status_of_failure(report(Stage::test, StageStatus::timed_out)) == EvaluationStatus::timed_out);
  CHECK(status_of_failure(report(Stage::benchmark, StageStatus::failed)) == EvaluationStatus::benchmark_failed);
  CHECK(status_of_failure(report(Stage::benchmark, StageStatus::crashed)) == EvaluationStatus::crashed);
}

TEST_CASE("a reason starts where the output names an error") {
  const std::string output = "compiling a.cc\ncompiling b.cc\nb.cc:3:1: error: expected ';'\n  int x\n  ^\n";
  const std::string reason = reason_of_failure(report(Stage::build, StageStatus::failed, output), "exit status 1");
  CHECK(reason == "the build ended with exit status 1:\nb.cc:3:1: error: expected ';'\n  int x\n  ^");
}

TEST_CASE("without a line that names an error the reason ends with the end of the output") {
  std::string output;
  for (int line = 1; line <= 100; ++line) output += "line " + std::to_string(line) + "\n";
  const std::string reason = reason_of_failure(report(Stage::test, StageStatus::failed, output), "exit status 3");
  CHECK(reason.starts_with("the test ended with exit status 3:\nline 77\n"));
  CHECK(reason.ends_with("\nline 100"));
  CHECK(reason_of_failure(report(Stage::test, StageStatus::failed), "exit status 3") ==
        "the test ended with exit status 3; it printed nothing");
}

TEST_CASE("a reason stays short, however much follows the error") {
  std::string output = "error: first\n" + std::string(100'000, 'x') + "\n";
  for (int line = 0; line < 1000; ++line) output += "error: another\n";
  CHECK(reason_of_failure(report(Stage::build, StageStatus::failed, output), "exit status 1").size() < 4000);
}
