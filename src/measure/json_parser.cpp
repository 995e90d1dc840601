/// Numbers out of a JSON object that a benchmark printed.

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.hpp"
#include "measure/output_parsers.hpp"

namespace aiopt {

namespace {

using nlohmann::json;

constexpr int kDeepest = 16;
constexpr std::size_t kMostJsonNumbers = 10'000;

json object_from(std::string_view text) {
  json value = json::parse(text, nullptr, false);
  // Moved, never copied: a copy recurses as deep as the text nests.
  return value.is_object() ? std::move(value) : json();
}

void collect(const json& value, const std::string& name, int depth, Metrics& metrics) {
  if (value.is_number() && metrics.size() < kMostJsonNumbers) metrics[name] = value.get<double>();
  if (!value.is_structured() || depth == kDeepest) return;
  for (const auto& [key, child] : value.items()) {
    collect(child, name.empty() ? key : fmt::format("{}.{}", name, key), depth + 1, metrics);
  }
}

}  // namespace

Metrics parse_json_output(std::string_view output) {
  const std::vector<std::string_view> lines = split_lines(output);
  json object;
  for (auto line = lines.rbegin(); line != lines.rend() && object.is_null(); ++line) {
    if (trim(*line).starts_with('{')) object = object_from(*line);
  }
  if (object.is_null()) object = object_from(output);
  Metrics metrics;
  collect(object, "", 0, metrics);
  return metrics;
}

}  // namespace aiopt
