/// Tests of the time stamps that checked out files get.

#include "source/build_stamps.hpp"

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

class SetClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point now() const override { return time; }
  std::chrono::steady_clock::time_point time;
};

constexpr std::int64_t kSecond = 1'000'000'000;

}  // namespace

TEST_CASE("a stamp is later than what was built in the same tick") {
  const SetClock clock;
  BuildStamps stamps(clock);
  const std::int64_t first = stamps.next(100 * kSecond);
  CHECK(first > 100 * kSecond);
  CHECK(stamps.next(100 * kSecond) > first);
}

TEST_CASE("a clock set back does not make what was built before look newer") {
  SetClock clock;
  BuildStamps stamps(clock);
  stamps.next(100 * kSecond);
  clock.time += std::chrono::seconds(60);  // The build ended here: its files may have the stamp 160.
  CHECK(stamps.next(130 * kSecond) > 160 * kSecond);
}

TEST_CASE("where only even seconds are kept, the stamp is the next of them") {
  const SetClock clock;
  BuildStamps stamps(clock);
  stamps.next(101 * kSecond);
  CHECK(stamps.next_even_second() == 102 * kSecond);
  CHECK(stamps.next_even_second() == 104 * kSecond);
}
