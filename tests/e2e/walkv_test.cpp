/// The main job on the example: a real program, real compiler, real fsync.

#include <doctest/doctest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "base/files.hpp"
#include "support/program.hpp"

using namespace aiopt;

TEST_CASE("walkv becomes faster, and no patch that cheats, breaks or does not compile is an elite") {
  const TemporaryFolder folder;
  const std::string task = std::string(std::getenv("AIOPT_SOURCE_ROOT")) + "/examples/walkv";
  const ProgramResult result =
      run_aiopt({"evolve", task, "--mode=fast", "--iterations=20", "--run=run", "--json", "--claim-pairs=5"},
                folder.path(), {}, std::chrono::minutes(8));
  INFO(result.all);
  REQUIRE(result.exit_code == 0);
  const nlohmann::json json = nlohmann::json::parse(result.out);
  CHECK(json["iterations"] == 20);
  // 20 evaluations try each patch alone and little more. How much faster is measured by the soak run, not here.
  CHECK(json["best"]["speedup"].get<double>() > 1.0);
  CHECK(json["outcomes"]["build_failed"].get<int>() >= 1);
  CHECK(json["outcomes"]["tests_failed"].get<int>() >= 1);
  for (const nlohmann::json& cell : json["archive"]["cells"]) {
    const std::string made_by = cell["made_by"];
    CHECK(made_by.find("cheat") == std::string::npos);
    CHECK(made_by.find("broken") == std::string::npos);
  }
}
