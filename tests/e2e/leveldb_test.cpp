/// Full mode on somebody else's program: LevelDB, as Debian ships it. Skipped where Debian's mirror cannot be reached.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "support/program.hpp"

using namespace aiopt;

namespace {

namespace fs = std::filesystem;

constexpr int kFetchFoundNoMirror = 69;
constexpr int kMesonSkips = 77;

bool is_soak() {
  return std::getenv("AIOPT_LEVELDB_AT_LENGTH") != nullptr;
}

/// The example in a folder of its own, with its source. Ends the program where there is no network.
fs::path fetch_leveldb(const fs::path& parent) {
  const fs::path examples = fs::path(std::getenv("AIOPT_SOURCE_ROOT")) / "examples";
  fs::copy(examples / "from_debian", parent / "from_debian", fs::copy_options::recursive);
  const fs::path example = parent / "leveldb";
  fs::create_directory(example);
  for (const auto& entry : fs::directory_iterator(examples / "leveldb")) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("source")) fs::copy(entry, example / name, fs::copy_options::recursive);
  }
  Command fetch;
  fetch.line = "./fetch";
  fetch.directory = example;
  const auto fetched = run_command(fetch);
  REQUIRE(fetched.has_value());
  if (fetched->exit_code() == kFetchFoundNoMirror) {
    std::cout << "skipped: " << fetched->output << std::endl;
    std::error_code left;
    fs::remove_all(parent, left);
    std::exit(kMesonSkips);
  }
  REQUIRE_MESSAGE(fetched->succeeded(), fetched->output);
  return example;
}

void replace(std::string& text, const std::string& old, const std::string& with) {
  const std::size_t at = text.find(old);
  REQUIRE_MESSAGE(at != text.npos, old);
  text.replace(at, old.size(), with);
}

/// A third of the operations, half the profile, and one patch: one whose effect is large.
void shorten(const fs::path& example) {
  std::string task = *read_file(example / "task.yaml");
  replace(task, "--num=100000", "--num=30000");
  replace(task, "build/bench.db 100000 2", "build/bench.db 30000 2");
  replace(task, "  parser: db_bench\n", "  parser: db_bench\n  max_pairs: 4\n");
  replace(task, "offcpu: {duration: 6s}", "offcpu: {duration: 3s}");
  replace(task, "causal: {duration: 30s", "causal: {duration: 12s");
  REQUIRE(write_file_atomic(example / "task.yaml", task));
  for (const char* patch : {"memtable-sorts-later", "neutral-reserve-group"}) {
    REQUIRE(fs::remove(example / "patches" / (std::string(patch) + ".patch")));
  }
}

std::string run_on(const fs::path& example, const std::vector<std::string>& arguments) {
  const ProgramResult result = run_aiopt(arguments, example, {}, std::chrono::minutes(60));
  INFO(result.all);
  REQUIRE(result.exit_code == 0);
  return result.out;
}

nlohmann::json json_of(const fs::path& example, std::vector<std::string> arguments) {
  arguments.push_back("--json");
  return nlohmann::json::parse(run_on(example, arguments));
}

nlohmann::json shown(const fs::path& example, const std::string& id) {
  nlohmann::json evaluation = json_of(example, {"show", "run", id});
  std::string stages;
  for (const nlohmann::json& stage : evaluation["stages"]) {
    stages += fmt::format(" {} {:.1f} s,", stage["name"].get<std::string>(), stage["seconds"].get<double>());
  }
  const nlohmann::json& benchmark = evaluation["benchmark"];
  MESSAGE("candidate " << id << ":" << stages << " objective " << evaluation["objective"].dump() << ", "
                       << benchmark["speedup"].dump() << "x " << benchmark["speedup_interval"].dump());
  return evaluation;
}

bool is_of_leveldb(const nlohmann::json& place) {
  const std::string file = place["file"];
  const std::vector<std::string> folders = {"db/", "table/", "util/"};
  return std::any_of(folders.begin(), folders.end(),
                     [&](const std::string& folder) { return file.starts_with(folder); });
}

/// Whatever takes the CPUs away: writers wait in DBImpl::Write, for one another, for the log's write and the memtable,
/// and for the merges.
void check_profile(const nlohmann::json& profile) {
  CAPTURE(profile.dump(1));
  const auto is_write = [](const nlohmann::json& place) {
    return place["function"] == "leveldb::DBImpl::Write" && place["file"] == "db/db_impl.cc";
  };
  const nlohmann::json& blockers = profile["off_cpu"]["top_blockers"];
  CHECK(std::any_of(blockers.begin(), blockers.end(), [&](const nlohmann::json& blocker) {
    return is_write(blocker) || std::any_of(blocker["callers"].begin(), blocker["callers"].end(), is_write);
  }));
  if (!profile.contains("causal") || profile["causal"].is_null()) return;  // Without coz.
  for (const nlohmann::json& target : profile["causal"]["targets"]) CHECK(is_of_leveldb(target));
}

double seconds_after_build(const nlohmann::json& evaluation) {
  double seconds = 0.0;
  for (const nlohmann::json& stage : evaluation["stages"]) {
    if (stage["name"] != "build") seconds += stage["seconds"].get<double>();
  }
  return seconds;
}

double lower_bound_of(const nlohmann::json& evaluation) {
  return evaluation["benchmark"]["speedup_interval"][0];
}

}  // namespace

TEST_CASE("full mode names where LevelDB's writers wait, and does not call a log without system calls slower" *
          doctest::skip(is_soak())) {
  const TemporaryFolder folder;
  const fs::path example = fetch_leveldb(folder.path());
  shorten(example);
  const nlohmann::json result = json_of(example, {"evolve", ".", "--mode=full", "--emitter=patch_pool",
                                                  "--iterations=1", "--claim-pairs=0", "--run=run"});
  CAPTURE(result.dump(1));
  CHECK(result["outcomes"] == nlohmann::json{{"passed", 1}});
  check_profile(shown(example, "0")["profile"]);
  const nlohmann::json candidate = shown(example, "1");
  check_profile(candidate["profile"]);
  CHECK(candidate["benchmark"]["speedup_interval"][1] >= 1.0);
}

TEST_CASE("of LevelDB's patches the improving ones rank above the unmodified program, and the neutral one does not" *
          doctest::skip(!is_soak())) {
  const TemporaryFolder folder;
  const fs::path example = fetch_leveldb(folder.path());
  json_of(example, {"evolve", ".", "--mode=full", "--emitter=patch_pool", "--iterations=3", "--run=run"});
  const nlohmann::json baseline = shown(example, "0");
  check_profile(baseline["profile"]);
  CHECK(seconds_after_build(baseline) < 360.0);
  for (const char* id : {"1", "2", "3"}) {
    const std::string text = run_on(example, {"show", "run", id});
    const nlohmann::json candidate = shown(example, id);
    CAPTURE(text);
    CHECK(candidate["status"] == "passed");
    check_profile(candidate["profile"]);
    if (text.find("patch_pool: neutral-reserve-group") != text.npos) {
      CHECK(lower_bound_of(candidate) <= 1.0);
    } else {
      CHECK(lower_bound_of(candidate) > 1.0);
      CHECK(candidate["objective"] > baseline["objective"]);
    }
  }
}

TEST_CASE("compared alone, LevelDB's improving patches are faster and the neutral one is not" *
          doctest::skip(!is_soak())) {
  const TemporaryFolder folder;
  const fs::path example = fetch_leveldb(folder.path());
  const auto verdict = [&](const std::string& patch) {
    const nlohmann::json json = json_of(example, {"compare", ".", "--patch", "patches/" + patch + ".patch"});
    const nlohmann::json& benchmark = json["benchmark"];
    MESSAGE(patch << ": " << benchmark["speedup"].dump() << "x " << benchmark["speedup_interval"].dump() << " in "
                  << benchmark["pairs"].dump() << " pairs");
    return json["verdict"];
  };
  CHECK(verdict("log-by-mmap") == "faster");
  CHECK(verdict("memtable-sorts-later") == "faster");
  CHECK(verdict("neutral-reserve-group") != "faster");
}
