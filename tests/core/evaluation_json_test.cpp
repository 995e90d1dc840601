/// The JSON of patches, asks, benchmarks and evaluations, to and fro.

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "core/evaluation_json.hpp"

using namespace aiopt;
using Json = nlohmann::ordered_json;

namespace {

const std::vector<Axis> kAxes = {{"offcpu_ratio", Axis::Kind::linear, 10, 0.0, 1.0},
                                 {"function", Axis::Kind::category, 20, 0.0, 1.0}};

Patch some_patch() {
  return Patch{{{Edit::Kind::replace, "src/wal.cc", "  fsync(fd);\r\n", "  \"quoted\" \\ \x01 \xC3\xA9\n", 12},
                {Edit::Kind::whole_file, "src/new.h", "", "", 0},
                {Edit::Kind::remove_file, "src/old.h", "", "", 0}}};
}

BenchmarkRun some_run(double throughput) {
  BenchmarkRun run;
  run.throughput_ops_sec = throughput;
  run.latency_us = 0.1 + 0.2;
  run.metrics = {{"fillrandom", 1e300}, {"fillrandom.P99", 5e-324}, {"odd \"name\"", -0.0}};
  run.wall_seconds = 1.0 / 3.0;
  run.cpu_seconds = 0.25;
  run.thread_seconds = 4.0;
  run.peak_rss_bytes = 18446744073709551615u;
  return run;
}

/// Every reader there is, for texts that none may accept.
void check_refused_by_all(const std::string& text) {
  const auto patch = patch_from_json(text);
  REQUIRE_FALSE(patch);
  CHECK(patch.error().code == Error::Code::invalid_argument);
  CHECK(patch.error().message.find('\n') == std::string::npos);
  CHECK_FALSE(ask_from_json(text));
  CHECK_FALSE(benchmark_from_json(text));
  CHECK_FALSE(measures_from_json(kAxes, text));
}

}  // namespace

TEST_CASE("a patch comes back from its JSON exactly") {
  const auto patch = patch_from_json(patch_to_json(some_patch()));
  REQUIRE(patch);
  CHECK(*patch == some_patch());
  CHECK(patch_from_json(patch_to_json(Patch{}))->edits.empty());
}

TEST_CASE("an edit of a file that is not UTF-8 comes back byte for byte") {
  std::string all_bytes;
  for (int byte = 0; byte < 256; ++byte) all_bytes += static_cast<char>(byte);
  for (const std::string& text : {all_bytes, std::string("caf\xE9"), std::string("\xC3"), std::string("\xED\xA0\x80"),
                                  std::string("\xF4\x90\x80\x80"), std::string("\xC0\x80"), std::string("a\0b", 3)}) {
    const Patch patch{{{Edit::Kind::replace, text, text, text, 1}}};
    const auto back = patch_from_json(patch_to_json(patch));
    REQUIRE(back);
    CHECK(*back == patch);
  }
}

TEST_CASE("an ask comes back from its JSON, with a patch or with a question") {
  Ask ask{CandidateId{7}, {CandidateId{3}, CandidateId{5}}, some_patch(), R"({"genes": [1, 0]})"};
  auto back = ask_from_json(ask_to_json(ask));
  REQUIRE(back);
  CHECK(back->parent == ask.parent);
  CHECK(back->inspirations == ask.inspirations);
  CHECK(std::get<Patch>(back->change) == some_patch());
  CHECK(back->note == ask.note);

  ask.change = ModelQuestion{"diff_user", "small-model"};
  back = ask_from_json(ask_to_json(ask));
  REQUIRE(back);
  CHECK(std::get<ModelQuestion>(back->change).prompt == "diff_user");
  CHECK(std::get<ModelQuestion>(back->change).model == "small-model");
  CHECK_FALSE(std::get<ModelQuestion>(back->change).repairs);

  std::get<ModelQuestion>(ask.change).repairs = CandidateId{6};
  back = ask_from_json(ask_to_json(ask));
  REQUIRE(back);
  CHECK(std::get<ModelQuestion>(back->change).repairs == CandidateId{6});
}

TEST_CASE("a benchmark's numbers come back bit for bit") {
  BenchmarkResult benchmark{{some_run(337187.125), some_run(0.1)}, {some_run(1e-7)}};
  benchmark.candidate[1].latency_us.reset();
  benchmark.candidate[1].wall_seconds = std::numeric_limits<double>::infinity();
  benchmark.candidate[1].syncs = 40;
  benchmark.candidate[1].bytes_written = 4096;
  benchmark.candidate[1].charged_seconds = 0.1;
  benchmark.estimate = SpeedupEstimate{1.1, 0.1 + 0.2, std::numeric_limits<double>::infinity(), 0.95, 0.015625};
  const auto back = benchmark_from_json(benchmark_to_json(benchmark));
  REQUIRE(back);
  REQUIRE(back->candidate.size() == 2);
  REQUIRE(back->baseline.size() == 1);
  CHECK(back->candidate[0].throughput_ops_sec == 337187.125);
  CHECK(back->candidate[0].latency_us == 0.1 + 0.2);
  CHECK(back->candidate[0].metrics == benchmark.candidate[0].metrics);
  CHECK(std::signbit(back->candidate[0].metrics.at("odd \"name\"")));
  CHECK(back->candidate[0].wall_seconds == 1.0 / 3.0);
  CHECK(back->candidate[0].cpu_seconds == 0.25);
  CHECK(back->candidate[0].thread_seconds == 4.0);
  CHECK(back->candidate[0].peak_rss_bytes == 18446744073709551615u);
  CHECK_FALSE(back->candidate[1].latency_us);
  CHECK(back->candidate[1].wall_seconds == std::numeric_limits<double>::infinity());
  CHECK(back->baseline[0].throughput_ops_sec == 1e-7);
  CHECK(back->candidate[1].syncs == 40u);
  CHECK(back->candidate[1].bytes_written == 4096);
  CHECK(back->candidate[1].charged_seconds == 0.1);
  CHECK_FALSE(back->candidate[0].syncs);
  CHECK(back->estimate == benchmark.estimate);
}

TEST_CASE("gates come back as they were, with whatever a hostile program made them say") {
  const std::vector<GateReport> gates = {{"clock", true, "0.21 s of 0.30 s, \xff\n\"quoted\""}, {"syncs", false, ""}};
  const auto back = gates_from_json(gates_to_json(gates));
  REQUIRE(back);
  CHECK(*back == gates);
  CHECK_FALSE(gates_from_json("{}"));
  CHECK_FALSE(gates_from_json(R"([{"name": "clock", "fired": 1, "detail": ""}])"));
}

TEST_CASE("measures are named by their axes, in the axes' order") {
  const std::vector<Measure> measures = {0.31, std::string("Wal::append")};
  CHECK(measures_to_json(kAxes, measures) == R"({"offcpu_ratio":0.31,"function":"Wal::append"})");
  const auto back = measures_from_json(kAxes, measures_to_json(kAxes, measures));
  REQUIRE(back);
  CHECK(*back == measures);
}

TEST_CASE("an evaluation prints every key of the contract, in its order") {
  Evaluation evaluation;
  evaluation.stages = {{Stage::build, StageStatus::passed, 0, std::chrono::microseconds(1'500'000),
                        std::chrono::microseconds(250'000), 4096, "ok\n"}};
  BenchmarkRun run;
  run.throughput_ops_sec = 200.0;
  BenchmarkRun baseline;
  baseline.throughput_ops_sec = 100.0;
  evaluation.benchmark = BenchmarkResult{{run}, {baseline}, SpeedupEstimate{2.0, 1.9, 2.1, 0.95, 0.5}};
  evaluation.gates = {{"clock", false, "fits"}};
  const Fitness fitness{1.23, {0.5, std::string("f")}};

  const Json json = Json::parse(evaluation_to_json(evaluation, "abc", fitness, kAxes));
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{"status", "reason", "objective", "measures", "tree", "stages", "benchmark",
                                         "profile", "gates"});
  CHECK(json["status"] == "passed");
  CHECK(json["objective"] == 1.23);
  CHECK(json["measures"]["function"] == "f");
  CHECK(json["tree"] == "abc");
  CHECK(json["stages"][0].dump() == R"({"name":"build","status":"passed","seconds":1.5,"exit_code":0,)"
                                    R"("cpu_seconds":0.25,"peak_rss_bytes":4096,"output":"ok\n"})");
  CHECK(json["benchmark"]["throughput_ops_sec"] == 200.0);
  CHECK(json["benchmark"]["latency_us"].is_null());
  CHECK(json["benchmark"]["speedup"] == 2.0);
  CHECK(json["benchmark"]["speedup_interval"].dump() == "[1.9,2.1]");
  CHECK(json["benchmark"]["pairs"] == 1);
  CHECK(json["benchmark"]["baseline_throughput_ops_sec"] == 100.0);
  CHECK(json["benchmark"]["runs"].size() == 1);
  CHECK(json["profile"] == Json::object());
  CHECK(json["gates"].dump() == R"([{"name":"clock","fired":false,"detail":"fits"}])");
}

TEST_CASE("a failed evaluation has no objective and no benchmark, and its output may be any bytes") {
  Evaluation evaluation;
  evaluation.status = EvaluationStatus::build_failed;
  evaluation.reason = "wal.cc:3: caf\xE9";
  evaluation.stages = {{Stage::build, StageStatus::failed, 2, {}, {}, 0, "\xFF\xFE"}};
  evaluation.reused_from = CandidateId{4};
  const std::string text = evaluation_to_json(evaluation, "", std::nullopt, kAxes, -1);
  CHECK(text.find('\n') == std::string::npos);
  const Json json = Json::parse(text);
  CHECK(json["status"] == "build_failed");
  CHECK(json["objective"].is_null());
  CHECK(json["benchmark"].is_null());
  CHECK(json["reused_from"] == 4);
  CHECK(json["stages"][0]["output"] == "\uFFFD\uFFFD");
}

TEST_CASE("hostile JSON is refused with one line") {
  for (const char* text :
       {"",
        "{",
        "[]",
        "null",
        "3",
        "\"x\"",
        "{}",
        "\xFF",
        "{\"edits\": 3}",
        R"({"edits": [3]})",
        R"({"edits": [{}]})",
        R"({"edits": [{"kind": "burn", "path": "a", "search": "", "text": "", "line": 0}]})",
        R"({"edits": [{"kind": "replace", "path": 3, "search": "", "text": "", "line": 0}]})",
        R"({"edits": [{"kind": "replace", "path": {"latin1": "€"}, "search": "", "text": "", "line": 0}]})",
        R"({"edits": [{"kind": "replace", "path": "a", "search": "", "text": "", "line": -1}]})",
        R"({"edits": [{"kind": "replace", "path": "a", "search": "", "text": "", "line": 4294967296}]})",
        R"({"edits": [{"kind": "replace", "path": "a", "search": "", "text": "", "line": 1e999}]})",
        R"({"parent": -1, "inspirations": [], "patch": {"edits": []}, "note": ""})",
        R"({"parent": 1, "inspirations": ["x"], "patch": {"edits": []}, "note": ""})",
        R"({"parent": 1, "inspirations": [], "question": 3, "note": ""})",
        R"({"parent": 1, "inspirations": [], "question": {"prompt": "a", "model": "", "repairs": -1}, "note": ""})",
        R"({"parent": 1, "inspirations": [], "note": ""})",
        R"({"candidate": [], "baseline": [{}]})",
        R"({"candidate": {}, "baseline": []})",
        R"({"candidate": [{"throughput_ops_sec": "many"}], "baseline": []})",
        R"({"offcpu_ratio": 0.5})",
        R"({"offcpu_ratio": "0.5", "function": "f"})",
        R"({"offcpu_ratio": "nan", "function": "f"})",
        R"({"offcpu_ratio": 0.5, "function": 3})"}) {
    CAPTURE(text);
    check_refused_by_all(text);
  }
}

TEST_CASE("JSON that would take the memory or the stack is refused before it is parsed") {
  check_refused_by_all(std::string(50'000'000, '['));
  check_refused_by_all("{\"edits\": " + std::string(100, '[') + std::string(100, ']') + "}");
  std::string many = "[";
  for (int i = 0; i < 2'000'000; ++i) many += "{},";
  check_refused_by_all(many + "{}]");
  check_refused_by_all("\"" + std::string(70u << 20, 'x') + "\"");
}
