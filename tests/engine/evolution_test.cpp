/// The loop, on fakes around a real store.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "archive/grid_archive.hpp"
#include "core/remeasurement.hpp"
#include "core/repair.hpp"
#include "view/run_summary.hpp"

#include "support/scripted_chat.hpp"
#include "support/small_run.hpp"

using namespace aiopt;

namespace {

Result<ChatReply> reply_with_value(std::uint64_t value) {
  ChatReply reply;
  reply.text = reply_text_with_value(value);
  reply.usage = {100, 10};
  return reply;
}

Result<ChatReply> reply_with_text(std::string text) {
  ChatReply reply;
  reply.text = std::move(text);
  return reply;
}

/// Depends on all of the prompt, so that two searches that differ anywhere differ from there on.
ChatReply reply_to_prompt(const ChatRequest& request) {
  return *reply_with_value(100 + std::hash<std::string>{}(request.messages.back().content) % 50);
}

EvolutionOptions options_for(std::uint64_t iterations, int workers = 2) {
  EvolutionOptions options;
  options.iterations = iterations;
  options.workers = workers;
  options.window = workers + 2;
  return options;
}

EvolutionOptions reproducible(std::uint64_t iterations, int workers = 2) {
  EvolutionOptions options = options_for(iterations, workers);
  options.reproducible = true;
  options.window = 4;
  return options;
}

RunEnd end_of(const Result<RunEnd>& end) {
  REQUIRE_MESSAGE(end.has_value(), end.error().message);
  return *end;
}

/// Whether a resumed search asked for what it had asked before.
bool went_on_as_before(const SmallRun& run) {
  return std::none_of(run.sink.notices.begin(), run.sink.notices.end(), [](const std::string& notice) {
    return notice.find("would have asked for other proposals") != std::string::npos;
  });
}

/// Every eighth evaluation measures an elite again, and asks no model.
constexpr std::uint64_t kRemeasureEvery = 8;

/// What is in run.db of elites that were measured again.
std::vector<StoredEvaluation> remeasurements(const RunStore& store) {
  std::vector<StoredEvaluation> found;
  REQUIRE(store.each_evaluation([&](StoredEvaluation stored) -> Result<void> {
    if (stored.proposal.emitter == kRemeasureEmitter) found.push_back(std::move(stored));
    return {};
  }));
  return found;
}

}  // namespace

TEST_CASE("a run ends with the asked number of evaluations and the best of them") {
  std::uint64_t value = 100;
  ScriptedChat chat([&](const ChatRequest&) { return reply_with_value(++value); });
  SmallRun run;
  CHECK(end_of(run.run(*run.create_store(), chat, options_for(30))) == RunEnd::budget_spent);
  CHECK(run.sink.told.size() == 31);
  CHECK(run.progress.outcomes.at(EvaluationStatus::passed) == 30);
  const std::uint64_t questions = 30 - 30 / kRemeasureEvery;
  CHECK(run.progress.best_speedup == doctest::Approx(1.0 + 0.01 * static_cast<double>(questions)));
  CHECK(run.progress.tokens.prompt_tokens == 100 * questions);
}

TEST_CASE("gains that lie within the noise of the pairs drive no elite out") {
  // Seven, one after another: none of them is measured again yet, which would tell more.
  EvolutionOptions options = options_for(kRemeasureEvery - 1, 1);
  options.window = 1;
  for (const auto& [noise, best] : {std::pair{0.0, 1.28}, {0.2, 1.04}}) {
    std::uint64_t value = 100;
    ScriptedChat chat([&](const ChatRequest&) { return reply_with_value(value += 4); });
    SmallRun run;
    run.evaluator.noise = noise;
    CHECK(end_of(run.run(*run.create_store(), chat, options)) == RunEnd::budget_spent);
    CHECK(run.progress.best_speedup == doctest::Approx(best));  // The last, or the first, which found its cell empty.
  }
}

TEST_CASE("in full mode each candidate's evaluation can ask how it stands among the elites") {
  for (const auto& [mode, told] : {std::pair{Mode::full, 5}, {Mode::fast, 0}}) {
    std::uint64_t value = 100;
    ScriptedChat chat([&](const ChatRequest&) { return reply_with_value(++value); });
    SmallRun run;
    EvolutionOptions options = options_for(5);
    options.mode = mode;
    CHECK(end_of(run.run(*run.create_store(), chat, options)) == RunEnd::budget_spent);
    CHECK(run.evaluator.calls == 5 + 1);  // The baseline is one of them.
    CHECK(run.evaluator.told_standing == static_cast<std::uint64_t>(told));
  }
}

TEST_CASE("what fails is counted, told and shown to the model next") {
  ScriptedChat chat([](const ChatRequest& request) -> Result<ChatReply> {
    switch (request.number % 4) {
      case 0:
        return reply_with_text("I would rather not.");
      case 1:
        return reply_with_text(
            fmt::format("```cpp main.cc\nconst char* why = \"does not build {}\";\n```\n", request.number));
      case 2:
        return Error{Error::Code::unavailable, "endpoint said 500 four times"};
      default:
        return reply_with_value(request.number);
    }
  });
  SmallRun run;
  EvolutionOptions options = options_for(20, 1);
  options.window = 1;
  CHECK(end_of(run.run(*run.create_store(), chat, options)) == RunEnd::budget_spent);
  CHECK(run.progress.outcomes == std::map<EvaluationStatus, std::uint64_t>{{EvaluationStatus::passed, 5 + 2},
                                                                           {EvaluationStatus::patch_rejected, 3},
                                                                           {EvaluationStatus::build_failed, 5},
                                                                           {EvaluationStatus::no_reply, 5}});
  CHECK(run.evaluator.calls.load() == 1 + 10 + 2);  // A rejected patch costs no build; two are elites, measured again.
  CHECK(chat.requests.back().messages.back().content.find("does not build") != std::string::npos);
}

/// Every third question is answered by what does not build; where that goes back, by a value, or once more by that.
Result<ChatReply> reply_that_may_not_build(const ChatRequest& request, bool mends) {
  const bool is_back = request.messages.size() > 2;
  if (is_back ? mends : request.number % 3 != 0) return reply_to_prompt(request);
  ChatReply reply;
  reply.text = fmt::format("```cpp main.cc\nconst char* why = \"does not build {}\";\n```\n", request.number);
  return reply;
}

/// A line takes 0.8 of the time and gives back 0.3 of it: what is left allows twice the throughput.
Profile profile_with_room_for_twice() {
  CausalTarget line;
  line.place = {"main", "main.cc", 2};
  line.scope = "line";
  line.share = 0.8;
  line.curve = {{0.0, 0.0, 0.0, 0.0, 10}, {1.0, 0.2, 0.1, 0.3, 10}};
  Profile profile;
  profile.off_cpu.emplace().threads = 1.0;
  profile.causal.emplace();
  profile.causal->targets = {line};
  return profile;
}

TEST_CASE("a gain above what the baseline's profiles leave room for is quarantined: told, kept, and in no archive") {
  std::uint64_t value = 100;
  ScriptedChat chat([&](const ChatRequest&) { return reply_with_value(value += 50); });
  SmallRun run;
  run.evaluator.profile = profile_with_room_for_twice();
  EvolutionOptions options = options_for(4, 1);
  options.window = 1;
  CHECK(end_of(run.run(*run.create_store(), chat, options)) == RunEnd::budget_spent);
  CHECK(run.progress.outcomes ==
        std::map<EvaluationStatus, std::uint64_t>{{EvaluationStatus::passed, 2}, {EvaluationStatus::quarantined, 2}});
  CHECK(run.progress.best_speedup == doctest::Approx(2.0));
  const auto stored = run.open_store()->evaluation(CandidateId{3});
  REQUIRE(stored.has_value());
  CHECK(stored->evaluation.status == EvaluationStatus::quarantined);
  CHECK(stored->evaluation.reason.find("2.50x at least") != std::string::npos);
  CHECK(stored->evaluation.benchmark.has_value());
  CHECK_FALSE(stored->fitness.has_value());
  CHECK_FALSE(stored->added.has_value());
}

TEST_CASE("an elite that is measured again is judged by all of its pairs, not by the new ones") {
  std::uint64_t value = 180;
  ScriptedChat chat([&](const ChatRequest&) { return reply_with_value(++value); });
  SmallRun run;
  run.evaluator.profile = profile_with_room_for_twice();
  run.evaluator.again = 1.2;
  const auto store = run.create_store();
  EvolutionOptions options = options_for(8, 1);
  options.window = 1;
  end_of(run.run(*store, chat, options));
  const std::vector<StoredEvaluation> again = remeasurements(*store);
  REQUIRE(again.size() == 1);
  CHECK(again[0].evaluation.benchmark->speedup() > 1.9);
  CHECK(again[0].evaluation.benchmark->estimate->lower < 2.0);
  CHECK(again[0].evaluation.status == EvaluationStatus::passed);
  CHECK(again[0].fitness->objective > 1.0);
  REQUIRE(again[0].evaluation.gates.size() == 1);
  CHECK_FALSE(again[0].evaluation.gates[0].fired);
}

TEST_CASE("a patch that does not build goes back to its model once, with its reply and what the build printed") {
  for (const bool mends : {true, false}) {
    ScriptedChat chat([&](const ChatRequest& request) { return reply_that_may_not_build(request, mends); });
    SmallRun run;
    run.task.repair = 1;
    EvolutionOptions options = options_for(7, 1);
    options.window = 1;
    CHECK(end_of(run.run(*run.create_store(), chat, options)) == RunEnd::budget_spent);
    const auto store = run.open_store();
    const auto failed = store->evaluation(CandidateId{3});
    const auto again = store->evaluation(CandidateId{4});
    REQUIRE(failed);
    REQUIRE(again);
    CHECK(failed->evaluation.status == EvaluationStatus::build_failed);
    CHECK(again->proposal.emitter == kRepairEmitter);
    CHECK(again->proposal.ask.parent == failed->proposal.ask.parent);
    CHECK(again->evaluation.status == (mends ? EvaluationStatus::passed : EvaluationStatus::build_failed));

    REQUIRE(chat.requests.size() == 7);
    const std::vector<ChatMessage>& asked = chat.requests[2].messages;
    const std::vector<ChatMessage>& asked_again = chat.requests[3].messages;
    REQUIRE(asked_again.size() == asked.size() + 2);
    for (std::size_t i = 0; i < asked.size(); ++i) CHECK(asked_again[i].content == asked[i].content);
    CHECK(asked_again[2].role == "assistant");
    CHECK(asked_again[2].content == failed->proposal.reply);
    CHECK(asked_again[3].role == "user");
    CHECK(asked_again[3].content.find(failed->evaluation.reason) != std::string::npos);
    // Not a second time, and no other is left out for it.
    CHECK(chat.requests[4].messages.size() == asked.size());
    CHECK(store->evaluation(CandidateId{6})->evaluation.status == EvaluationStatus::build_failed);
    CHECK(store->evaluation(CandidateId{7})->proposal.emitter == kRepairEmitter);
  }
}

TEST_CASE("a run that repairs patches and was killed is resumed with the repairs that were due") {
  for (EvolutionOptions options : {reproducible(30, 1), reproducible(30, 3), options_for(30, 1), options_for(30, 3)}) {
    CAPTURE(options.workers);
    CAPTURE(options.reproducible);
    ScriptedChat chat([](const ChatRequest& request) { return reply_that_may_not_build(request, true); });
    SmallRun run;
    run.task.repair = 1;
    std::set<std::uint64_t> kept;
    run.after_told = [&](const RunProgress& progress) {
      if (!kept.insert(progress.evaluations).second) return;
      std::filesystem::copy(run.folder.path() / "run", run.folder.path() / std::to_string(progress.evaluations));
    };
    end_of(run.run(*run.create_store(), chat, options));
    const std::string whole = run.exported();
    run.after_told = nullptr;
    std::size_t repairs = 0;
    REQUIRE(run.open_store()->each_evaluation([&](StoredEvaluation stored) -> Result<void> {
      const bool is_repair = stored.proposal.emitter == kRepairEmitter;
      repairs += is_repair && stored.evaluation.status == EvaluationStatus::passed ? 1 : 0;
      return {};
    }));
    CHECK(repairs >= 3);
    for (const std::uint64_t at : kept) {
      CAPTURE(at);
      end_of(run.run(*run.open_store(std::to_string(at)), chat, options));
      CHECK(went_on_as_before(run));
      CHECK(run.progress.evaluations == 30);
      if (options.reproducible) CHECK(run.exported(std::to_string(at)) == whole);
    }
  }
}

TEST_CASE("a tree that was evaluated is not evaluated again") {
  ScriptedChat chat([](const ChatRequest& request) { return reply_with_value(request.number % 2 == 0 ? 120 : 130); });
  SmallRun run;
  end_of(run.run(*run.create_store(), chat, options_for(20)));
  CHECK(run.progress.evaluations == 20);
  CHECK(run.evaluator.calls - run.evaluator.measured_anew == 3);
  // A reply that gives the parent's own tree changes nothing, and is refused.
  CHECK(run.progress.reused + run.progress.outcomes[EvaluationStatus::patch_rejected] ==
        18 - run.evaluator.measured_anew);
}

TEST_CASE("a seed and the same replies give the same run, whatever the number of workers") {
  std::set<std::string> exports;
  for (const int workers : {1, 2, 4, 7}) {
    ScriptedChat chat(reply_to_prompt);
    SmallRun run;
    run.evaluator.delay = std::chrono::milliseconds(workers);
    end_of(run.run(*run.create_store(), chat, reproducible(40, workers)));
    exports.insert(run.exported());
  }
  CHECK(exports.size() == 1);
}

TEST_CASE("a run that was killed and resumed is the run that was never stopped") {
  ScriptedChat chat(reply_to_prompt);
  SmallRun run;
  // What a kill after the n-th commit would leave behind: a copy of the folder at that moment.
  run.after_told = [&](const RunProgress& progress) {
    for (const std::uint64_t at : {0U, 1U, 7U, 29U}) {
      if (progress.evaluations != at) continue;
      std::filesystem::copy(run.folder.path() / "run", run.folder.path() / std::to_string(at));
    }
  };
  end_of(run.run(*run.create_store(), chat, reproducible(30)));
  const std::string whole = run.exported();
  run.after_told = nullptr;
  for (const char* name : {"0", "1", "7", "29"}) {
    end_of(run.run(*run.open_store(name), chat, reproducible(30)));
    CHECK(went_on_as_before(run));
    CHECK(run.exported(name) == whole);
  }
}

TEST_CASE("several told in one commit are resumed in the order told") {
  ScriptedChat chat(reply_to_prompt);
  SmallRun run;
  run.after_told = [&](const RunProgress& progress) {
    for (const std::uint64_t at : {3U, 11U, 20U}) {
      if (progress.evaluations != at) continue;
      std::filesystem::copy(run.folder.path() / "run", run.folder.path() / std::to_string(at));
    }
  };
  const auto store = run.create_store();
  end_of(run.run(*store, chat, options_for(30, 4)));
  run.after_told = nullptr;
  for (const char* name : {"3", "11", "20"}) {
    end_of(run.run(*run.open_store(name), chat, options_for(30, 4)));
    CHECK(went_on_as_before(run));
    CHECK(run.progress.evaluations == 30);
    std::set<CandidateId> told;
    REQUIRE(run.open_store(name)->each_evaluation([&](StoredEvaluation stored) -> Result<void> {
      CHECK(told.insert(stored.proposal.id).second);
      return {};
    }));
    CHECK(told.size() == 31);
  }
}

TEST_CASE("of equal trees the earliest asked is evaluated, whichever reply comes first") {
  // The first reply is held back until the second has come.
  class HeldBackChat final : public ChatClient {
   public:
    void send(ChatRequest request, Done done) override {
      if (request.number == 1) {
        held_ = std::move(done);
        return;
      }
      done(reply_with_value(150));
      if (held_) std::exchange(held_, nullptr)(reply_with_value(150));
    }

   private:
    Done held_;
  };
  ScriptedChat in_order([](const ChatRequest&) { return reply_with_value(150); });
  SmallRun expected;
  end_of(expected.run(*expected.create_store(), in_order, reproducible(6)));
  for (const int delay_ms : {0, 20}) {  // Whether or not the second was evaluated by then.
    HeldBackChat out_of_order;
    SmallRun run;
    run.evaluator.delay = std::chrono::milliseconds(delay_ms);
    end_of(run.run(*run.create_store(), out_of_order, reproducible(6)));
    CHECK(run.exported() == expected.exported());
  }
}

TEST_CASE("an endpoint that never answers ends the run after three questions, one that did after twenty") {
  std::uint64_t answered = 0;
  std::uint64_t asked = 0;
  ScriptedChat chat([&](const ChatRequest&) -> Result<ChatReply> {
    if (++asked <= answered) return reply_with_value(100 + asked);
    return Error{Error::Code::unavailable, "endpoint cannot be reached"};
  });
  EvolutionOptions options = options_for(100, 1);
  options.window = 1;
  for (const auto& [answers, told] : {std::pair{0U, 2U}, {5U, 27U}}) {
    answered = answers;
    asked = 0;
    SmallRun run;
    const auto end = run.run(*run.create_store(), chat, options);
    REQUIRE_FALSE(end.has_value());
    CHECK(end.error().message.find("aiopt resume") != std::string::npos);
    CHECK(run.progress.evaluations == told);  // With three elites in it that were measured again.
  }
}

TEST_CASE("an endpoint that refuses from the start ends the run, which can be resumed") {
  bool refuses = true;
  ScriptedChat chat([&](const ChatRequest& request) -> Result<ChatReply> {
    if (refuses) return Error{Error::Code::invalid_argument, "endpoint said 401 Unauthorized"};
    return reply_with_value(100 + request.number);
  });
  SmallRun run;
  {
    const auto end = run.run(*run.create_store(), chat, options_for(10));
    REQUIRE_FALSE(end.has_value());
    CHECK(end.error().message.find("401") != std::string::npos);
  }
  refuses = false;
  end_of(run.run(*run.open_store(), chat, options_for(10)));
  CHECK(run.progress.evaluations == 10);
}

TEST_CASE("a stopped run finishes what is being evaluated, and keeps it") {
  std::stop_source finish;
  ScriptedChat chat([&](const ChatRequest& request) {
    if (request.number == 9) finish.request_stop();
    return reply_with_value(100 + request.number);
  });
  SmallRun run;
  CHECK(end_of(run.run(*run.create_store(), chat, options_for(1000), {finish.get_token(), {}})) == RunEnd::interrupted);
  CHECK(run.progress.evaluations >= 5);
  CHECK(run.progress.evaluations <= 9);
}

TEST_CASE("every eighth evaluation measures an elite again, and its pairs grow") {
  ScriptedChat chat(reply_to_prompt);
  SmallRun run;
  const auto store = run.create_store();
  end_of(run.run(*store, chat, options_for(40, 1)));
  const std::vector<StoredEvaluation> again = remeasurements(*store);
  REQUIRE(again.size() == 5);
  CHECK(run.evaluator.measured_anew == 5);
  for (const StoredEvaluation& stored : again) {
    CHECK(to_number(stored.proposal.id) % kRemeasureEvery == 0);
    CHECK(stored.proposal.ask.parent != kBaselineId);
    CHECK_FALSE(stored.exact);
    CHECK(stored.evaluation.benchmark->baseline.size() == 3);
    CHECK(stored.fitness);
  }
  Result<RunSummary> summary =
      summarize(*store, run.task, 40, make_grid_archive(run.task.axes, run.task.archive_depth));
  REQUIRE(summary);
  CHECK(summary->remeasured == 5);
  std::size_t pairs_of_elites = 0;
  for (const Elite* elite : summary->archive->residents()) {
    pairs_of_elites = std::max(pairs_of_elites, elite->evaluation->benchmark->baseline.size());
  }
  CHECK(pairs_of_elites > 3);
  // What is read from run.db is the archive that the run itself had.
  CHECK(summary->archive->stats().qd_score == run.progress.archive.qd_score);
  CHECK(summary->archive->stats().num_elites == run.progress.archive.num_elites);
  CHECK(summary->archive->best()->candidate->id == run.progress.best);
}

TEST_CASE("an elite that owed its place to luck loses it when it is measured again") {
  std::uint64_t value = 100;
  ScriptedChat chat([&](const ChatRequest&) { return reply_with_value(++value); });
  SmallRun run;
  run.evaluator.again = 0.5;
  const auto store = run.create_store();
  EvolutionOptions options = options_for(8, 1);
  options.window = 1;
  end_of(run.run(*store, chat, options));
  const std::vector<StoredEvaluation> again = remeasurements(*store);
  REQUIRE(again.size() == 1);
  const CandidateId lucky = again[0].proposal.ask.parent;
  const Result<StoredEvaluation> before = store->evaluation(lucky);
  REQUIRE(before);
  // Of all six pairs together: neither what it was nor what the last three alone say.
  REQUIRE(again[0].fitness);
  CHECK(again[0].fitness->objective < before->fitness->objective);
  const double ratio = again[0].evaluation.benchmark->estimate->ratio;
  CHECK(ratio < before->evaluation.benchmark->speedup());
  CHECK(ratio > 0.5 * before->evaluation.benchmark->speedup());
  CHECK(run.progress.best != lucky);
}

TEST_CASE("a run in which elites were measured again is resumed to the same run, wherever it was killed") {
  ScriptedChat chat(reply_to_prompt);
  SmallRun run;
  run.evaluator.noise = 0.05;
  run.evaluator.again = 0.9;
  run.after_told = [&](const RunProgress& progress) {
    for (const std::uint64_t at : {7U, 8U, 9U, 17U, 25U}) {
      if (progress.evaluations != at) continue;
      std::filesystem::copy(run.folder.path() / "run", run.folder.path() / std::to_string(at));
    }
  };
  end_of(run.run(*run.create_store(), chat, reproducible(33)));
  const std::string whole = run.exported();
  const RunProgress progress = run.progress;
  REQUIRE(run.evaluator.measured_anew == 4);
  run.after_told = nullptr;
  for (const char* name : {"7", "8", "9", "17", "25"}) {
    end_of(run.run(*run.open_store(name), chat, reproducible(33)));
    CHECK(went_on_as_before(run));
    CHECK(run.exported(name) == whole);
    CHECK(run.progress.best == progress.best);
    CHECK(run.progress.best_speedup == progress.best_speedup);
    CHECK(run.progress.archive.qd_score == progress.archive.qd_score);
  }
}

TEST_CASE("the host is tested at the start and kept in run.db, and nobody waits for it") {
  ScriptedChat chat(reply_to_prompt);
  SmallRun run;
  const auto store = run.create_store();
  end_of(run.run(*store, chat, options_for(20)));
  REQUIRE(run.evaluator.compared.size() == 1);
  CHECK(run.evaluator.compared[0].candidate == kBaselineId);
  CHECK(run.evaluator.compared[0].against == kBaselineId);
  CHECK(run.evaluator.compared[0].options.pairs == HostWatch::kPairs);
  const Result<std::vector<StoredObservation>> observations = store->observations();
  REQUIRE(observations);
  REQUIRE(observations->size() == 1);
  CHECK(observations->front().kind == StoredObservation::Kind::noise_floor);
  CHECK(std::count_if(run.sink.notices.begin(), run.sink.notices.end(),
                      [](const std::string& notice) { return notice.find("this host tells") == 0; }) == 1);
}
