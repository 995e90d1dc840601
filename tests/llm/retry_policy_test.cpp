/// When to ask again.

#include "llm/retry_policy.hpp"

#include <algorithm>
#include <utility>

#include <doctest/doctest.h>

using namespace aiopt;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

TEST_CASE("trouble that may pass is asked again, a mistake is not") {
  for (const int status : {408, 409, 429, 500, 501, 502, 503, 504, 505, 529, 599}) CHECK(is_transient(status));
  for (const int status : {200, 301, 307, 400, 401, 402, 403, 404, 413, 422, 499, 600})
    CHECK_FALSE(is_transient(status));
}

TEST_CASE("a retry waits at least as long as the server asked") {
  Rng rng(1);
  for (int i = 0; i < 1'000; ++i) {
    const milliseconds delay = retry_delay({}, 1, 2'000ms, rng);
    CHECK(delay >= 2'000ms);
    CHECK(delay <= 2'500ms);
  }
}

TEST_CASE("the wait is spread over the whole interval, which doubles with each attempt up to the ceiling") {
  const RetryPolicy policy{.retries = 20, .first_delay = 500ms, .ceiling = 60'000ms};
  Rng rng(2);
  const auto largest_of = [&](int attempt) {
    CAPTURE(attempt);
    milliseconds largest{0};
    milliseconds sum{0};
    for (int i = 0; i < 2'000; ++i) {
      const milliseconds delay = retry_delay(policy, attempt, {}, rng);
      CHECK(delay >= 0ms);
      largest = std::max(largest, delay);
      sum += delay;
    }
    CHECK(sum / 2'000 > largest * 45 / 100);
    CHECK(sum / 2'000 < largest * 55 / 100);
    return largest;
  };
  for (const auto& [attempt, bound] : {std::pair{1, 500ms},
                                       {2, 1'000ms},
                                       {3, 2'000ms},
                                       {7, 32'000ms},
                                       {8, 60'000ms},
                                       {9, 60'000ms},
                                       {1'000'000, 60'000ms}}) {
    CHECK(largest_of(attempt) <= bound);
    CHECK(largest_of(attempt) > bound * 99 / 100);
  }
}

TEST_CASE("the same seed waits the same") {
  Rng one(3);
  Rng other(3);
  for (int attempt = 1; attempt < 10; ++attempt) {
    CHECK(retry_delay({}, attempt, {}, one) == retry_delay({}, attempt, {}, other));
  }
}

TEST_CASE("a server that asks for less than nothing is not obeyed") {
  Rng rng(4);
  CHECK(retry_delay({.first_delay = 0ms}, 1, -5'000ms, rng) == 0ms);
}

TEST_CASE("Retry-After is read as seconds") {
  CHECK(parse_retry_after("120", "") == 120s);
  CHECK(parse_retry_after(" 1 ", "") == 1s);
  CHECK(parse_retry_after("0", "") == 0s);
  CHECK(parse_retry_after("1.5", "") == 1'500ms);
  CHECK(parse_retry_after("99999999999999999999", "") == std::chrono::hours(24 * 365));
}

TEST_CASE("Retry-After is read as a date, counted from the reply's own") {
  const char* now = "Sun, 06 Nov 1994 08:49:37 GMT";
  CHECK(parse_retry_after("Sun, 06 Nov 1994 08:50:07 GMT", now) == 30s);
  CHECK(parse_retry_after("Sunday, 06-Nov-94 08:50:07 GMT", now) == 30s);
  CHECK(parse_retry_after("Sun Nov  6 08:50:07 1994", now) == 30s);
  CHECK(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now) == 0s);
}

TEST_CASE("a Retry-After that can't be read asks for nothing") {
  const char* now = "Sun, 06 Nov 1994 08:49:37 GMT";
  for (const char* value : {"", "soon", "-1", "inf", "nan", "12 parsecs", "1e999"}) {
    CAPTURE(value);
    CHECK_FALSE(parse_retry_after(value, now));
  }
  CHECK_FALSE(parse_retry_after("Sun, 06 Nov 1994 08:50:07 GMT", ""));
}
