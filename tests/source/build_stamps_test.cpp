/// Tests of the time stamps that checked out files get.

#include "source/build_stamps.hpp"

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::chrono::steady_clock::time_point kStart;

}  // namespace

TEST_CASE("a stamp is later than what was built in the same tick") {
  BuildStamps stamps;
  const std::int64_t first = stamps.next(100 * kSecond, kStart);
  CHECK(first > 100 * kSecond);
  CHECK(stamps.next(100 * kSecond, kStart) > first);
}

TEST_CASE("a clock set back does not make what was built before look newer") {
  BuildStamps stamps;
  stamps.next(100 * kSecond, kStart);
  // The build ended a minute later: its files may have the stamp 160.
  CHECK(stamps.next(130 * kSecond, kStart + std::chrono::seconds(60)) > 160 * kSecond);
}

TEST_CASE("where only even seconds are kept, the stamp is the next of them") {
  BuildStamps stamps;
  stamps.next(101 * kSecond, kStart);
  CHECK(stamps.next_even_second() == 102 * kSecond);
  CHECK(stamps.next_even_second() == 104 * kSecond);
}
