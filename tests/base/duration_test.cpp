/// Durations as people write them.

#include <doctest/doctest.h>

#include "base/duration.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

TEST_CASE("a duration is read with its unit, in seconds without one") {
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("300s") == 300s);
  CHECK(parse_duration("2 m") == 2min);
  CHECK(parse_duration("1.5h") == 90min);
  CHECK(parse_duration("60") == 60s);
}

TEST_CASE("what is no duration gives nothing") {
  for (const char* text : {"", "s", "soon", "-1s", "0", "nan", "1d", "169h", "1e300h", "5s5"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
  }
}
