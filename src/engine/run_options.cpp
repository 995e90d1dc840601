/// Run options to and from JSON.

#include "engine/run_options.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace aiopt {

using Json = nlohmann::ordered_json;

std::string run_options_to_json(const EvolutionOptions& options, const Task& task) {
  Json json = {
      {"task", task.name},                  {"mode", "fast"},
      {"iterations", options.iterations},   {"seed", options.seed},
      {"window", options.window},           {"reproducible", options.reproducible},
      {"claim_pairs", options.claim_pairs}, {"record", options.record.string()},
      {"replay", options.replay.string()},  {"selection", task.selection},
      {"api_base", task.llm.api_base},
  };
  if (options.budget_usd) json["budget_usd"] = *options.budget_usd;
  if (options.budget_time) json["budget_seconds"] = options.budget_time->count();
  json["models"] = Json::array();
  for (const ModelTask& model : task.llm.models) {
    Json entry = {{"name", model.name},
                  {"weight", model.weight},
                  {"usd_per_million_prompt_tokens", model.usd_per_million_prompt_tokens},
                  {"usd_per_million_completion_tokens", model.usd_per_million_completion_tokens}};
    if (model.temperature) entry["temperature"] = *model.temperature;
    if (model.max_tokens) entry["max_tokens"] = *model.max_tokens;
    json["models"].push_back(std::move(entry));
  }
  json["emitters"] = Json::array();
  for (const EmitterTask& emitter : task.emitters) {
    json["emitters"].push_back({{"name", emitter.name}, {"weight", emitter.weight}});
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<EvolutionOptions> run_options_from_json(std::string_view text, Task& task) {
  try {
    const Json json = Json::parse(text);
    EvolutionOptions options;
    options.iterations = json.at("iterations").get<std::uint64_t>();
    options.seed = json.at("seed").get<std::uint64_t>();
    options.window = json.at("window").get<int>();
    options.reproducible = json.at("reproducible").get<bool>();
    options.claim_pairs = json.at("claim_pairs").get<int>();
    options.record = json.at("record").get<std::string>();
    options.replay = json.at("replay").get<std::string>();
    if (json.contains("budget_usd")) options.budget_usd = json.at("budget_usd").get<double>();
    if (json.contains("budget_seconds"))
      options.budget_time = std::chrono::seconds(json.at("budget_seconds").get<std::int64_t>());
    task.selection = json.at("selection").get<std::string>();
    task.llm.api_base = json.at("api_base").get<std::string>();
    task.llm.models.clear();
    for (const Json& entry : json.at("models")) {
      ModelTask model;
      model.name = entry.at("name").get<std::string>();
      model.weight = entry.at("weight").get<double>();
      model.usd_per_million_prompt_tokens = entry.at("usd_per_million_prompt_tokens").get<double>();
      model.usd_per_million_completion_tokens = entry.at("usd_per_million_completion_tokens").get<double>();
      if (entry.contains("temperature")) model.temperature = entry.at("temperature").get<double>();
      if (entry.contains("max_tokens")) model.max_tokens = entry.at("max_tokens").get<std::uint32_t>();
      task.llm.models.push_back(std::move(model));
    }
    task.emitters.clear();
    for (const Json& entry : json.at("emitters")) {
      task.emitters.push_back({entry.at("name").get<std::string>(), entry.at("weight").get<double>()});
    }
    return options;
  } catch (const Json::exception& error) {
    return Error{Error::Code::corruption, fmt::format("cannot read the options in run.db: {}", error.what())};
  }
}

}  // namespace aiopt
