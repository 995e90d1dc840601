/// How the patch_pool emitter combines patches.

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "search/emitter_rules.hpp"
#include "search/emitters.hpp"
#include "support/elites.hpp"
#include "support/list_archive.hpp"
#include "support/scripted_selection.hpp"

using namespace aiopt;

namespace {

using Names = std::set<std::string>;

/// "src/0.cc" holds "int part_0 = 0;" and so on, among enough other lines to be of the size asked for.
SourceTree tree_of(std::size_t parts, std::size_t bytes_each = 0) {
  SourceTree tree;
  for (std::size_t i = 0; i < parts; ++i) {
    std::string text = "int part_" + std::to_string(i) + " = 0;\n";
    while (text.size() < bytes_each) text += "void f_" + std::to_string(text.size()) + "() {}\n";
    tree.emplace("src/" + std::to_string(i) + ".cc", make_source_file(text));
  }
  return tree;
}

PoolPatch patch_of(std::size_t part, const std::string& name, const std::string& from = "0",
                   const std::string& to = "1") {
  const std::string line = "int part_" + std::to_string(part) + " = ";
  Edit edit;
  edit.path = "src/" + std::to_string(part) + ".cc";
  edit.search = line + from + ";\n";
  edit.text = line + to + ";\n";
  return {name, Patch{{edit}}};
}

/// "p0", "p1", ... each in a file of its own.
std::vector<PoolPatch> independent(std::size_t count) {
  std::vector<PoolPatch> pool;
  for (std::size_t i = 0; i < count; ++i) pool.push_back(patch_of(i, "p" + std::to_string(i)));
  return pool;
}

Names names_in(const Ask& ask) {
  return nlohmann::json::parse(ask.note).at("patches").get<Names>();
}

struct PoolBench {
  PoolBench(std::vector<PoolPatch> pool, const SourceTree& baseline, std::uint64_t seed = 1)
      : tree(baseline), emitter(make_patch_pool_emitter(std::move(pool), baseline, kRules)), rng(seed) {
    archive.add(make_elite(0, 1.0, baseline));
  }

  std::optional<Ask> ask() { return emitter->ask(archive, selection, rng); }

  void tell(const Ask& ask, std::optional<double> objective) {
    const auto status = objective ? EvaluationStatus::passed : EvaluationStatus::tests_failed;
    std::optional<Fitness> fitness;
    if (objective) fitness = Fitness{*objective, {}};
    ++told;
    emitter->tell(make_proposal(told, "patch_pool", ask), make_evaluation(told, status), fitness, std::nullopt);
  }

  /// Of the tree that the ask's patch makes.
  std::string digest(const Ask& ask) const {
    const auto result = apply_patch(tree, std::get<Patch>(ask.change), kRules);
    REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message));
    return tree_sha256(result->tree);
  }

  SourceTree tree;
  std::unique_ptr<Emitter> emitter;
  ListArchive archive;
  ScriptedSelection selection{kBaselineId};
  Rng rng;
  std::uint64_t told = 0;
};

/// A pool where what each patch does is known.
struct Model {
  std::vector<double> factor;  ///< Of the speed; 0: it fails.
  std::vector<std::set<std::size_t>> fail_together;

  /// Empty if the set fails.
  std::optional<double> speed(const std::set<std::size_t>& members) const {
    double product = 1.0;
    for (const std::size_t i : members) product *= factor[i];
    if (product == 0.0) return std::nullopt;
    for (const auto& together : fail_together) {
      if (std::includes(members.begin(), members.end(), together.begin(), together.end())) return std::nullopt;
    }
    return product;
  }

  std::optional<double> speed(const Names& names) const {
    std::set<std::size_t> members;
    for (const std::string& name : names) members.insert(std::stoul(name.substr(1)));
    return speed(members);
  }

  /// By trying every set.
  double best() const {
    double best = 1.0;
    for (std::size_t bits = 0; bits < (std::size_t{1} << factor.size()); ++bits) {
      std::set<std::size_t> members;
      for (std::size_t i = 0; i < factor.size(); ++i) {
        if ((bits >> i & 1) != 0) members.insert(i);
      }
      best = std::max(best, speed(members).value_or(0.0));
    }
    return best;
  }
};

/// The true speed of the set that measured best, with three asks in flight and a noise of 2 %.
double speed_found(const Model& model, std::uint64_t seed, int asks) {
  PoolBench bench(independent(model.factor.size()), tree_of(model.factor.size()), seed);
  Rng noise(seed + 1000);
  std::deque<Ask> flying;
  double best_measured = 0.0;
  double best_true = 1.0;
  for (int i = 0; i < asks + 3; ++i) {
    if (i < asks) {
      if (auto ask = bench.ask()) flying.push_back(*std::move(ask));
    }
    if (flying.empty() || (flying.size() < 3 && i < asks)) continue;
    const Ask ask = std::move(flying.front());
    flying.pop_front();
    const auto speed = model.speed(names_in(ask));
    const auto measured = speed ? std::optional(*speed * (1.0 + 0.02 * noise.normal())) : std::nullopt;
    bench.tell(ask, measured);
    if (measured && *measured > best_measured) {
      best_measured = *measured;
      best_true = *speed;
    }
  }
  return best_true;
}

int seeds_that_find_nine_tenths(const Model& model, int asks, std::uint64_t seeds) {
  const double best = model.best();
  int found = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    if (speed_found(model, seed, asks) >= 0.9 * best) ++found;
  }
  return found;
}

// 5 good ones, 2 harmful, 3 that fail, 4 that do nothing.
const std::vector<double> kFourteen{1.5, 1.0, 0.0, 1.3, 0.8, 1.2, 1.0, 0.0, 1.4, 1.0, 0.7, 1.15, 0.0, 1.0};

}  // namespace

TEST_CASE("each patch is tried alone first, in an order that the seed decides") {
  std::set<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    PoolBench bench(independent(6), tree_of(6), seed);
    Names tried;
    std::string order;
    for (int i = 0; i < 6; ++i) {
      const auto ask = bench.ask();
      REQUIRE(ask.has_value());
      CHECK(ask->parent == kBaselineId);
      const Names names = names_in(*ask);
      REQUIRE(names.size() == 1);
      tried.insert(*names.begin());
      order += *names.begin();
    }
    CHECK(tried.size() == 6);
    orders.insert(order);
  }
  CHECK(orders.size() > 1);
}

TEST_CASE("when all have been told, the ones that gained are tried together, then all that did not clearly lose") {
  PoolBench bench(independent(5), tree_of(5));
  for (int i = 0; i < 5; ++i) {
    const auto ask = bench.ask();
    REQUIRE(ask.has_value());
    const std::string name = *names_in(*ask).begin();
    bench.tell(*ask, name == "p1" || name == "p3" ? 1.2 : name == "p4" ? 0.8 : 1.0);
  }
  const auto ask = bench.ask();
  REQUIRE(ask.has_value());
  CHECK(names_in(*ask) == Names{"p1", "p3"});
  bench.tell(*ask, 1.4);
  const auto second = bench.ask();
  REQUIRE(second.has_value());
  CHECK(names_in(*second) == Names{"p0", "p1", "p2", "p3"});
}

TEST_CASE("where one alone gained, what did not lose is tried with it") {
  PoolBench bench(independent(4), tree_of(4));
  for (int i = 0; i < 4; ++i) {
    const auto ask = bench.ask();
    REQUIRE(ask.has_value());
    const std::string name = *names_in(*ask).begin();
    bench.tell(*ask, name == "p2" ? 2.5 : name == "p0" ? 0.5 : 0.97);
  }
  const auto ask = bench.ask();
  REQUIRE(ask.has_value());
  CHECK(names_in(*ask) == Names{"p1", "p2", "p3"});
}

TEST_CASE("no tree is proposed twice, nor the baseline, and there is an end") {
  std::vector<PoolPatch> pool = independent(3);
  pool.push_back(patch_of(0, "same_as_p0"));
  PoolBench bench(pool, tree_of(3));
  std::set<std::string> digests{tree_sha256(bench.tree)};
  for (int i = 0; i < 60; ++i) {
    const auto ask = bench.ask();
    if (!ask) continue;
    CHECK(digests.insert(bench.digest(*ask)).second);
    bench.tell(*ask, 1.0 + 0.1 * i);
  }
  CHECK(digests.size() == 8);  // Every set of the three that differ.
  CHECK_FALSE(bench.ask().has_value());
}

TEST_CASE("a patch that does not apply after those before it is dropped") {
  PoolBench bench({patch_of(0, "first", "0", "1"), patch_of(0, "rival", "0", "2"), patch_of(1, "other")}, tree_of(2));
  std::set<Names> seen;
  for (int i = 0; i < 40; ++i) {
    const auto ask = bench.ask();
    if (!ask) break;
    const Names names = names_in(*ask);
    CHECK_FALSE((names.contains("first") && names.contains("rival")));
    seen.insert(names);
    bench.digest(*ask);
    bench.tell(*ask, 1.5);
  }
  CHECK(seen.contains({"first", "other"}));
  CHECK(seen.contains({"rival", "other"}));
}

TEST_CASE("a patch that needs another is tried with it though it does not apply alone") {
  PoolBench bench({patch_of(0, "base"), patch_of(1, "x"), patch_of(0, "on_top", "1", "2")}, tree_of(2));
  bool together = false;
  for (int i = 0; i < 20; ++i) {
    const auto ask = bench.ask();
    if (!ask) break;
    const Names names = names_in(*ask);
    if (names.contains("on_top")) {
      CHECK(names.contains("base"));
      together = true;
      bench.digest(*ask);
    }
    bench.tell(*ask, 1.1);
  }
  CHECK(together);
}

TEST_CASE("a patch that failed alone is hardly tried again") {
  PoolBench bench(independent(10), tree_of(10));
  int with_failed = 0;
  int sets = 0;
  for (int i = 0; i < 100; ++i) {
    const auto ask = bench.ask();
    if (!ask) continue;
    const Names names = names_in(*ask);
    const bool fails = names.contains("p0") || names.contains("p1");
    if (names.size() > 1) {
      ++sets;
      with_failed += fails ? 1 : 0;
    }
    bench.tell(*ask, fails ? std::nullopt : std::optional(1.0 + 0.01 * static_cast<double>(names.size())));
  }
  CHECK(sets > 70);
  CHECK(with_failed < sets / 5);
}

TEST_CASE("with 45 asks it finds nine tenths of the best set's product, in nine of ten seeds") {
  const Model model{kFourteen, {}};
  CHECK(model.best() == doctest::Approx(1.5 * 1.3 * 1.2 * 1.4 * 1.15));
  const int found = seeds_that_find_nine_tenths(model, 45, 40);
  MESSAGE(found, " of 40 seeds");
  CHECK(found >= 36);
}

TEST_CASE("with 60 asks it does so where two pairs of the good ones fail together") {
  const Model model{kFourteen, {{0, 3}, {5, 8}}};
  const int found = seeds_that_find_nine_tenths(model, 60, 40);
  MESSAGE(found, " of 40 seeds");
  CHECK(found >= 36);
}

TEST_CASE("the patch_pool emitter asks the same again for the same seed and news") {
  const auto run = [] {
    PoolBench bench(independent(8), tree_of(8), 5);
    std::string story;
    std::deque<Ask> waiting;
    for (int i = 0; i < 50; ++i) {
      if (auto ask = bench.ask()) {
        story += ask->note;
        waiting.push_back(*std::move(ask));
      }
      if (waiting.size() < 4) continue;
      const Ask ask = i % 3 == 0 ? waiting.back() : waiting.front();
      i % 3 == 0 ? waiting.pop_back() : waiting.pop_front();
      bench.tell(ask, i % 5 == 0 ? std::nullopt : std::optional(1.0 + static_cast<double>(names_in(ask).size()) * 0.1));
    }
    return story;
  };
  CHECK(run() == run());
}

TEST_CASE("an empty pool, or one where nothing applies, has nothing to propose") {
  PoolBench empty({}, tree_of(1));
  CHECK_FALSE(empty.ask().has_value());
  PoolBench useless({patch_of(5, "elsewhere")}, tree_of(1));
  CHECK_FALSE(useless.ask().has_value());
}

TEST_CASE("a note of another pool or of nobody does no harm") {
  PoolBench bench(independent(2), tree_of(2));
  for (const char* note : {"", "{", "[]", "{}", R"({"patches": 3})", R"({"patches": [1]})", R"({"patches": ["gone"]})",
                           R"({"patches": []})"}) {
    Ask ask;
    ask.note = note;
    bench.tell(ask, std::nullopt);
    bench.tell(ask, 2.0);
  }
  CHECK(bench.ask().has_value());
}

TEST_CASE("an ask of the patch_pool emitter costs microseconds with 16 patches on a tree of 50 KB") {
  constexpr std::size_t kPatches = 16;
  std::vector<PoolPatch> pool;
  for (std::size_t i = 0; i < kPatches; ++i) {
    pool.push_back(patch_of(i / 4 * 4, "p" + std::to_string(i), i % 2 == 0 ? "0" : "1", i % 2 == 0 ? "1" : "2"));
    pool.back().patch.edits.push_back(patch_of(i, "").patch.edits[0]);
    if (i % 4 != 0) pool.back().patch.edits.erase(pool.back().patch.edits.begin());
  }
  PoolBench bench(pool, tree_of(kPatches, 3'200));
  constexpr int kAsks = 200;
  int proposed = 0;
  const auto start = process_cpu_time();
  for (int i = 0; i < kAsks; ++i) {
    const auto ask = bench.ask();
    if (!ask) continue;
    ++proposed;
    bench.tell(*ask, 1.0 + 0.01 * static_cast<double>(i % 7));
  }
  const auto each = (process_cpu_time() - start) / kAsks;
  MESSAGE("patch_pool: ", each.count(), " us for an ask and its tell, ", proposed, " proposed");
  CHECK(proposed > 100);
  CHECK(each.count() < 50'000);
}

TEST_CASE("a folder of patches is read by name") {
  const TemporaryFolder folder;
  const std::string diff = "--- a/src/0.cc\n+++ b/src/0.cc\n@@ -1 +1 @@\n-int part_0 = 0;\n+int part_0 = 1;\n";
  REQUIRE(write_file_atomic(folder.path() / "b.patch", diff).has_value());
  REQUIRE(write_file_atomic(folder.path() / "a.diff", diff).has_value());
  REQUIRE(write_file_atomic(folder.path() / "README.md", "no patch").has_value());
  const auto pool = load_patch_pool(folder.path());
  REQUIRE_MESSAGE(pool.has_value(), (pool ? "" : pool.error().message));
  REQUIRE(pool->size() == 2);
  CHECK((*pool)[0].name == "a");
  CHECK((*pool)[1].name == "b");
  PoolBench bench(*pool, tree_of(1));
  const auto ask = bench.ask();
  REQUIRE(ask.has_value());
  bench.digest(*ask);
}

TEST_CASE("a folder that holds no pool is refused with the file's name") {
  const TemporaryFolder folder;
  CHECK(load_patch_pool(folder.path()).error().code == Error::Code::not_found);
  CHECK_FALSE(load_patch_pool(folder.path() / "missing").has_value());
  REQUIRE(write_file_atomic(folder.path() / "bad.patch", "this is prose\n").has_value());
  const auto pool = load_patch_pool(folder.path());
  REQUIRE_FALSE(pool.has_value());
  CHECK(pool.error().message.find("bad.patch: cannot be read as a patch") != std::string::npos);
}

TEST_CASE("two patches of one name are refused") {
  const TemporaryFolder folder;
  const std::string diff = "--- a/src/0.cc\n+++ b/src/0.cc\n@@ -1 +1 @@\n-int part_0 = 0;\n+int part_0 = 1;\n";
  REQUIRE(write_file_atomic(folder.path() / "a.patch", diff).has_value());
  REQUIRE(write_file_atomic(folder.path() / "a.diff", diff).has_value());
  CHECK_FALSE(load_patch_pool(folder.path()).has_value());
}
