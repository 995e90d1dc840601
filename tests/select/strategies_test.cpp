/// The selection strategies that come with aiopt.

#include "select/strategies.hpp"

#include <doctest/doctest.h>

#include <map>
#include <stdexcept>

#include "support/fixed_archive.hpp"

using namespace aiopt;

namespace {

/// How often each candidate was picked in `count` picks.
std::map<std::uint64_t, double> picks(SelectionStrategy& strategy, const Archive& archive, std::size_t count) {
  Rng rng(7);
  std::map<std::uint64_t, double> shares;
  for (const CandidateId id : strategy.select(archive, count, rng)) {
    shares[to_number(id)] += 1.0 / static_cast<double>(count);
  }
  return shares;
}

}  // namespace

TEST_CASE("uniform selection picks every elite equally often, whatever its objective") {
  const FixedArchive archive({1.0, 100.0, -3.0, 0.0});
  const auto strategy = make_uniform_selection();
  const auto shares = picks(*strategy, archive, 40'000);
  // Five standard deviations of a binomial share: 5 * sqrt(0.25 * 0.75 / 40000) = 0.011.
  for (std::uint64_t id = 1; id <= 4; ++id) CHECK(shares.at(id) == doctest::Approx(0.25).epsilon(0.044));
}

TEST_CASE("a tournament of three picks the k-th best of n with ((n-k+1)^3 - (n-k)^3) / n^3") {
  const FixedArchive archive({3.0, 1.0, 4.0, 2.0});
  const auto strategy = make_tournament_selection(3);
  const auto shares = picks(*strategy, archive, 40'000);
  CHECK(shares.at(3) == doctest::Approx(37.0 / 64.0).epsilon(0.03));
  CHECK(shares.at(1) == doctest::Approx(19.0 / 64.0).epsilon(0.04));
  CHECK(shares.at(4) == doctest::Approx(7.0 / 64.0).epsilon(0.08));
  CHECK(shares.at(2) == doctest::Approx(1.0 / 64.0).epsilon(0.20));
}

TEST_CASE("a tournament among equals favours none of them") {
  const FixedArchive archive({2.0, 2.0});
  const auto shares = picks(*make_tournament_selection(3), archive, 40'000);
  CHECK(shares.at(1) == doctest::Approx(0.5).epsilon(0.03));
}

TEST_CASE("a tournament of one is uniform, and of none is refused") {
  const FixedArchive archive({1.0, 9.0});
  CHECK(picks(*make_tournament_selection(1), archive, 40'000).at(1) == doctest::Approx(0.5).epsilon(0.03));
  CHECK_THROWS_AS(make_tournament_selection(0), std::invalid_argument);
}

TEST_CASE("a strategy gives as many parents as asked, and the same ones for the same seed") {
  const FixedArchive archive({1.0, 2.0, 3.0, 4.0, 5.0});
  for (const std::string& name : selection_names()) {
    CAPTURE(name);
    Rng first(42);
    Rng second(42);
    const auto parents = make_selection(name)->select(archive, 17, first);
    CHECK(parents.size() == 17);
    CHECK(make_selection(name)->select(archive, 17, second) == parents);
    CHECK(first.state() == second.state());
    CHECK(make_selection(name)->select(archive, 0, first).empty());
    CHECK(make_selection(name)->select(FixedArchive({1.0}), 2, first) ==
          std::vector<CandidateId>{CandidateId{1}, CandidateId{1}});
  }
}

TEST_CASE("a strategy is made by its name, and an unknown name makes none") {
  for (const std::string& name : selection_names()) CHECK(make_selection(name)->name() == name);
  CHECK(make_selection("roulette") == nullptr);
  CHECK(make_selection("") == nullptr);
}
