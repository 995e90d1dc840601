/// What the llm emitter asks for.

#include <doctest/doctest.h>

#include <set>
#include <variant>

#include "search/emitters.hpp"
#include "support/elites.hpp"
#include "support/list_archive.hpp"
#include "support/scripted_selection.hpp"

using namespace aiopt;

namespace {

using Ids = std::vector<std::uint64_t>;

Ids inspirations_of(std::uint64_t elites, std::uint64_t parent, std::uint64_t seed) {
  ListArchive archive;
  for (std::uint64_t i = 0; i < elites; ++i) archive.add(make_elite(i, static_cast<double>(i)));
  ScriptedSelection selection{CandidateId{parent}};
  Rng rng(seed);
  const auto ask = make_llm_emitter()->ask(archive, selection, rng);
  REQUIRE(ask.has_value());
  CHECK(ask->parent == CandidateId{parent});
  REQUIRE(std::holds_alternative<ModelQuestion>(ask->change));
  CHECK(std::get<ModelQuestion>(ask->change).prompt == "diff_user");
  Ids ids;
  for (const CandidateId id : ask->inspirations) ids.push_back(to_number(id));
  return ids;
}

}  // namespace

TEST_CASE("with the baseline alone there is nothing to be inspired by") {
  CHECK(inspirations_of(1, 0, 1).empty());
}

TEST_CASE("with one other elite it is the only inspiration") {
  CHECK(inspirations_of(2, 0, 1) == Ids{1});
  CHECK(inspirations_of(2, 1, 1) == Ids{0});
}

TEST_CASE("the inspirations are the best and any other, both different from the parent") {
  std::set<std::uint64_t> others;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const Ids ids = inspirations_of(6, 2, seed);
    REQUIRE(ids.size() == 2);
    CHECK(ids[0] == 5);
    others.insert(ids[1]);
  }
  CHECK(others == std::set<std::uint64_t>{0, 1, 3, 4});
}

TEST_CASE("a parent that is the best gets two others") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Ids ids = inspirations_of(6, 5, seed);
    REQUIRE(ids.size() == 2);
    CHECK(ids[0] != 5);
    CHECK(ids[1] != 5);
    CHECK(ids[0] != ids[1]);
  }
}
