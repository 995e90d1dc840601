/// aiopt export.

#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "base/text.hpp"
#include "store/run_export.hpp"
#include "stored_examples.hpp"

using namespace aiopt;
using Json = nlohmann::ordered_json;

namespace {

std::string exported(const RunHeader& header, const std::vector<StoredEvaluation>& evaluations,
                     const ExportOptions& options = {}) {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder.path(), header, kExampleAxes);
  REQUIRE(store);
  for (const StoredEvaluation& stored : evaluations) REQUIRE(commit_one(**store, stored, {}, {1, 2, 3, 4}));
  std::ostringstream out;
  REQUIRE(export_run(**store, out, options));
  return out.str();
}

/// Every value that tells of the machine, the hour or the sitting is another.
StoredEvaluation same_search_elsewhere(StoredEvaluation stored) {
  stored.run_seconds *= 1.7;
  stored.asked_after = 0;
  stored.proposal.latency *= 3;
  stored.proposal.prompt += " ";
  for (StageReport& stage : stored.evaluation.stages) {
    stage.wall_time *= 2;
    stage.cpu_time *= 3;
    stage.peak_rss_bytes += 4096;
    stage.output = "built in 0.31 s in another folder";
  }
  for (auto* runs : {&stored.evaluation.benchmark->candidate, &stored.evaluation.benchmark->baseline}) {
    for (BenchmarkRun& run : *runs) {
      run.wall_seconds += 0.1;
      run.cpu_seconds += 0.1;
      run.thread_seconds += 0.1;
      run.peak_rss_bytes += 4096;
    }
  }
  return stored;
}

}  // namespace

TEST_CASE("equal searches give equal bytes, wherever and however fast they ran") {
  std::vector<StoredEvaluation> here = {example_baseline(), example_evaluation(1), example_evaluation(2, 1)};
  std::vector<StoredEvaluation> there;
  for (const StoredEvaluation& stored : here) there.push_back(same_search_elsewhere(stored));
  RunHeader elsewhere = example_header();
  elsewhere.started_at = "2027-01-01T00:00:00Z";
  elsewhere.task_file = "/home/somebody/task.yaml";
  elsewhere.aiopt_version = "0.1.1";
  elsewhere.options_json = R"({"seed":42,"workers":1,"mode":"fast","run":"/home/somebody/run"})";
  CHECK(exported(example_header(), here) == exported(elsewhere, there));
  CHECK(exported(example_header(), here, {true}) != exported(elsewhere, there, {true}));
}

TEST_CASE("searches that differ in one decision differ in the export") {
  const std::vector<StoredEvaluation> before = {example_baseline(), example_evaluation(1)};
  const std::string text = exported(example_header(), before);
  const auto differs = [&](auto change) {
    std::vector<StoredEvaluation> after = before;
    change(after[1]);
    return exported(example_header(), after) != text;
  };
  CHECK(differs([](auto& stored) { stored.proposal.emitter = "constants"; }));
  CHECK(differs([](auto& stored) { stored.proposal.model = "other"; }));
  CHECK(differs([](auto& stored) { stored.proposal.ask.note = "{}"; }));
  CHECK(differs([](auto& stored) { stored.exact->edits[0].text += " "; }));
  CHECK(differs([](auto& stored) { stored.exact.reset(); }));
  CHECK(differs([](auto& stored) { stored.evaluation.status = EvaluationStatus::crashed; }));
  CHECK(differs([](auto& stored) { stored.evaluation.reason = "x"; }));
  CHECK(differs([](auto& stored) { stored.fitness->objective += 1e-15; }));
  CHECK(differs([](auto& stored) { stored.fitness->measures[1] = std::string("g"); }));
  CHECK(differs([](auto& stored) { stored.tree_sha256[0] = 'f'; }));
  CHECK(differs([](auto& stored) { stored.added->cell += 1; }));
  CHECK(differs([](auto& stored) { stored.added->status = AddStatus::not_added; }));
  CHECK(differs([](auto& stored) { stored.evaluation.reused_from = kBaselineId; }));
  CHECK(differs([](auto& stored) { stored.proposal.usage.prompt_tokens += 1; }));
  CHECK(differs([](auto& stored) { stored.evaluation.benchmark->candidate[1].throughput_ops_sec += 1e-9; }));
  CHECK(differs([](auto& stored) { stored.evaluation.benchmark->baseline[0].latency_us.reset(); }));
  RunHeader header = example_header();
  header.options_json = R"({"seed":43,"workers":4,"mode":"fast"})";
  CHECK(exported(header, before) != text);
}

TEST_CASE("an export is a header line and a line for each evaluation in the order told") {
  StoredEvaluation failed = example_evaluation(3, 1);
  failed.told = 1;
  failed.exact.reset();
  failed.fitness.reset();
  failed.added.reset();
  failed.evaluation.status = EvaluationStatus::patch_rejected;
  failed.evaluation.reason = "caf\xE9";
  failed.evaluation.benchmark.reset();
  StoredEvaluation passed = example_evaluation(2);
  const std::string text = exported(example_header(), {example_baseline(), failed, passed});
  const auto lines = split_lines(text);
  REQUIRE(lines.size() == 4);
  const Json header = Json::parse(lines[0]);
  CHECK(header["format"] == 3);
  CHECK(header["options"].dump() == R"({"mode":"fast","seed":42})");
  CHECK(header["axes"][1]["measure"] == "function");
  CHECK(Json::parse(lines[1])["parent"].is_null());
  const Json first = Json::parse(lines[2]);
  CHECK(first["id"] == 3);
  CHECK(first["parent"] == 1);
  CHECK(first["patch"].is_null());
  CHECK(first["status"] == "patch_rejected");
  CHECK(first["objective"].is_null());
  CHECK(first["reason"] == "caf\uFFFD");
  const Json second = Json::parse(lines[3]);
  CHECK(second["id"] == 2);
  CHECK(second["patch"]["edits"][0]["search"] == "  lock();");
  CHECK(second["measures"]["offcpu_ratio"] == 0.1 + 0.2);
  CHECK(second["benchmark"]["candidate"][0].dump() == "[1002.0,998.003992015968]");
  CHECK(second["tokens"]["completion"] == 300);
  CHECK(second["added"] == "improve_existing");
}

TEST_CASE("hostile options in a header are left out") {
  for (const std::string& options :
       {std::string("{\"seed\": "), std::string("[3]"),
        std::string("{\"seed\": ") + std::string(400'000, '[') + std::string(400'000, ']') + "}",
        std::string(2u << 20, '[')}) {
    RunHeader header = example_header();
    header.options_json = options;
    const std::string text = exported(header, {});
    CHECK(text.size() < 1000);
    CHECK_FALSE(Json::parse(text)["options"].contains("mode"));
  }
}

TEST_CASE("an output that is closed ends the export with an error") {
  const TemporaryFolder folder;
  auto store = RunStore::create(folder.path(), example_header(), kExampleAxes);
  REQUIRE(store);
  std::ostringstream out;
  out.setstate(std::ios::badbit);
  const auto done = export_run(**store, out);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Error::Code::io);
}
