/// The JSON of the --json contract, and of run.db's columns. What is read may come from a stranger's run.db.

#include "core/evaluation_json.hpp"

#include "core/profile_json.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace aiopt {
namespace {

using Json = nlohmann::ordered_json;  ///< Written: keys in the contract's order.
using Document = nlohmann::json;      ///< Read: ordered_json looks keys up one by one, and a stranger may send many.

constexpr std::size_t kMaxBytes = 64u << 20;
constexpr std::size_t kMaxValues = 1'000'000;  ///< A value costs nlohmann 16 to 100 bytes, however short its text.
constexpr int kMaxDepth = 32;

constexpr std::array<std::string_view, 3> kEditKindNames = {"replace", "whole_file", "remove_file"};

/// What is wrong with a document. Thrown and caught in this file alone.
struct Mistake {
  std::string text;
};

[[noreturn]] void refuse(std::string text) {
  throw Mistake{std::move(text)};
}

// ---- reading --------------------------------------------------------------------------------------------------------

/// Before the parser allocates anything: what the text would cost.
void check_size(std::string_view text) {
  if (text.size() > kMaxBytes) refuse(fmt::format("it is over {} MiB", kMaxBytes >> 20));
  std::size_t values = 0;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == ',' || c == ':' || c == '[' || c == '{') ++values;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kMaxDepth) refuse("it is nested too deeply");
    if (values > kMaxValues) refuse(fmt::format("it holds over {} values", kMaxValues));
  }
}

Document parse(std::string_view text) {
  check_size(text);
  Document json = Document::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) refuse("it is no valid JSON");
  return json;
}

/// Runs `read`, which may throw, and turns whatever it throws into an Error.
template <typename Read>
auto guarded(std::string_view what, Read read) -> Result<decltype(read())> {
  try {
    return read();
  } catch (const Mistake& mistake) {
    return Error{Error::Code::invalid_argument, fmt::format("cannot read the JSON of {}: {}", what, mistake.text)};
  } catch (const std::exception& error) {
    return Error{Error::Code::invalid_argument, fmt::format("cannot read the JSON of {}: {}", what, error.what())};
  }
}

const Document& member(const Document& object, const char* key) {
  if (!object.is_object()) refuse(fmt::format("an object with \"{}\" was expected", key));
  const auto found = object.find(key);
  if (found == object.end()) refuse(fmt::format("\"{}\" is missing", key));
  return *found;
}

const Document& array_member(const Document& object, const char* key) {
  const Document& array = member(object, key);
  if (!array.is_array()) refuse(fmt::format("\"{}\" is no array", key));
  return array;
}

std::uint64_t read_unsigned(const Document& value, const char* key, std::uint64_t highest) {
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() > highest) {
    refuse(fmt::format("\"{}\" is no number from 0 to {}", key, highest));
  }
  return value.get<std::uint64_t>();
}

std::uint64_t unsigned_member(const Document& object, const char* key,
                              std::uint64_t highest = std::numeric_limits<std::int64_t>::max()) {
  return read_unsigned(member(object, key), key, highest);
}

/// JSON has no word for what is not finite: those are strings, see number().
double read_double(const Document& value, const char* key) {
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) {
    const auto& name = value.get_ref<const std::string&>();
    if (name == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (name == "inf") return std::numeric_limits<double>::infinity();
    if (name == "-inf") return -std::numeric_limits<double>::infinity();
  }
  refuse(fmt::format("\"{}\" is no number", key));
}

double double_member(const Document& object, const char* key) {
  return read_double(member(object, key), key);
}

std::string read_latin1(const std::string& utf8, const char* key) {
  std::string bytes;
  bytes.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto byte = static_cast<unsigned char>(utf8[i]);
    if (byte < 0x80) {
      bytes += utf8[i];
    } else if ((byte == 0xC2 || byte == 0xC3) && i + 1 < utf8.size()) {  // U+0080 to U+00FF
      const auto low = static_cast<unsigned char>(utf8[++i]);
      bytes += static_cast<char>(((byte & 0x03) << 6) | (low & 0x3F));
    } else {
      refuse(fmt::format("\"{}\" holds more than Latin-1", key));
    }
  }
  return bytes;
}

/// See text().
std::string text_member(const Document& object, const char* key) {
  const Document& value = member(object, key);
  if (value.is_string()) return value.get_ref<const std::string&>();
  if (value.is_object() && value.size() == 1 && value.contains("latin1") && value["latin1"].is_string()) {
    return read_latin1(value["latin1"].get_ref<const std::string&>(), key);
  }
  refuse(fmt::format("\"{}\" is no string", key));
}

// ---- writing --------------------------------------------------------------------------------------------------------

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      ++i;
      continue;
    }
    const int more = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : 1;
    if (byte < 0xC2 || byte > 0xF4 || i + static_cast<std::size_t>(more) >= text.size()) return false;
    std::uint32_t code = byte & (0x3Fu >> more);
    for (int k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]);
      if ((next & 0xC0) != 0x80) return false;
      code = (code << 6) | (next & 0x3Fu);
    }
    const bool overlong = (more == 2 && code < 0x800) || (more == 3 && code < 0x10000);
    if (overlong || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
    i += static_cast<std::size_t>(more) + 1;
  }
  return true;
}

/// A string; where the bytes are not UTF-8 (sources in Latin-1 are common) {"latin1": "..."}, a code point a byte: an
/// edit has to come back exactly.
Json text(std::string_view bytes) {
  if (is_utf8(bytes)) return std::string(bytes);
  std::string utf8;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      utf8 += c;
    } else {
      utf8 += static_cast<char>(0xC0 | (byte >> 6));
      utf8 += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return Json{{"latin1", std::move(utf8)}};
}

/// For measures: JSON has no word for what is not finite. See read_double().
Json number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

/// For people's scripts: null where there is no finite value.
Json number_or_null(std::optional<double> value) {
  if (!value || !std::isfinite(*value)) return nullptr;
  return *value;
}

double seconds(std::chrono::microseconds time) {
  return std::chrono::duration<double>(time).count();
}

std::string to_text(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

// ---- patches and asks -----------------------------------------------------------------------------------------------

Json edit_json(const Edit& edit) {
  return Json{{"kind", kEditKindNames.at(static_cast<std::size_t>(edit.kind))},
              {"path", text(edit.path)},
              {"search", text(edit.search)},
              {"text", text(edit.text)},
              {"line", edit.line}};
}

Edit::Kind read_edit_kind(const std::string& name) {
  for (std::size_t i = 0; i < kEditKindNames.size(); ++i) {
    if (kEditKindNames[i] == name) return static_cast<Edit::Kind>(i);
  }
  refuse("an edit's \"kind\" is unknown");
}

Edit read_edit(const Document& json) {
  Edit edit;
  edit.kind = read_edit_kind(text_member(json, "kind"));
  edit.path = text_member(json, "path");
  edit.search = text_member(json, "search");
  edit.text = text_member(json, "text");
  edit.line = static_cast<std::uint32_t>(unsigned_member(json, "line", std::numeric_limits<std::uint32_t>::max()));
  return edit;
}

Json patch_json(const Patch& patch) {
  Json edits = Json::array();
  for (const Edit& edit : patch.edits) edits.push_back(edit_json(edit));
  return Json{{"edits", std::move(edits)}};
}

Patch read_patch(const Document& json) {
  Patch patch;
  for (const Document& edit : array_member(json, "edits")) patch.edits.push_back(read_edit(edit));
  return patch;
}

Ask read_ask(const Document& json) {
  Ask ask;
  ask.parent = CandidateId{unsigned_member(json, "parent")};
  for (const Document& id : array_member(json, "inspirations")) {
    ask.inspirations.push_back(
        CandidateId{read_unsigned(id, "inspirations", std::numeric_limits<std::int64_t>::max())});
  }
  if (json.contains("question")) {
    const Document& question = member(json, "question");
    ModelQuestion& asked = ask.change.emplace<ModelQuestion>();
    asked = {text_member(question, "prompt"), text_member(question, "model")};
    if (question.contains("repairs")) asked.repairs = CandidateId{unsigned_member(question, "repairs")};
  } else {
    ask.change = read_patch(member(json, "patch"));
  }
  ask.note = text_member(json, "note");
  return ask;
}

// ---- benchmarks -----------------------------------------------------------------------------------------------------

/// As a script sees a run.
Json run_json(const BenchmarkRun& run) {
  Json metrics = Json::object();
  auto& members = metrics.get_ref<Json::object_t&>();
  for (const auto& [name, value] : run.metrics)
    members.push_back({name, number_or_null(value)});  // No look-up for each.
  return Json{{"throughput_ops_sec", number_or_null(run.throughput_ops_sec)},
              {"latency_us", number_or_null(run.latency_us)},
              {"wall_seconds", number_or_null(run.wall_seconds)},
              {"cpu_seconds", number_or_null(run.cpu_seconds)},
              {"thread_seconds", number_or_null(run.thread_seconds)},
              {"peak_rss_bytes", run.peak_rss_bytes},
              {"bytes_written", run.bytes_written},
              {"syncs", run.syncs ? Json(*run.syncs) : Json(nullptr)},
              {"charged_seconds", number_or_null(run.charged_seconds)},
              {"metrics", std::move(metrics)}};
}

Json runs_json(const std::vector<BenchmarkRun>& runs) {
  Json array = Json::array();
  for (const BenchmarkRun& run : runs) array.push_back(run_json(run));
  return array;
}

/// The shortest text that reads back as the same double, and as no integer (which would lose the sign of -0).
void append_number(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += number(value).dump();
    return;
  }
  const std::size_t start = out.size();
  fmt::format_to(std::back_inserter(out), "{}", value);
  if (out.find_first_of(".e", start) == std::string::npos) out += ".0";
}

/// For run.db. Written without nlohmann's tree in between, which took a fifth of a commit's time.
void append_run(std::string& out, const BenchmarkRun& run) {
  const auto number_member = [&](std::string_view key, double value) {
    out += key;
    append_number(out, value);
  };
  number_member(R"({"throughput_ops_sec":)", run.throughput_ops_sec);
  out += R"(,"latency_us":)";
  if (run.latency_us) {
    append_number(out, *run.latency_us);
  } else {
    out += "null";
  }
  number_member(R"(,"wall_seconds":)", run.wall_seconds);
  number_member(R"(,"cpu_seconds":)", run.cpu_seconds);
  number_member(R"(,"thread_seconds":)", run.thread_seconds);
  out += fmt::format(R"(,"peak_rss_bytes":{},"bytes_written":{},"syncs":{})", run.peak_rss_bytes, run.bytes_written,
                     run.syncs ? fmt::format("{}", *run.syncs) : "null");
  number_member(R"(,"charged_seconds":)", run.charged_seconds);
  out += R"(,"metrics":{)";
  const char* comma = "";
  for (const auto& [name, value] : run.metrics) {
    number_member(comma + to_text(Json(name)) + ":", value);
    comma = ",";
  }
  out += "}}";
}

void append_runs(std::string& out, const std::vector<BenchmarkRun>& runs) {
  const char* comma = "";
  for (const BenchmarkRun& run : runs) {
    out += comma;
    append_run(out, run);
    comma = ",";
  }
}

BenchmarkRun read_run(const Document& json) {
  constexpr std::uint64_t kHighest = std::numeric_limits<std::uint64_t>::max();
  BenchmarkRun run;
  run.throughput_ops_sec = double_member(json, "throughput_ops_sec");
  if (!member(json, "latency_us").is_null()) run.latency_us = double_member(json, "latency_us");
  run.wall_seconds = double_member(json, "wall_seconds");
  run.cpu_seconds = double_member(json, "cpu_seconds");
  run.thread_seconds = double_member(json, "thread_seconds");
  run.peak_rss_bytes = unsigned_member(json, "peak_rss_bytes", kHighest);
  run.bytes_written = unsigned_member(json, "bytes_written", kHighest);
  if (!member(json, "syncs").is_null()) run.syncs = unsigned_member(json, "syncs", kHighest);
  run.charged_seconds = double_member(json, "charged_seconds");
  const Document& metrics = member(json, "metrics");
  if (!metrics.is_object()) refuse("\"metrics\" is no object");
  for (const auto& [name, value] : metrics.items()) run.metrics[name] = read_double(value, "metrics");
  return run;
}

std::vector<BenchmarkRun> read_runs(const Document& json, const char* key) {
  std::vector<BenchmarkRun> runs;
  for (const Document& run : array_member(json, key)) runs.push_back(read_run(run));
  return runs;
}

SpeedupEstimate read_estimate(const Document& json) {
  SpeedupEstimate estimate;
  estimate.ratio = double_member(json, "ratio");
  estimate.lower = double_member(json, "lower");
  estimate.upper = double_member(json, "upper");
  estimate.confidence = double_member(json, "confidence");
  estimate.p_value = double_member(json, "p_value");
  return estimate;
}

/// For run.db: every bit of it.
Json exact_estimate_json(const SpeedupEstimate& estimate) {
  return Json{{"ratio", number(estimate.ratio)},
              {"lower", number(estimate.lower)},
              {"upper", number(estimate.upper)},
              {"confidence", number(estimate.confidence)},
              {"p_value", number(estimate.p_value)}};
}

Json benchmark_summary(const BenchmarkResult& benchmark) {
  const BenchmarkResult::Spread spread = benchmark.speedup_spread();
  const auto& estimate = benchmark.estimate;
  return Json{{"throughput_ops_sec", number_or_null(benchmark.throughput_ops_sec())},
              {"latency_us", number_or_null(benchmark.latency_us())},
              {"speedup", number_or_null(benchmark.speedup())},
              {"speedup_interval",
               estimate ? Json{number_or_null(estimate->lower), number_or_null(estimate->upper)} : Json(nullptr)},
              {"confidence", estimate ? number_or_null(estimate->confidence) : Json(nullptr)},
              {"p_value", estimate ? number_or_null(estimate->p_value) : Json(nullptr)},
              {"speedup_of_pairs", {number_or_null(spread.lowest), number_or_null(spread.highest)}},
              {"pairs", std::min(benchmark.candidate.size(), benchmark.baseline.size())},
              {"baseline_throughput_ops_sec", number_or_null(benchmark.baseline_throughput_ops_sec())},
              {"baseline_latency_us", number_or_null(benchmark.baseline_latency_us())},
              {"off_cpu_ratio", number_or_null(benchmark.off_cpu_ratio())},
              {"runs", runs_json(benchmark.candidate)},
              {"baseline_runs", runs_json(benchmark.baseline)}};
}

Json stage_json(const StageReport& stage) {
  return Json{{"name", to_string(stage.stage)},
              {"status", to_string(stage.status)},
              {"seconds", seconds(stage.wall_time)},
              {"exit_code", stage.exit_code},
              {"cpu_seconds", seconds(stage.cpu_time)},
              {"peak_rss_bytes", stage.peak_rss_bytes},
              {"output", stage.output}};
}

Json gates_json(const std::vector<GateReport>& gates) {
  Json array = Json::array();
  for (const GateReport& gate : gates) {
    array.push_back(Json{{"name", text(gate.name)}, {"fired", gate.fired}, {"detail", text(gate.detail)}});
  }
  return array;
}

// ---- measures -------------------------------------------------------------------------------------------------------

Json measures_json(const std::vector<Axis>& axes, const std::vector<Measure>& measures) {
  Json object = Json::object();
  for (std::size_t i = 0; i < axes.size() && i < measures.size(); ++i) {
    const auto* name = std::get_if<std::string>(&measures[i]);
    object[axes[i].measure] = name ? text(*name) : number(std::get<double>(measures[i]));
  }
  return object;
}

Measure read_measure(const Axis& axis, const Document& json) {
  const char* key = axis.measure.c_str();
  if (axis.kind == Axis::Kind::category) return text_member(json, key);
  const double value = double_member(json, key);
  if (!std::isfinite(value)) refuse(fmt::format("\"{}\" is not finite", key));
  return value;
}

}  // namespace

std::string patch_to_json(const Patch& patch) {
  return to_text(patch_json(patch));
}

Result<Patch> patch_from_json(std::string_view json) {
  return guarded("a patch", [&] { return read_patch(parse(json)); });
}

std::string ask_to_json(const Ask& ask) {
  Json json{{"parent", to_number(ask.parent)}};
  json["inspirations"] = Json::array();
  for (const CandidateId id : ask.inspirations) json["inspirations"].push_back(to_number(id));
  if (const auto* question = std::get_if<ModelQuestion>(&ask.change)) {
    json["question"] = Json{{"prompt", text(question->prompt)}, {"model", text(question->model)}};
    if (question->repairs) json["question"]["repairs"] = to_number(*question->repairs);
  } else {
    json["patch"] = patch_json(std::get<Patch>(ask.change));
  }
  json["note"] = text(ask.note);
  return to_text(json);
}

Result<Ask> ask_from_json(std::string_view json) {
  return guarded("an ask", [&] { return read_ask(parse(json)); });
}

std::string benchmark_to_json(const BenchmarkResult& benchmark) {
  std::string out = R"({"candidate":[)";
  append_runs(out, benchmark.candidate);
  out += R"(],"baseline":[)";
  append_runs(out, benchmark.baseline);
  out += "]";
  if (benchmark.estimate) out += R"(,"estimate":)" + to_text(exact_estimate_json(*benchmark.estimate));
  out += "}";
  return out;
}

Result<BenchmarkResult> benchmark_from_json(std::string_view json) {
  return guarded("a benchmark", [&] {
    const Document document = parse(json);
    BenchmarkResult benchmark{read_runs(document, "candidate"), read_runs(document, "baseline"), std::nullopt};
    if (document.contains("estimate")) benchmark.estimate = read_estimate(member(document, "estimate"));
    return benchmark;
  });
}

std::string gates_to_json(const std::vector<GateReport>& gates) {
  return to_text(gates_json(gates));
}

Result<std::vector<GateReport>> gates_from_json(std::string_view json) {
  return guarded("gates", [&] {
    const Document document = parse(json);
    if (!document.is_array()) refuse("an array of gates was expected");
    std::vector<GateReport> gates;
    for (const Document& gate : document) {
      const Document& fired = member(gate, "fired");
      if (!fired.is_boolean()) refuse("\"fired\" is neither true nor false");
      gates.push_back({text_member(gate, "name"), fired.get<bool>(), text_member(gate, "detail")});
    }
    return gates;
  });
}

std::string benchmark_summary_to_json(const BenchmarkResult& benchmark) {
  return to_text(benchmark_summary(benchmark));
}

std::string measures_to_json(const std::vector<Axis>& axes, const std::vector<Measure>& measures) {
  return to_text(measures_json(axes, measures));
}

Result<std::vector<Measure>> measures_from_json(const std::vector<Axis>& axes, std::string_view json) {
  return guarded("measures", [&] {
    const Document document = parse(json);
    std::vector<Measure> measures;
    for (const Axis& axis : axes) measures.push_back(read_measure(axis, document));
    return measures;
  });
}

std::string evaluation_to_json(const Evaluation& evaluation, const std::string& tree_sha256,
                               const std::optional<Fitness>& fitness, const std::vector<Axis>& axes, int indent) {
  Json json{{"status", to_string(evaluation.status)},
            {"reason", evaluation.reason},
            {"objective", fitness ? number_or_null(fitness->objective) : Json(nullptr)},
            {"measures", fitness ? measures_json(axes, fitness->measures) : Json::object()},
            {"tree", tree_sha256}};
  if (evaluation.reused_from) json["reused_from"] = to_number(*evaluation.reused_from);
  json["stages"] = Json::array();
  for (const StageReport& stage : evaluation.stages) json["stages"].push_back(stage_json(stage));
  json["benchmark"] = evaluation.benchmark ? benchmark_summary(*evaluation.benchmark) : Json(nullptr);
  json["profile"] = Json::parse(profile_to_json(evaluation.profile));
  json["gates"] = gates_json(evaluation.gates);
  return to_text(json, indent);
}

}  // namespace aiopt
