/// The names of the evaluation's outcomes.

#include <doctest/doctest.h>

#include <aiopt/evaluation.hpp>

using namespace aiopt;

TEST_CASE("outcomes have the names of the --json contract, the last value included") {
  CHECK(to_string(EvaluationStatus::passed) == "passed");
  CHECK(to_string(EvaluationStatus::tests_failed) == "tests_failed");
  CHECK(to_string(EvaluationStatus::no_reply) == "no_reply");
}
