/// Run options to and from JSON.

#include "engine/run_options.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "core/task_yaml.hpp"

namespace aiopt {

using Json = nlohmann::ordered_json;

namespace {

constexpr double kLargest = std::numeric_limits<double>::max();
constexpr std::uint64_t kMostSeconds = 1'000'000'000;  // Of a budget; in nanoseconds it still fits 64 bits.

/// Thrown by Fields beside nlohmann's own exceptions, and caught with them.
struct BadField {
  std::string what;
};

/// Reads the fields of one object, within the ranges that the command line and the task have: whoever hands over a
/// run.db may have written it, and nobody looks at the numbers again.
class Fields {
 public:
  /// @param where  Put before the keys in errors: "models[2]."
  explicit Fields(const Json& json, std::string where = {}) : json_(json), where_(std::move(where)) {}

  bool has(const char* key) const { return json_.contains(key); }
  bool boolean(const char* key) const { return json_.at(key).get<bool>(); }
  std::string text(const char* key) const { return json_.at(key).get<std::string>(); }

  std::string name(const char* key) const {
    std::string name = text(key);
    if (name.empty()) refuse(key, "must not be empty");
    return name;
  }

  template <typename T>
  T whole_number(const char* key, std::uint64_t lowest, std::uint64_t highest) const {
    const Json& value = json_.at(key);
    // get<T>() cuts off what does not fit.
    const bool is_whole = value.is_number_unsigned();
    const std::uint64_t number = is_whole ? value.get<std::uint64_t>() : 0;
    if (!is_whole || number < lowest || number > highest) {
      refuse(key, fmt::format("must be a whole number from {} to {}", lowest, highest));
    }
    return static_cast<T>(number);
  }

  /// @param range  Says it in the error.
  double number(const char* key, double lowest, double highest, const char* range) const {
    const Json& value = json_.at(key);
    const double number = value.is_number() ? value.get<double>() : std::nan("");
    // Written so that NaN is refused.
    if (!(number >= lowest && number <= highest)) refuse(key, fmt::format("must be a number {}", range));
    return number;
  }

  double weight() const { return number("weight", 0.0, kLargest, "from 0 up"); }
  double price(const char* key) const { return number(key, 0.0, kLargest, "from 0 up"); }

  /// The objects of a list.
  std::vector<Fields> list(const char* key) const {
    const Json& values = json_.at(key);
    if (!values.is_array()) refuse(key, "must be a list");
    std::vector<Fields> fields;
    for (const Json& value : values) fields.emplace_back(value, fmt::format("{}[{}].", key, fields.size() + 1));
    return fields;
  }

  [[noreturn]] void refuse(const char* key, std::string_view why) const {
    throw BadField{fmt::format("'{}{}' {}", where_, key, why)};
  }

 private:
  const Json& json_;
  std::string where_;
};

/// Shares can be drawn: something is there to draw, and the sum is a number.
template <typename T>
void check_weights(const Fields& fields, const char* key, const std::vector<T>& entries) {
  if (entries.empty()) return;
  double sum = 0.0;
  for (const T& entry : entries) sum += entry.weight;
  if (!(sum > 0.0 && sum <= kLargest)) fields.refuse(key, "must have weights with a finite sum above 0");
}

ModelTask model_from(const Fields& fields) {
  ModelTask model;
  model.name = fields.name("name");
  model.weight = fields.weight();
  model.usd_per_million_prompt_tokens = fields.price("usd_per_million_prompt_tokens");
  model.usd_per_million_completion_tokens = fields.price("usd_per_million_completion_tokens");
  if (fields.has("temperature")) model.temperature = fields.number("temperature", 0.0, 2.0, "from 0 to 2");
  if (fields.has("max_tokens")) model.max_tokens = fields.whole_number<std::uint32_t>("max_tokens", 1, 10'000'000);
  return model;
}

EvolutionOptions options_from(const Fields& fields) {
  EvolutionOptions options;
  if (const auto mode = fields.text("mode"); mode == "full") {
    options.mode = Mode::full;
  } else if (mode != "fast") {
    fields.refuse("mode", "must be fast or full");
  }
  options.iterations = fields.whole_number<std::uint64_t>("iterations", 1, kMostIterations);
  options.seed = fields.whole_number<std::uint64_t>("seed", 0, std::numeric_limits<std::uint64_t>::max());
  options.window = fields.whole_number<int>("window", 1, kWidestWindow);
  options.reproducible = fields.boolean("reproducible");
  options.claim_pairs = fields.whole_number<int>("claim_pairs", 0, kMostClaimPairs);
  options.claim_candidates = fields.whole_number<int>("claim_candidates", 1, kMostClaimCandidates);
  options.record = fields.text("record");
  options.replay = fields.text("replay");
  if (fields.has("budget_usd")) {
    options.budget_usd = fields.number("budget_usd", std::numeric_limits<double>::denorm_min(), kLargest, "above 0");
  }
  if (fields.has("budget_seconds")) {
    options.budget_time = std::chrono::seconds(fields.whole_number<std::int64_t>("budget_seconds", 0, kMostSeconds));
  }
  return options;
}

void put_into_task(const Fields& fields, Task& task) {
  task.selection = fields.name("selection");
  task.llm.api_base = fields.text("api_base");
  task.llm.models.clear();
  for (const Fields& model : fields.list("models")) task.llm.models.push_back(model_from(model));
  check_weights(fields, "models", task.llm.models);
  task.emitters.clear();
  for (const Fields& emitter : fields.list("emitters")) {
    task.emitters.push_back({emitter.name("name"), emitter.weight()});
  }
  check_weights(fields, "emitters", task.emitters);
}

Error unreadable(std::string_view why) {
  return {Error::Code::corruption, fmt::format("cannot read the options in run.db: {}", why)};
}

bool is_of_profile(const Axis& axis) {
  return axis.measure == "causal_hotspot" || axis.measure == "offcpu_class" || axis.measure == "offcpu_function";
}

bool is_clocked(const Axis& axis) {
  return axis.measure == "offcpu_ratio" || is_of_profile(axis);
}

}  // namespace

std::string_view mode_name(Mode mode) {
  return mode == Mode::full ? "full" : "fast";
}

std::string run_options_to_json(const EvolutionOptions& options, const Task& task) {
  Json json = {
      {"task", task.name},
      {"mode", mode_name(options.mode)},
      {"iterations", options.iterations},
      {"seed", options.seed},
      {"window", options.window},
      {"reproducible", options.reproducible},
      {"claim_pairs", options.claim_pairs},
      {"claim_candidates", options.claim_candidates},
      {"record", options.record.string()},
      {"replay", options.replay.string()},
      {"selection", task.selection},
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

std::vector<std::string> fit_axes(Task& task, Mode mode, bool reproducible) {
  const auto has = [&](std::string_view measure) {
    return std::any_of(task.axes.begin(), task.axes.end(), [&](const Axis& axis) { return axis.measure == measure; });
  };
  std::vector<std::string> notices;
  if (mode == Mode::fast) {
    // What a patch changes most is the nearest thing to a hotspot without a profile.
    for (Axis& axis : task.axes) {
      if (axis.measure == "causal_hotspot" && !has("function")) axis.measure = "function";
    }
    if (std::erase_if(task.axes, is_of_profile) > 0) {
      notices.emplace_back("--mode=fast makes no profiles: what they measure is no axis of the archive");
    }
  }
  if (reproducible && std::erase_if(task.axes, is_clocked) > 0) {
    notices.emplace_back(
        "--reproducible: what is measured by the clock, like the off-CPU ratio, is no axis of the archive");
  }
  if (task.axes.empty()) task.axes = {function_axis()};
  return notices;
}

Result<EvolutionOptions> run_options_from_json(std::string_view text, Task& task) {
  try {
    const Json json = Json::parse(text);
    const Fields fields(json);
    EvolutionOptions options = options_from(fields);
    put_into_task(fields, task);
    fit_axes(task, options.mode, options.reproducible);
    return options;
  } catch (const BadField& field) {
    return unreadable(field.what);
  } catch (const Json::exception& error) {
    return unreadable(error.what());
  }
}

}  // namespace aiopt
