/// Profiles through JSON and back.

#include <doctest/doctest.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "core/profile_json.hpp"

using namespace aiopt;

namespace {

OffCpuProfile full_off_cpu() {
  OffCpuProfile profile;
  profile.source = "sampler";
  profile.ratio = 0.1 + 0.2;
  profile.ratio_with_idle = 2.0 / 3.0;
  profile.samples = 18446744073709551615U;
  profile.off_cpu_samples = 52578;
  profile.idle_samples = 17;
  profile.lost = 3;
  profile.by_class = {4, 3, 2, 1};
  profile.top_blockers.push_back(
      {{"kv::Wal::append", "/src/wal.cc", 47}, WaitClass::io, 1e-17, "jbd2_log_wait_commit"});
  profile.top_blockers.push_back({{"caf\xc3\xa9 \"x\"", "", 0}, WaitClass::scheduling, 0.25, ""});
  return profile;
}

CausalProfile full_causal() {
  CausalProfile profile;
  profile.source = "coz";
  profile.max_speedup = 31.2;
  profile.max_speedup_location = "src/wal.cc:47";
  profile.experiments = 40;
  profile.discarded = 2;
  profile.notes = {"no experiment: src/a.out has no line table"};
  CausalTarget target;
  target.place = {"kv::Wal::append", "src/wal.cc", 47};
  target.scope = "line";
  target.progress_point = "op";
  target.is_latency = true;
  target.slope = 0.6;
  target.max_effect = 0.312;
  target.contention = true;
  target.curve = {{0.0, 0.0, 0.0, 0.0, 10},
                  {0.5, 0.1 + 0.2, -0.01, 0.62, 12},
                  {1.0, -1e-9, -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity(), 1}};
  profile.targets = {target, {}};
  profile.targets[1].scope = "io";
  return profile;
}

/// The document with another value at a JSON pointer, or without it.
std::string with(const std::string& json, const char* pointer, const nlohmann::json& value) {
  nlohmann::json document = nlohmann::json::parse(json);
  document[nlohmann::json::json_pointer(pointer)] = value;
  return document.dump();
}

std::string without(const std::string& json, const char* key) {
  nlohmann::json document = nlohmann::json::parse(json);
  document.erase(key);
  return document.dump();
}

std::string why_no_off_cpu(const std::string& json) {
  const Result<OffCpuProfile> profile = off_cpu_from_json(json);
  return profile ? "read" : profile.error().message;
}

std::string why_no_causal(const std::string& json) {
  const Result<CausalProfile> profile = causal_from_json(json);
  return profile ? "read" : profile.error().message;
}

bool names(const std::string& message, const char* key) {
  return message.find('"' + std::string(key) + '"') != std::string::npos;
}

}  // namespace

TEST_CASE("an off-CPU profile has the keys of the --json contract") {
  const nlohmann::json json = nlohmann::json::parse(off_cpu_to_json(full_off_cpu()));
  CHECK(json["source"] == "sampler");
  CHECK(json["ratio"] == 0.1 + 0.2);
  CHECK(json["ratio_with_idle"] == 2.0 / 3.0);
  CHECK(json["samples"] == 18446744073709551615U);
  CHECK(json["off_cpu_samples"] == 52578);
  CHECK(json["lost"] == 3);
  CHECK(json["classes"] == nlohmann::json({{"io", 4}, {"lock", 3}, {"scheduling", 2}, {"other", 1}}));
  const nlohmann::json& blocker = json["top_blockers"][0];
  CHECK(blocker["function"] == "kv::Wal::append");
  CHECK(blocker["file"] == "/src/wal.cc");
  CHECK(blocker["line"] == 47);
  CHECK(blocker["class"] == "io");
  CHECK(blocker["share"] == 1e-17);
  CHECK(blocker["kernel_function"] == "jbd2_log_wait_commit");
}

TEST_CASE("a causal profile has the keys of the --json contract, its curve four numbers a point") {
  const nlohmann::json json = nlohmann::json::parse(causal_to_json(full_causal()));
  CHECK(json["source"] == "coz");
  CHECK(json["max_speedup"] == 31.2);
  CHECK(json["max_speedup_location"] == "src/wal.cc:47");
  const nlohmann::json& target = json["targets"][0];
  CHECK(target["function"] == "kv::Wal::append");
  CHECK(target["class"] == "line");
  CHECK(target["curve"][1] == nlohmann::json({0.5, 0.1 + 0.2, -0.01, 0.62}));
  CHECK(target["curve"][2] == nlohmann::json({1.0, -1e-9, nullptr, nullptr}));
}

TEST_CASE("profiles come back from their JSON, doubles included") {
  const std::string off_cpu = off_cpu_to_json(full_off_cpu());
  const Result<OffCpuProfile> waits = off_cpu_from_json(off_cpu);
  REQUIRE(waits.has_value());
  CHECK(off_cpu_to_json(*waits) == off_cpu);
  CHECK(waits->ratio == 0.1 + 0.2);
  CHECK(waits->samples == 18446744073709551615U);
  CHECK(waits->idle_samples == 17);
  CHECK(waits->by_class == full_off_cpu().by_class);
  CHECK(waits->top_blockers.at(1).place.function == "caf\xc3\xa9 \"x\"");
  CHECK(waits->top_blockers.at(1).kind == WaitClass::scheduling);

  const std::string causal = causal_to_json(full_causal());
  const Result<CausalProfile> gains = causal_from_json(causal);
  REQUIRE(gains.has_value());
  CHECK(causal_to_json(*gains) == causal);
  CHECK(gains->notes == full_causal().notes);
  const CausalTarget& target = gains->targets.at(0);
  CHECK(target.is_latency);
  CHECK(target.contention);
  CHECK(target.curve.at(1).effect == 0.1 + 0.2);
  CHECK(target.curve.at(1).experiments == 12);
  CHECK(target.curve.at(2).lower == -std::numeric_limits<double>::infinity());
  CHECK(target.curve.at(2).upper == std::numeric_limits<double>::infinity());
  CHECK(gains->targets.at(1).scope == "io");
}

TEST_CASE("names that are no UTF-8 do not break the JSON") {
  OffCpuProfile profile = full_off_cpu();
  profile.top_blockers[0].place.function = "\xff\xfe";
  CHECK(off_cpu_from_json(off_cpu_to_json(profile)).has_value());
}

TEST_CASE("unknown keys do not matter, and those beside the contract may be missing") {
  const std::string off_cpu = off_cpu_to_json(full_off_cpu());
  CHECK(why_no_off_cpu(with(off_cpu, "/of a later version", {1, 2})) == "read");
  CHECK(why_no_off_cpu(without(off_cpu, "idle_samples")) == "read");
  const std::string contract =
      R"({"source": "bcoz", "max_speedup": 3, "max_speedup_location": "", "targets": [
          {"function": "f", "file": "a.cc", "line": 3, "class": "line", "curve": [[0.5, 0.1, 0, 0.2, "more"]]}]})";
  CHECK(why_no_causal(contract) == "read");
  CHECK(causal_from_json(contract)->targets.at(0).curve.at(0).upper == 0.2);
}

TEST_CASE("a bad or missing key is an error that names it") {
  const std::string good = off_cpu_to_json(full_off_cpu());
  CHECK(why_no_off_cpu("[]").find("no JSON object") != std::string::npos);
  CHECK(why_no_off_cpu("{\"source\":") != "read");
  for (const char* key :
       {"source", "ratio", "ratio_with_idle", "samples", "off_cpu_samples", "lost", "classes", "top_blockers"}) {
    CAPTURE(key);
    CHECK(names(why_no_off_cpu(without(good, key)), key));
    CHECK(names(why_no_off_cpu(with(good, ("/" + std::string(key)).c_str(), true)), key));
  }
  CHECK(names(why_no_off_cpu(with(good, "/ratio", 1.5)), "ratio"));
  CHECK(names(why_no_off_cpu(with(good, "/samples", -1)), "samples"));
  CHECK(names(why_no_off_cpu(with(good, "/samples", 1.5)), "samples"));
  CHECK(names(why_no_off_cpu(with(good, "/classes/io", "4")), "io"));
  CHECK(names(why_no_off_cpu(with(good, "/top_blockers/0/class", "disk")), "class"));
  CHECK(names(why_no_off_cpu(with(good, "/top_blockers/0/line", 1ULL << 40)), "line"));
  CHECK(names(why_no_off_cpu(with(good, "/top_blockers/0", 7)), "top_blockers"));

  const std::string causal = causal_to_json(full_causal());
  for (const char* key : {"source", "max_speedup", "max_speedup_location", "targets"}) {
    CAPTURE(key);
    CHECK(names(why_no_causal(without(causal, key)), key));
    CHECK(names(why_no_causal(with(causal, ("/" + std::string(key)).c_str(), true)), key));
  }
  CHECK(names(why_no_causal(with(causal, "/targets/0/curve/0", {1, 2, 3})), "curve"));
  CHECK(names(why_no_causal(with(causal, "/targets/0/curve/0/0", 1.01)), "curve"));
  CHECK(names(why_no_causal(with(causal, "/targets/0/curve/0/1", nullptr)), "curve"));
  CHECK(names(why_no_causal(with(causal, "/targets/0/curve_experiments", {1})), "curve_experiments"));
  CHECK(names(why_no_causal(with(causal, "/targets/0/contention", 1)), "contention"));
  CHECK(names(why_no_causal(with(causal, "/targets/0/slope", nullptr)), "slope"));
  CHECK(names(why_no_causal(with(causal, "/notes/0", 5)), "notes"));
  CHECK(names(why_no_causal(with(causal, "/discarded", -1)), "discarded"));
}
