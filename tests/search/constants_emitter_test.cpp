/// How the constants emitter changes numbers, and what it learns.

#include <doctest/doctest.h>

#include <cmath>
#include <deque>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "search/emitter_rules.hpp"
#include "search/emitters.hpp"
#include "search/literals.hpp"
#include "support/elites.hpp"
#include "support/list_archive.hpp"
#include "support/scripted_selection.hpp"

using namespace aiopt;

namespace {

SourceTree tree_of(const std::string& text, const std::string& path = "src/a.cc") {
  return {{path, make_source_file(text)}};
}

/// An emitter, an archive with the baseline alone in it, and the run's randomness.
struct ConstantsBench {
  explicit ConstantsBench(SourceTree baseline, std::uint64_t seed = 1) : rng(seed) {
    auto made = make_constants_emitter(baseline, kRules);
    REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message));
    emitter = *std::move(made);
    archive.add(make_elite(0, 1.0, std::move(baseline)));
  }

  std::optional<Ask> ask() { return emitter->ask(archive, selection, rng); }

  void tell(const Ask& ask, std::optional<double> objective) {
    const auto status = objective ? EvaluationStatus::passed : EvaluationStatus::tests_failed;
    std::optional<Fitness> fitness;
    if (objective) fitness = Fitness{*objective, {}};
    ++told;
    emitter->tell(make_proposal(told, "constants", ask), make_evaluation(told, status), fitness, std::nullopt);
  }

  std::unique_ptr<Emitter> emitter;
  ListArchive archive;
  ScriptedSelection selection{kBaselineId};
  Rng rng;
  std::uint64_t told = 0;
};

nlohmann::json changes_of(const Ask& ask) {
  return nlohmann::json::parse(ask.note).at("changes");
}

std::string applied(const SourceTree& tree, const Ask& ask) {
  const auto result = apply_patch(tree, std::get<Patch>(ask.change), kRules);
  REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message));
  return *result->tree.at("src/a.cc").text;
}

/// 1-based numbers of the lines that differ.
std::set<std::size_t> differing_lines(const std::string& before, const std::string& after) {
  const auto a = split_lines(before);
  const auto b = split_lines(after);
  REQUIRE(a.size() == b.size());
  std::set<std::size_t> lines;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) lines.insert(i + 1);
  }
  return lines;
}

}  // namespace

TEST_CASE("a task without a number to tune is refused with what to do") {
  const auto emitter = make_constants_emitter(tree_of("int x = 0;\n"), kRules);
  REQUIRE_FALSE(emitter.has_value());
  CHECK(emitter.error().code == Error::Code::invalid_argument);
  CHECK(emitter.error().message.find("aiopt: tune") != std::string::npos);
  CHECK_FALSE(make_constants_emitter(tree_of("x = 50", "notes.txt"), kRules).has_value());
  CHECK_FALSE(make_constants_emitter({}, kRules).has_value());
}

TEST_CASE("an ask changes one or two numbers of the parent and says which") {
  const SourceTree tree = tree_of("int a = 100;\nint b = 200;\ndouble c = 2.5;\n");
  ConstantsBench bench(tree);
  std::set<std::size_t> sizes;
  for (int i = 0; i < 50; ++i) {
    const auto ask = bench.ask();
    REQUIRE(ask.has_value());
    CHECK(ask->parent == kBaselineId);
    const auto changes = changes_of(*ask);
    sizes.insert(changes.size());
    const std::string text = applied(tree, *ask);
    std::set<std::size_t> lines;
    for (const auto& change : changes) {
      CHECK(change.at("file") == "src/a.cc");
      CHECK(text.find(change.at("to").get<std::string>()) != std::string::npos);
      lines.insert(change.at("line").get<std::size_t>());
    }
    CHECK(differing_lines(*tree.at("src/a.cc").text, text) == lines);
  }
  CHECK(sizes == std::set<std::size_t>{1, 2});
}

TEST_CASE("an edit of a line that occurs often changes that line and no other") {
  std::string text;
  for (int i = 0; i < 30; ++i) text += "  wait(500);\n  x = " + std::string(i % 3 == 0 ? "a" : "b") + ";\n";
  const SourceTree tree = tree_of(text);
  ConstantsBench bench(tree);
  for (int i = 0; i < 60; ++i) {
    const auto ask = bench.ask();
    REQUIRE(ask.has_value());
    std::set<std::size_t> told;
    for (const auto& change : changes_of(*ask)) told.insert(change.at("line").get<std::size_t>());
    CHECK(differing_lines(text, applied(tree, *ask)) == told);
  }
}

TEST_CASE("two numbers of one line can change together") {
  const SourceTree tree = tree_of("f(100, 200, 300); g(100, 200, 300);");  // And no newline at its end.
  ConstantsBench bench(tree);
  int pairs = 0;
  for (int i = 0; i < 60; ++i) {
    const auto ask = bench.ask();
    REQUIRE(ask.has_value());
    if (changes_of(*ask).size() == 2) ++pairs;
    CHECK(applied(tree, *ask) != *tree.at("src/a.cc").text);
  }
  CHECK(pairs > 5);
}

TEST_CASE("line ends of a file stay as they are") {
  const SourceTree tree = tree_of("int a = 100;\r\nint b;\r\n");
  ConstantsBench bench(tree);
  const std::string text = applied(tree, *bench.ask());
  CHECK(text.ends_with(";\r\nint b;\r\n"));
}

TEST_CASE("integers stay integers, move by at least one, and do not become zero") {
  const SourceTree tree = tree_of("int a = 2; int b = 37; unsigned c = 0x7fffffffu;\n");
  ConstantsBench bench(tree);
  for (int i = 0; i < 300; ++i) {
    const auto ask = bench.ask();
    if (!ask) continue;
    const std::string text = applied(tree, *ask);
    CHECK(text != *tree.at("src/a.cc").text);
    const auto literals = tunable_literals(text);
    for (const Literal& literal : literals) {
      CHECK(literal.integer);
      CHECK(literal.value <= 2147483647.0);
    }
    CHECK(text.find(" 0") == text.find(" 0x"));
  }
}

TEST_CASE("a power of two mostly becomes another") {
  int powers = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    ConstantsBench bench(tree_of("constexpr int kBlock = 4096;\n"), seed);
    const auto ask = bench.ask();
    REQUIRE(ask.has_value());
    const auto to = std::stoull(changes_of(*ask)[0].at("to").get<std::string>());
    CHECK(to != 4096);
    if ((to & (to - 1)) == 0) ++powers;
  }
  CHECK(powers > 140);
  CHECK(powers < 200);
}

TEST_CASE("a hinted number stays in its range") {
  const SourceTree tree =
      tree_of("double a = 0.5;  // aiopt: tune [0.25, 0.75]\nint b = 8;  // aiopt: tune [4, 16] log\n");
  ConstantsBench bench(tree);
  for (int i = 0; i < 200; ++i) {
    const auto ask = bench.ask();
    if (!ask) continue;
    for (const Literal& literal : tunable_literals(applied(tree, *ask))) {
      CHECK(literal.value >= (literal.integer ? 4.0 : 0.25));
      CHECK(literal.value <= (literal.integer ? 16.0 : 0.75));
    }
  }
}

TEST_CASE("a range of one value leaves nothing to propose") {
  ConstantsBench bench(tree_of("int a = 5;  // aiopt: tune [4.5, 5.5]\n"));
  CHECK_FALSE(bench.ask().has_value());
}

TEST_CASE("only what is between the EVOLVE-BLOCK markers changes") {
  const SourceTree tree =
      tree_of("int a = 100;\n// EVOLVE-BLOCK-START\nint b = 200;\n// EVOLVE-BLOCK-END\nint c = 300;\n");
  ConstantsBench bench(tree);
  for (int i = 0; i < 30; ++i) {
    const auto ask = bench.ask();
    REQUIRE(ask.has_value());
    REQUIRE(changes_of(*ask).size() == 1);
    CHECK(changes_of(*ask)[0].at("from") == "200");
    applied(tree, *ask);
  }
}

TEST_CASE("nothing is asked twice") {
  ConstantsBench bench(tree_of("constexpr int kWays = 4;\nint b = 8;\n"));
  std::set<std::string> asked;
  for (int i = 0; i < 100; ++i) {
    const auto ask = bench.ask();
    if (!ask) continue;
    CHECK(asked.insert(changes_of(*ask).dump()).second);
  }
  CHECK(asked.size() > 10);
}

TEST_CASE("there is something to propose for as long as a number has values that were not asked") {
  for (const std::optional<double> objective : {std::optional(0.9), std::optional<double>()}) {
    CAPTURE(objective.has_value());
    ConstantsBench bench(tree_of("int a = 100;\n"));
    for (int i = 0; i < 60; ++i) {
      const auto ask = bench.ask();
      REQUIRE(ask.has_value());
      bench.tell(*ask, objective);
    }
  }
}

TEST_CASE("a number without new values keeps none from one that failed twice") {
  ConstantsBench bench(tree_of("int few = 2;  // aiopt: tune [1, 3]\nint bad = 777;\n"));
  for (int i = 0; i < 60; ++i) {
    const auto ask = bench.ask();
    REQUIRE(ask.has_value());
    const bool is_few = changes_of(*ask)[0].at("from") == "2";
    bench.tell(*ask, is_few ? std::optional(0.9) : std::nullopt);
  }
}

TEST_CASE("a number whose change failed twice is left out, in children of the tree too") {
  ConstantsBench bench(tree_of("int good = 100;\nint bad = 777;\n"));
  int bad_alone = 0;
  for (int i = 0; i < 100 && bad_alone < 2; ++i) {
    const auto ask = bench.ask();
    REQUIRE(ask.has_value());
    const auto changes = changes_of(*ask);
    if (changes.size() == 2) continue;
    const bool bad = changes[0].at("from") == "777";
    bad_alone += bad ? 1 : 0;
    bench.tell(*ask, bad ? std::nullopt : std::optional(1.0));
  }
  REQUIRE(bad_alone == 2);
  bench.archive.add(make_elite(5, 1.5, tree_of("// new line\nint good = 150;\nint bad = 778;\n")));
  bench.selection = ScriptedSelection(CandidateId{5});
  for (int i = 0; i < 50; ++i) {
    const auto ask = bench.ask();
    REQUIRE(ask.has_value());
    CHECK(ask->parent == CandidateId{5});
    for (const auto& change : changes_of(*ask)) CHECK(change.at("from") == "150");
  }
}

TEST_CASE("steps grow while changes succeed and shrink while they do not") {
  const auto mean_step = [](bool succeed) {
    ConstantsBench bench(tree_of("double a = 1000.0;\n"));
    for (int i = 0; i < 60; ++i) {
      const auto ask = bench.ask();
      REQUIRE(ask.has_value());
      bench.tell(*ask, succeed ? 2.0 : 0.5);
    }
    double sum = 0.0;
    for (int i = 0; i < 100; ++i) {
      const auto ask = bench.ask();
      REQUIRE(ask.has_value());
      sum += std::abs(std::log(std::stod(changes_of(*ask)[0].at("to").get<std::string>()) / 1000.0));
    }
    return sum / 100.0;
  };
  CHECK(mean_step(true) > 1.0);
  CHECK(mean_step(false) < 0.4);
}

TEST_CASE("the constants emitter asks the same again for the same seed and news, in whatever order these come") {
  const auto run = [] {
    ConstantsBench bench(tree_of("int a = 100;\nint b = 64;\ndouble c = 0.5;\n"), 9);
    std::string story;
    std::deque<Ask> waiting;
    for (int i = 0; i < 80; ++i) {
      if (auto ask = bench.ask()) {
        story += ask->note;
        waiting.push_back(*std::move(ask));
      }
      if (waiting.size() < 4) continue;
      const Ask ask = i % 3 == 0 ? waiting.back() : waiting.front();
      i % 3 == 0 ? waiting.pop_back() : waiting.pop_front();
      bench.tell(ask, i % 4 == 0 ? std::nullopt : std::optional(1.0 + i * 0.01));
    }
    return story;
  };
  CHECK(run() == run());
}

TEST_CASE("a note that is not of the constants emitter does no harm") {
  ConstantsBench bench(tree_of("int a = 100;\n"));
  for (const char* note :
       {"", "{", "[]", "{}", R"({"changes": 1})", R"({"changes": []})", R"({"changes": [1, {}]})",
        R"({"changes": [{"key": 5}]})", R"({"changes": [{"key": "zz"}], "parent_objective": "x"})"}) {
    Ask ask;
    ask.note = note;
    bench.tell(ask, std::nullopt);
    bench.tell(ask, 2.0);
  }
  CHECK(bench.ask().has_value());
}

TEST_CASE("a constant is tuned towards its best value") {
  const SourceTree tree = tree_of("constexpr int kBatch = 4;  // aiopt: tune\nint other = 77;\n");
  // Best at 256, half as good for each factor of eight away from it.
  const auto objective_of = [](double batch) { return std::exp2(-std::abs(std::log2(batch / 256.0)) / 3.0); };
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    ConstantsBench bench(tree, seed);
    bench.archive = ListArchive();
    bench.archive.add(make_elite(0, objective_of(4.0), tree));
    bench.selection = ScriptedSelection([](const Archive& archive, std::size_t count, Rng&) {
      return std::vector<CandidateId>(count, archive.best()->candidate->id);
    });
    for (std::uint64_t i = 1; i <= 60; ++i) {
      const auto ask = bench.ask();
      if (!ask) continue;
      const std::string text = applied(bench.archive.find(ask->parent)->candidate->tree, *ask);
      const double objective = objective_of(tunable_literals(text)[0].value);
      bench.tell(*ask, objective);
      bench.archive.add(make_elite(i, objective, tree_of(text)));
    }
    if (bench.archive.best()->fitness.objective > 0.79) ++found;  // Within a factor of two.
  }
  CHECK(found >= 9);
}

TEST_CASE("an ask of the constants emitter costs microseconds on a tree of 50 KB") {
  SourceTree tree;
  for (int f = 0; f < 10; ++f) {
    std::string text;
    while (text.size() < 5'000) text += "  total += table[i] * 31 + offset(7); // a line\n";
    tree.emplace("src/" + std::to_string(f) + ".cc", make_source_file(text));
  }
  ConstantsBench bench(tree);
  constexpr int kAsks = 300;
  const auto start = process_cpu_time();
  for (int i = 0; i < kAsks; ++i) REQUIRE(bench.ask().has_value());
  const auto each = (process_cpu_time() - start) / kAsks;
  MESSAGE("constants: ", each.count(), " us an ask, of 2,000 literals");
  CHECK(each.count() < 50'000);
}
