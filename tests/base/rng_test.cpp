/// Tests of Rng.

#include <aiopt/rng.hpp>

#include <array>
#include <cmath>
#include <cstdint>

#include <doctest/doctest.h>

using aiopt::Rng;

TEST_CASE("the generator gives the numbers of xoshiro256++'s reference implementation") {
  Rng rng(Rng::State{1, 2, 3, 4});
  constexpr std::array<std::uint64_t, 10> kReference{41943041,
                                                     58720359,
                                                     3588806011781223,
                                                     3591011842654386,
                                                     9228616714210784205u,
                                                     9973669472204895162u,
                                                     14011001112246962877u,
                                                     12406186145184390807u,
                                                     15849039046786891736u,
                                                     10450023813501588000u};
  for (const std::uint64_t expected : kReference) CHECK(rng() == expected);
}

TEST_CASE("a seed becomes state by splitmix64") {
  const Rng rng(1234567);
  CHECK(rng.state() ==
        Rng::State{6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u});
}

TEST_CASE("a generator made from another's state goes on as the other does") {
  Rng rng(7);
  rng.normal();
  rng.index(10);
  Rng copy(rng.state());
  for (int i = 0; i < 10; ++i) CHECK(copy.normal() == rng.normal());
}

TEST_CASE("an index lies below its bound and every one comes about equally often") {
  Rng rng(1);
  std::array<int, 7> seen{};
  for (int i = 0; i < 70'000; ++i) ++seen.at(rng.index(7));
  for (const int count : seen) CHECK(std::abs(count - 10'000) < 500);  // More than five standard deviations.
  CHECK(rng.index(1) == 0);
}

TEST_CASE("an index is unbiased even where the bound is near the generator's range") {
  Rng rng(2);
  // Two thirds of the range: taking the plain remainder would give the lower half twice as often as the upper.
  const std::size_t bound = static_cast<std::size_t>(-1) / 3 * 2;
  int low = 0;
  for (int i = 0; i < 10'000; ++i) low += rng.index(bound) < bound / 2 ? 1 : 0;
  CHECK(std::abs(low - 5'000) < 300);
}

TEST_CASE("uniform numbers lie in [0, 1) with the mean in the middle") {
  Rng rng(3);
  double sum = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double value = rng.uniform();
    REQUIRE(value >= 0.0);
    REQUIRE(value < 1.0);
    sum += value;
  }
  CHECK(sum / 100'000 == doctest::Approx(0.5).epsilon(0.01));
}

TEST_CASE("normal numbers have mean 0 and variance 1") {
  Rng rng(4);
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double value = rng.normal();
    REQUIRE(std::isfinite(value));
    sum += value;
    squares += value * value;
  }
  CHECK(std::abs(sum / 100'000) < 0.02);
  CHECK(squares / 100'000 == doctest::Approx(1.0).epsilon(0.02));
}
