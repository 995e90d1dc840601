/// Tests of the choice of the line that says most.

#include "core/reason.hpp"

#include <doctest/doctest.h>

using namespace aiopt;

TEST_CASE("the line that says most is the first that names an error, else the first") {
  CHECK(telling_line("the build ended with exit status 1:\nmake\na.cc:1: error: no ;\nmore") == "a.cc:1: error: no ;");
  CHECK(telling_line("the test ended with exit status 1; it printed nothing") ==
        "the test ended with exit status 1; it printed nothing");
  CHECK(telling_line("the test ended with exit status 2:\nfirst\nsecond") == "first");
  CHECK(telling_line("") == "");
  CHECK(telling_line("the test ended with exit status 1:\na_failed_sync_fails_the_write ok\nlog FAILED x.cc:7") ==
        "log FAILED x.cc:7");
}
