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

/// Twelve proposals: half of them better and better, a third does not build, a sixth is no patch.
RunSummary summary_of_a_run(SmallRun& run) {
  run.task.llm.models[0].usd_per_million_prompt_tokens = 100.0;
  ScriptedChat chat([](const ChatRequest& request) -> Result<ChatReply> {
    ChatReply reply;
    reply.usage = {1000, 10};
    reply.text = reply_text_with_value(100 + 10 * request.number);
    if (request.number % 3 == 0)
      reply.text = fmt::format("```cpp main.cc\n// does not build {}\n```\n", request.number);
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
  CHECK(summary.usd == doctest::Approx(1.2));
  CHECK(summary.usd == doctest::Approx(run.progress.usd));
  CHECK(summary.tokens.prompt_tokens == 12'000);
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
  CHECK(text.find("2.10x in the search (3 pairs, 2.10x to 2.10x)") != std::string::npos);
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
