/// Tests of a run put into words.

#include "view/run_summary.hpp"

#include <string>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "archive/grid_archive.hpp"
#include "support/scripted_chat.hpp"
#include "support/small_run.hpp"

using namespace aiopt;

namespace {

/// Twelve evaluations: half of them better and better, a third does not build, a sixth is no patch; the eighth measures
/// an elite again and asks no model.
RunSummary summary_of_a_run(SmallRun& run) {
  run.task.llm.models[0].usd_per_million_prompt_tokens = 100.0;
  ScriptedChat chat([](const ChatRequest& request) -> Result<ChatReply> {
    ChatReply reply;
    reply.usage = {1000, 10};
    reply.text = reply_text_with_value(100 + 10 * request.number);
    if (request.number % 3 == 0)
      reply.text = fmt::format("```cpp main.cc\nconst char* why = \"does not build {}\";\n```\n", request.number);
    if (request.number % 6 == 1) reply.text = "No.";
    return reply;
  });
  EvolutionOptions options;
  options.iterations = 12;
  options.workers = 1;
  options.window = 1;
  const auto store = run.create_store();
  REQUIRE(run.run(*store, chat, options));
  Result<RunSummary> summary = summarize(*store, run.task, 12, make_grid_archive(run.task.axes));
  REQUIRE(summary);
  return std::move(*summary);
}

}  // namespace

TEST_CASE("a summary read from run.db says what the run itself counted") {
  SmallRun run;
  const RunSummary summary = summary_of_a_run(run);
  CHECK(summary.evaluations == 12);
  CHECK(summary.outcomes == run.progress.outcomes);
  CHECK(summary.outcomes.at(EvaluationStatus::build_failed) == 4);
  CHECK(summary.outcomes.at(EvaluationStatus::patch_rejected) == 2);
  CHECK(summary.usd == doctest::Approx(1.1));
  CHECK(summary.usd == doctest::Approx(run.progress.usd));
  CHECK(summary.tokens.prompt_tokens == 11'000);
  CHECK(summary.archive->best()->candidate->id == run.progress.best);
  REQUIRE(summary.failures.size() >= 2);
  CHECK(summary.failures[0].times >= summary.failures[1].times);
}

TEST_CASE("the words name the best, its spread, the elites and what failed") {
  SmallRun run;
  const std::string text = describe(summary_of_a_run(run), "run/best.patch");
  INFO(text);
  CHECK(text.find("small: 12 of 12 evaluations in") == 0);
  CHECK(text.find("best      candidate 11, scripted\n") != std::string::npos);
  CHECK(text.find("speed-up  2.10x (3 pairs, no interval) in the search\n") != std::string::npos);
  CHECK(text.find("patch     run/best.patch\n") != std::string::npos);
  CHECK(text.find("2x patch_rejected (candidate 1): ") != std::string::npos);
}

TEST_CASE("--json keeps what its contract says") {
  SmallRun run;
  const nlohmann::json json = nlohmann::json::parse(to_json(summary_of_a_run(run), ""));
  for (const char* key : {"status", "iterations", "outcomes", "best", "archive", "tokens", "usd", "seconds"}) {
    CHECK_MESSAGE(json.contains(key), key);
  }
  CHECK(json["best"]["id"] == 11);
  CHECK(json["best"]["speedup"].get<double>() == doctest::Approx(2.1));
  CHECK_FALSE(json["best"].contains("patch_file"));
  CHECK(json["archive"]["cells"].size() == json["archive"]["elites"].get<std::size_t>());
}

namespace {

BenchmarkResult measured_pairs(double ratio, int pairs) {
  BenchmarkResult result;
  for (int i = 0; i < pairs; ++i) {
    result.candidate.emplace_back().throughput_ops_sec = 1000.0 * ratio;
    result.baseline.emplace_back().throughput_ops_sec = 1000.0;
  }
  result.estimate = SpeedupEstimate{ratio, ratio - 0.1, ratio + 0.1, 0.95, 0.01};
  return result;
}

/// The run above with what was seen of it later: claims, two hosts, two A/A tests.
RunSummary summary_with_claims(SmallRun& run) {
  { const RunSummary ignored = summary_of_a_run(run); }
  const auto store = run.open_store();
  StoredClaim best{CandidateId{10}, measured_pairs(1.8, 7)};
  best.holdout = measured_pairs(1.3, 7);
  best.against_parent = measured_pairs(1.1, 7);
  const std::vector<StoredClaim> claims = {best, {CandidateId{11}, measured_pairs(1.7, 7)}};
  REQUIRE(store->commit_claims(claims));
  using Kind = StoredObservation::Kind;
  for (const auto& [kind, content] : {std::pair{Kind::fingerprint, R"({"line": "lab-a, 4 CPUs"})"},
                                      {Kind::noise_floor, R"({"sentence": "early"})"},
                                      {Kind::fingerprint, R"({"line": "lab-a, 4 CPUs"})"},
                                      {Kind::fingerprint, R"({"line": "lab-b, 8 CPUs"})"},
                                      {Kind::noise_floor, R"({"sentence": "this host tells 1.8 % apart in 7 pairs"})"},
                                      {Kind::fingerprint, "no JSON at all"}}) {
    StoredObservation seen;
    seen.kind = kind;
    seen.content = content;
    REQUIRE(store->add_observation(seen));
  }
  Result<RunSummary> summary =
      summarize(*store, run.task, 12, make_grid_archive(run.task.axes, run.task.archive_depth));
  REQUIRE(summary);
  return std::move(*summary);
}

}  // namespace

TEST_CASE("the best is what the claims say, and their figures stand before those of the search") {
  SmallRun run;
  const RunSummary summary = summary_with_claims(run);
  REQUIRE(summary.best() != nullptr);
  CHECK(summary.best()->candidate->id == CandidateId{10});
  const std::string text = describe(summary, "");
  INFO(text);
  for (const char* words :
       {"  best      candidate 10, scripted\n",
        "  speed-up  1.80x (95 % 1.70x to 1.90x, 7 pairs) of the baseline's value, measured after the run\n",
        "            1800 ops/s against 1000\n", "1.30x (95 % 1.20x to 1.40x, 7 pairs) on the held-out workload",
        "in the search, which chose it for that\n", "  next best  candidate 11: 1.70x (95 % 1.60x to 1.80x, 7 pairs)\n",
        "(1 measured an elite again)"}) {
    CHECK_MESSAGE(text.find(words) != std::string::npos, words);
  }
}

TEST_CASE("the hosts of a run are told once each, with a warning where there are several, and the last noise floor") {
  SmallRun run;
  const RunSummary summary = summary_with_claims(run);
  CHECK(summary.hosts == std::vector<std::string>{"lab-a, 4 CPUs", "lab-b, 8 CPUs"});
  CHECK(summary.noise_floor == "this host tells 1.8 % apart in 7 pairs");
  const std::string text = describe(summary, "");
  INFO(text);
  CHECK(text.find("  host      lab-a, 4 CPUs\n  then      lab-b, 8 CPUs\n            several hosts: ") !=
        std::string::npos);
  CHECK(text.find("            this host tells 1.8 % apart in 7 pairs\n") != std::string::npos);
}

TEST_CASE("--json has the claims, what the search saw beside them, hosts and noise floor") {
  SmallRun run;
  const nlohmann::json json = nlohmann::json::parse(to_json(summary_with_claims(run), ""));
  const nlohmann::json best = json["best"];
  CHECK(best["id"] == 10);
  CHECK(best["remeasured"] == true);
  CHECK(best["speedup"] == 1.8);
  CHECK(best["speedup_interval"].size() == 2);
  CHECK(best["pairs"] == 7);
  CHECK(best["in_search"]["pairs"].get<int>() >= 3);
  CHECK(best["in_search"]["speedup"].get<double>() == doctest::Approx(2.0));
  CHECK(best["holdout"]["speedup"] == 1.3);
  CHECK(best["against_parent"]["speedup"] == 1.1);
  REQUIRE(json["claims"].size() == 2);
  CHECK(json["claims"][1]["id"] == 11);
  CHECK(json["claims"][1]["speedup"] == 1.7);
  CHECK(json["hosts"].size() == 2);
  CHECK(json["noise_floor"] == "this host tells 1.8 % apart in 7 pairs");
  CHECK(json["remeasured"] == 1);
}

TEST_CASE("without claims the best is the search's, and says so") {
  SmallRun run;
  const nlohmann::json json = nlohmann::json::parse(to_json(summary_of_a_run(run), ""));
  CHECK(json["best"]["remeasured"] == false);
  CHECK(json["best"]["speedup_interval"].is_null());
  CHECK(json["best"]["holdout"].is_null());
  CHECK(json["claims"].empty());
}

TEST_CASE("ratios and times are written as one says them") {
  CHECK(format_ratio(2.345) == "2.35x");
  CHECK(format_ratio(12.34) == "12.3x");
  CHECK(format_duration(12.9) == "12 s");
  CHECK(format_duration(185) == "3 min 05 s");
  CHECK(format_duration(3725) == "1 h 02 min");
  CHECK(format_duration(-1) == "0 s");
  CHECK(format_outcomes({}) == "none");
  CHECK(format_outcomes({{EvaluationStatus::passed, 5}, {EvaluationStatus::build_failed, 2}}) ==
        "5 passed, 2 build_failed");
}
