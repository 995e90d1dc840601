/// The main job on the example: a real program, real compiler, real fsync.

#include <doctest/doctest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "support/program.hpp"

using namespace aiopt;

namespace {

nlohmann::json evolve_walkv(const TemporaryFolder& folder, const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"evolve", std::string(std::getenv("AIOPT_SOURCE_ROOT")) + "/examples/walkv",
                                        "--mode=fast", "--run=run", "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const ProgramResult result = run_aiopt(arguments, folder.path(), {}, std::chrono::minutes(30));
  INFO(result.all);
  REQUIRE(result.exit_code == 0);
  return nlohmann::json::parse(result.out);
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
  const nlohmann::json json = evolve_walkv(folder, {"--iterations=20", "--claim-pairs=5"});
  CHECK(json["iterations"] == 20);
  // 20 evaluations try each patch alone and little more. How much faster is measured by the soak run, not here.
  CHECK(json["best"]["speedup"].get<double>() > 1.0);
  CHECK(json["outcomes"]["build_failed"].get<int>() >= 1);
  CHECK(json["outcomes"]["tests_failed"].get<int>() >= 1);
  check_elites_are_honest(json);
}

TEST_CASE("the quickstart's run, over several seeds, makes walkv at least 2.5 times as fast" *
          doctest::skip(std::getenv("AIOPT_SEEDS") == nullptr)) {
  for (int seed = 1; seed <= std::atoi(std::getenv("AIOPT_SEEDS")); ++seed) {
    const TemporaryFolder folder;
    const nlohmann::json json = evolve_walkv(folder, {"--iterations=60", "--seed=" + std::to_string(seed)});
    const nlohmann::json& best = json["best"];
    MESSAGE("seed " << seed << ": " << best["speedup"].dump() << "x " << best["speedup_interval"].dump() << " in "
                    << best["pairs"].dump() << " pairs, " << json["seconds"].dump() << " s");
    CHECK(json["iterations"] == 60);
    CHECK(best["remeasured"] == true);
    CHECK(best["speedup"].get<double>() >= 2.5);
    check_elites_are_honest(json);
  }
}
