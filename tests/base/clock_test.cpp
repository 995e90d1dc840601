/// Tests of the clock.

#include "base/clock.hpp"

#include <regex>
#include <string>

#include <doctest/doctest.h>

TEST_CASE("a timestamp is written as RFC 3339 has it, in UTC") {
  CHECK(std::regex_match(aiopt::utc_timestamp(), std::regex(R"(20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\dZ)")));
}

TEST_CASE("the CPU time of this process grows with work") {
  const auto before = aiopt::process_cpu_time();
  const auto start = aiopt::monotonic_now();
  while (aiopt::monotonic_now() - start < std::chrono::milliseconds(20)) {
  }
  CHECK(aiopt::process_cpu_time() > before);
}
