/// The main job on the example: a real program, real compiler, real fsync.

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "support/program.hpp"

using namespace aiopt;

namespace {

nlohmann::json evolve(const std::filesystem::path& task, const TemporaryFolder& folder,
                      const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"evolve", task.string(), "--mode=fast", "--run=run", "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ProgramResult result = run_aiopt(arguments, folder.path(), {}, std::chrono::minutes(30));
  INFO(result.all);
  REQUIRE(result.exit_code == 0);
  return nlohmann::json::parse(result.out);
}

std::filesystem::path walkv() {
  return std::filesystem::path(std::getenv("AIOPT_SOURCE_ROOT")) / "examples/walkv";
}

/// With those of its patches that a few evaluations can try: one good, the others no use.
std::filesystem::path walkv_with_few_patches(const TemporaryFolder& folder) {
  namespace fs = std::filesystem;
  const std::set<std::string> kept = {"group-commit.patch", "broken-does-not-compile.patch",
                                      "broken-loses-deletes.patch", "cheat-skip-fsync.patch", "slower-spin-lock.patch"};
  const fs::path task = copy_walkv(folder.path());
  std::vector<fs::path> others;
  for (const auto& patch : fs::directory_iterator(task / "patches")) {
    if (!kept.contains(patch.path().filename().string())) others.push_back(patch.path());
  }
  for (const fs::path& patch : others) fs::remove(patch);
  return task;
}

void check_elites_are_honest(const nlohmann::json& json) {
  for (const nlohmann::json& cell : json["archive"]["cells"]) {
    const std::string made_by = cell["made_by"];
    CHECK(made_by.find("cheat") == std::string::npos);
    CHECK(made_by.find("broken") == std::string::npos);
  }
}

}  // namespace

TEST_CASE("walkv becomes faster, and no patch that cheats, breaks or does not compile is an elite" *
          doctest::skip(std::getenv("AIOPT_SEEDS") != nullptr)) {
  const TemporaryFolder folder;
  // How much faster all its patches make it is measured by the soak run, not here.
  const nlohmann::json json =
      evolve(walkv_with_few_patches(folder), folder,
             {"--emitter=patch_pool", "--iterations=8", "--claim-pairs=3", "--claim-candidates=1"});
  CHECK(json["iterations"] == 8);
  CHECK(json["best"]["speedup"].get<double>() > 1.0);
  CHECK(json["outcomes"]["build_failed"].get<int>() >= 1);
  CHECK(json["outcomes"]["tests_failed"].get<int>() >= 1);
  check_elites_are_honest(json);
}

TEST_CASE("the quickstart's run, over several seeds, makes walkv at least 2.5 times as fast" *
          doctest::skip(std::getenv("AIOPT_SEEDS") == nullptr)) {
  for (int seed = 1; seed <= std::atoi(std::getenv("AIOPT_SEEDS")); ++seed) {
    const TemporaryFolder folder;
    const nlohmann::json json = evolve(walkv(), folder, {"--iterations=60", "--seed=" + std::to_string(seed)});
    const nlohmann::json& best = json["best"];
    MESSAGE("seed " << seed << ": " << best["speedup"].dump() << "x " << best["speedup_interval"].dump() << " in "
                    << best["pairs"].dump() << " pairs, " << json["seconds"].dump() << " s");
    CHECK(json["iterations"] == 60);
    CHECK(best["remeasured"] == true);
    CHECK(best["speedup"].get<double>() >= 2.5);
    check_elites_are_honest(json);
  }
}
