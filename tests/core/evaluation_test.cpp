/// The names of the evaluation's outcomes.

#include <doctest/doctest.h>

#include <aiopt/evaluation.hpp>

using namespace aiopt;

TEST_CASE("an evaluation status is read back from its name") {
  CHECK(evaluation_status_from("no_reply") == EvaluationStatus::no_reply);
  CHECK(evaluation_status_from(to_string(EvaluationStatus::tests_failed)) == EvaluationStatus::tests_failed);
  CHECK_FALSE(evaluation_status_from("fine"));
}
