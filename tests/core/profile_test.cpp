/// The classes of waits by name; time and throughput.

#include <doctest/doctest.h>

#include <aiopt/profile.hpp>

using namespace aiopt;

TEST_CASE("the classes of waits are spelt as the --json contract has them") {
  CHECK(to_string(WaitClass::io) == "io");
  CHECK(to_string(WaitClass::lock) == "lock");
  CHECK(to_string(WaitClass::scheduling) == "scheduling");
  CHECK(to_string(WaitClass::other) == "other");
}

TEST_CASE("half the time is twice the throughput") {
  CausalPoint point;
  point.effect = 0.5;
  CHECK(point.throughput_factor() == doctest::Approx(2.0));
}
