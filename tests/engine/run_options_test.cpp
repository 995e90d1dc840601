/// What run.db keeps of the command line: there and back, and what a stranger may have put there.

#include "engine/run_options.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>

using namespace aiopt;

namespace {

EvolutionOptions some_options() {
  EvolutionOptions options;
  options.iterations = 40;
  options.seed = 18'446'744'073'709'551'615U;
  options.window = 6;
  options.reproducible = true;
  options.claim_pairs = 5;
  options.budget_usd = 2.5;
  options.budget_time = std::chrono::seconds(90);
  options.record = "/tmp/replies.jsonl";
  return options;
}

Task some_task() {
  Task task;
  task.name = "small";
  task.selection = "uniform";
  task.llm.api_base = "http://127.0.0.1:8080/v1";
  ModelTask large;
  large.name = "large";
  large.weight = 0.75;
  large.temperature = 0.25;
  large.max_tokens = 9000;
  large.usd_per_million_prompt_tokens = 1.5;
  large.usd_per_million_completion_tokens = 10.5;
  ModelTask small;
  small.name = "small";
  small.weight = 0.25;
  task.llm.models = {large, small};
  task.emitters = {{"llm", 3.5}, {"constants", 0.5}};
  return task;
}

/// The stored options with one piece replaced; the piece must be there.
std::string stored_with(std::string_view from, std::string_view to) {
  std::string json = run_options_to_json(some_options(), some_task());
  const std::size_t at = json.find(from);
  CAPTURE(json);
  CAPTURE(from);
  REQUIRE(at != std::string::npos);
  return json.replace(at, from.size(), to);
}

std::string refusal(std::string_view json) {
  Task task;
  const Result<EvolutionOptions> options = run_options_from_json(json, task);
  if (options) return "(accepted)";
  CHECK(options.error().code == Error::Code::corruption);
  CHECK(options.error().message.find('\n') == std::string::npos);
  return options.error().message;
}

}  // namespace

TEST_CASE("the options of a run come back as they were stored") {
  Task task;
  const Result<EvolutionOptions> options =
      run_options_from_json(run_options_to_json(some_options(), some_task()), task);
  REQUIRE_MESSAGE(options.has_value(), (options ? "" : options.error().message));
  CHECK(options->iterations == 40);
  CHECK(options->seed == 18'446'744'073'709'551'615U);
  CHECK(options->window == 6);
  CHECK(options->reproducible);
  CHECK(options->claim_pairs == 5);
  CHECK(options->budget_usd == 2.5);
  CHECK(options->budget_time == std::chrono::seconds(90));
  CHECK(options->record == "/tmp/replies.jsonl");
  CHECK(options->replay.empty());
  CHECK(task.selection == "uniform");
  CHECK(task.llm.api_base == "http://127.0.0.1:8080/v1");
  REQUIRE(task.llm.models.size() == 2);
  CHECK(task.llm.models[0].name == "large");
  CHECK(task.llm.models[0].weight == 0.75);
  CHECK(task.llm.models[0].temperature == 0.25);
  CHECK(task.llm.models[0].max_tokens == 9000U);
  CHECK(task.llm.models[0].usd_per_million_prompt_tokens == 1.5);
  CHECK(task.llm.models[0].usd_per_million_completion_tokens == 10.5);
  CHECK_FALSE(task.llm.models[1].temperature);
  REQUIRE(task.emitters.size() == 2);
  CHECK(task.emitters[0].name == "llm");
  CHECK(task.emitters[0].weight == 3.5);
}

TEST_CASE("a run without models, budgets and emitters is read too") {
  EvolutionOptions options;
  options.window = 1;
  Task task = some_task();
  task.llm.models.clear();
  task.emitters.clear();
  const Result<EvolutionOptions> read = run_options_from_json(run_options_to_json(options, task), task);
  REQUIRE(read);
  CHECK_FALSE(read->budget_usd);
  CHECK_FALSE(read->budget_time);
  CHECK(task.llm.models.empty());
  CHECK(task.emitters.empty());
}

TEST_CASE("a model may have no share, where another has one") {
  CHECK(refusal(stored_with(R"("weight":0.75)", R"("weight":0)")) == "(accepted)");
}

TEST_CASE("an option that no command line could have given is refused by name") {
  struct Hostile {
    std::string_view from, to, field;
  };
  const Hostile table[] = {
      {R"("iterations":40)", R"("iterations":0)", "'iterations'"},
      {R"("iterations":40)", R"("iterations":-1)", "'iterations'"},
      {R"("iterations":40)", R"("iterations":1000000001)", "'iterations'"},
      {R"("iterations":40)", R"("iterations":40.5)", "'iterations'"},
      {R"("iterations":40)", R"("iterations":"40")", "'iterations'"},
      {R"("iterations":40,)", "", "iterations"},
      {R"("seed":18446744073709551615)", R"("seed":-1)", "'seed'"},
      {R"("window":6)", R"("window":0)", "'window'"},
      {R"("window":6)", R"("window":-6)", "'window'"},
      {R"("window":6)", R"("window":4097)", "'window'"},
      {R"("window":6)", R"("window":4294967302)", "'window'"},  // 6, cut to 32 bits.
      {R"("window":6)", R"("window":1e300)", "'window'"},
      {R"("claim_pairs":5)", R"("claim_pairs":-1)", "'claim_pairs'"},
      {R"("claim_pairs":5)", R"("claim_pairs":1001)", "'claim_pairs'"},
      {R"("reproducible":true)", R"("reproducible":1)", "boolean"},
      {R"("record":"/tmp/replies.jsonl")", R"("record":{})", "string"},
      {R"("selection":"uniform")", R"("selection":"")", "'selection'"},
      {R"("budget_usd":2.5)", R"("budget_usd":0)", "'budget_usd'"},
      {R"("budget_usd":2.5)", R"("budget_usd":-2.5)", "'budget_usd'"},
      {R"("budget_usd":2.5)", R"("budget_usd":null)", "'budget_usd'"},  // How JSON writes NaN.
      {R"("budget_usd":2.5)", R"("budget_usd":1e999)", "run.db"},
      {R"("budget_seconds":90)", R"("budget_seconds":-90)", "'budget_seconds'"},
      {R"("budget_seconds":90)", R"("budget_seconds":9223372036854775807)", "'budget_seconds'"},
      {R"("name":"large")", R"("name":"")", "'models[1].name'"},
      {R"("weight":0.25)", R"("weight":-1)", "'models[2].weight'"},
      {R"("weight":0.25)", R"("weight":null)", "'models[2].weight'"},
      {R"("weight":0.75)", R"("weight":[1])", "'models[1].weight'"},
      {R"("temperature":0.25)", R"("temperature":2.5)", "'models[1].temperature'"},
      {R"("temperature":0.25)", R"("temperature":-0.5)", "'models[1].temperature'"},
      {R"("max_tokens":9000)", R"("max_tokens":0)", "'models[1].max_tokens'"},
      {R"("usd_per_million_prompt_tokens":1.5)", R"("usd_per_million_prompt_tokens":-1.5)",
       "'models[1].usd_per_million_prompt_tokens'"},
      {R"("usd_per_million_completion_tokens":10.5)", R"("usd_per_million_completion_tokens":"free")",
       "'models[1].usd_per_million_completion_tokens'"},
      {R"("weight":3.5)", R"("weight":-3.5)", "'emitters[1].weight'"},
      {R"("models":[)", R"("models":[7,)", "run.db"},
      {R"("emitters":[)", R"("emitters":7,"rest":[)", "'emitters'"},
  };
  for (const Hostile& hostile : table) {
    CAPTURE(hostile.to);
    const std::string message = refusal(stored_with(hostile.from, hostile.to));
    CAPTURE(message);
    CHECK(message.starts_with("cannot read the options in run.db: "));
    CHECK(message.find(hostile.field) != std::string::npos);
  }
}

TEST_CASE("weights that leave nothing to draw, or add up to no number, are refused") {
  EvolutionOptions options;
  options.window = 1;
  for (const double weight : {0.0, 1.7e308}) {
    CAPTURE(weight);
    Task task = some_task();
    for (ModelTask& model : task.llm.models) model.weight = weight;
    CHECK(refusal(run_options_to_json(options, task)) ==
          "cannot read the options in run.db: 'models' must have weights with a finite sum above 0");
    task = some_task();
    for (EmitterTask& emitter : task.emitters) emitter.weight = weight;
    CHECK(refusal(run_options_to_json(options, task)) ==
          "cannot read the options in run.db: 'emitters' must have weights with a finite sum above 0");
  }
}

TEST_CASE("what is no JSON object is refused") {
  for (const char* json : {"", "{", "[]", "7", "null", "{}", "\xff"}) {
    CAPTURE(json);
    CHECK(refusal(json).starts_with("cannot read the options in run.db: "));
  }
}

namespace {

std::vector<std::string> axes_for(std::vector<std::string> measures, Mode mode, bool reproducible = false) {
  Task task;
  for (std::string& measure : measures) task.axes.push_back({std::move(measure), Axis::Kind::linear, 10, 0.0, 1.0});
  fit_axes(task, mode, reproducible);
  std::vector<std::string> left;
  for (const Axis& axis : task.axes) left.push_back(axis.measure);
  return left;
}

}  // namespace

TEST_CASE("the mode of a run is kept, and no other than there are is read") {
  EvolutionOptions options;
  options.mode = Mode::full;
  options.window = 1;
  Task task = some_task();
  const std::string json = run_options_to_json(options, task);
  const Result<EvolutionOptions> read = run_options_from_json(json, task);
  REQUIRE(read);
  CHECK(read->mode == Mode::full);
  std::string other = json;
  other.replace(other.find("\"full\""), 6, "\"slow\"");
  CHECK_FALSE(run_options_from_json(other, task));
}

TEST_CASE("without profiles a hotspot is what the patch changed most, and what only profiles measure is no axis") {
  using Names = std::vector<std::string>;
  CHECK(axes_for({"offcpu_ratio", "causal_hotspot"}, Mode::full) == Names{"offcpu_ratio", "causal_hotspot"});
  CHECK(axes_for({"offcpu_ratio", "causal_hotspot"}, Mode::fast) == Names{"offcpu_ratio", "function"});
  CHECK(axes_for({"function", "causal_hotspot"}, Mode::fast) == Names{"function"});
  CHECK(axes_for({"offcpu_class", "offcpu_function"}, Mode::fast) == Names{"function"});
  CHECK(axes_for({"ops", "offcpu_class"}, Mode::fast) == Names{"ops"});
}

TEST_CASE("a reproducible run has no axis that the clock gives") {
  using Names = std::vector<std::string>;
  CHECK(axes_for({"offcpu_ratio", "causal_hotspot"}, Mode::fast, true) == Names{"function"});
  CHECK(axes_for({"offcpu_ratio", "causal_hotspot", "offcpu_class"}, Mode::full, true) == Names{"function"});
  CHECK(axes_for({"found_per_read"}, Mode::full, true) == Names{"found_per_read"});
}
