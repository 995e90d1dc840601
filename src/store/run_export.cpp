/// export_run(): see run_export.hpp.

#include "store/run_export.hpp"

#include <array>
#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

#include "core/evaluation_json.hpp"
#include "store/schema.hpp"

namespace aiopt {
namespace {

using Json = nlohmann::ordered_json;

/// What of RunHeader::options_json decides how a search goes. Workers, paths, ports and limits of time do not.
constexpr std::array kDecisiveOptions = {"task",      "mode",    "seed",         "iterations", "window",
                                         "selection", "islands", "reproducible", "emitters",   "models"};

constexpr std::array<const char*, 4> kAddStatusNames = {"not_added", "improve_existing", "new_cell", "shares_cell"};

constexpr std::size_t kMaxOptionsBytes = 1u << 20;
constexpr int kMaxDepth = 16;

double seconds(std::chrono::microseconds time) {
  return std::chrono::duration<double>(time).count();
}

Json axis_json(const Axis& axis) {
  return Json{{"measure", axis.measure},
              {"kind", axis.kind == Axis::Kind::category ? "category" : "linear"},
              {"cells", axis.cells},
              {"lower", axis.lower},
              {"upper", axis.upper}};
}

/// The text may be a stranger's: deep nesting would take the stack of whoever copies or prints it.
Json decisive_options(const std::string& options_json) {
  Json options = Json::object();
  if (options_json.size() > kMaxOptionsBytes) return options;
  const auto shallow = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) { return depth <= kMaxDepth; };
  const auto given = nlohmann::json::parse(options_json, shallow, /*allow_exceptions=*/false);
  for (const char* key : kDecisiveOptions) {
    if (given.is_object() && given.contains(key)) options[key] = given[key];
  }
  return options;
}

Json header_json(const RunStore& store, const ExportOptions& options) {
  const RunHeader& header = store.header();
  Json json{{"format", kRunFormat},
            {"baseline", header.baseline_sha256},
            {"options", decisive_options(header.options_json)},
            {"axes", Json::array()}};
  for (const Axis& axis : store.axes()) json["axes"].push_back(axis_json(axis));
  if (options.timings) {
    json["aiopt_version"] = header.aiopt_version;
    json["started_at"] = header.started_at;
    json["task_file"] = header.task_file;
  }
  return json;
}

template <typename T>
Json value_or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// [[throughput, latency], ...]
Json runs_json(const std::vector<BenchmarkRun>& runs) {
  Json array = Json::array();
  for (const BenchmarkRun& run : runs) array.push_back({run.throughput_ops_sec, value_or_null(run.latency_us)});
  return array;
}

Json benchmark_json(const std::optional<BenchmarkResult>& benchmark) {
  if (!benchmark) return nullptr;
  return Json{{"candidate", runs_json(benchmark->candidate)}, {"baseline", runs_json(benchmark->baseline)}};
}

Json stages_json(const std::vector<StageReport>& stages) {
  Json array = Json::array();
  for (const StageReport& stage : stages) {
    array.push_back({{"name", to_string(stage.stage)},
                     {"status", to_string(stage.status)},
                     {"seconds", seconds(stage.wall_time)},
                     {"exit_code", stage.exit_code},
                     {"cpu_seconds", seconds(stage.cpu_time)},
                     {"peak_rss_bytes", stage.peak_rss_bytes}});
  }
  return array;
}

void add_timings(Json& json, const StoredEvaluation& stored) {
  json["asked_after"] = stored.asked_after;
  json["run_seconds"] = stored.run_seconds;
  json["model_seconds"] = seconds(stored.proposal.latency);
  json["stages"] = stages_json(stored.evaluation.stages);
  if (stored.evaluation.benchmark) {
    json["benchmark_runs"] = Json::parse(benchmark_to_json(*stored.evaluation.benchmark));
  }
}

Json evaluation_json(const StoredEvaluation& stored, const std::vector<Axis>& axes, const ExportOptions& options) {
  const Proposal& proposal = stored.proposal;
  const Evaluation& evaluation = stored.evaluation;
  Json json;
  json["id"] = to_number(proposal.id);
  json["parent"] = proposal.id == kBaselineId ? Json(nullptr) : Json(to_number(proposal.ask.parent));
  json["island"] = static_cast<std::uint32_t>(proposal.island);
  json["emitter"] = proposal.emitter;
  json["model"] = proposal.model;
  json["note"] = proposal.ask.note;
  json["patch"] = stored.exact ? Json::parse(patch_to_json(*stored.exact)) : Json(nullptr);
  json["status"] = to_string(evaluation.status);
  json["reason"] = evaluation.reason;
  json["objective"] = stored.fitness ? Json(stored.fitness->objective) : Json(nullptr);
  json["measures"] = stored.fitness ? Json::parse(measures_to_json(axes, stored.fitness->measures)) : Json::object();
  json["tree"] = stored.tree_sha256;
  json["cell"] = stored.added ? Json(stored.added->cell) : Json(nullptr);
  json["added"] =
      stored.added ? Json(kAddStatusNames.at(static_cast<std::size_t>(stored.added->status))) : Json(nullptr);
  json["reused_from"] = evaluation.reused_from ? Json(to_number(*evaluation.reused_from)) : Json(nullptr);
  json["tokens"] = {{"prompt", proposal.usage.prompt_tokens}, {"completion", proposal.usage.completion_tokens}};
  json["benchmark"] = benchmark_json(evaluation.benchmark);
  if (options.timings) add_timings(json, stored);
  return json;
}

Result<void> write_line(std::ostream& out, const Json& json) {
  out << json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace) << '\n';
  if (!out) return Error{Error::Code::io, "cannot write the export: the output was closed or its disk is full"};
  return {};
}

}  // namespace

Result<void> export_run(const RunStore& store, std::ostream& out, const ExportOptions& options) {
  if (auto done = write_line(out, header_json(store, options)); !done) return done;
  return store.each_evaluation(
      [&](const StoredEvaluation& stored) { return write_line(out, evaluation_json(stored, store.axes(), options)); });
}

}  // namespace aiopt
