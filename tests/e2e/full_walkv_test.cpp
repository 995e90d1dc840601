/// Full mode on the example, at length: which cells its elites lie in. Half an hour; not in CI.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/files.hpp"
#include "support/program.hpp"

using namespace aiopt;

TEST_CASE("in 60 evaluations in full mode what waits for the lock and what for the disk lie in cells of their own") {
  const TemporaryFolder folder;
  const std::filesystem::path task = copy_walkv(folder.path());
  const ProgramResult result = run_aiopt({"evolve", task.string(), "--mode=full", "--emitter=patch_pool",
                                          "--iterations=60", "--seed=1", "--run=run", "--json"},
                                         folder.path(), {}, std::chrono::hours(2));
  INFO(result.all);
  REQUIRE(result.exit_code == 0);
  const nlohmann::json json = nlohmann::json::parse(result.out);
  CHECK(json["iterations"] == 60);
  const nlohmann::json& cells = json["archive"]["cells"];
  std::set<nlohmann::json> distinct;
  std::set<std::string> blockers;
  for (const nlohmann::json& cell : cells) {
    MESSAGE(cell["made_by"].dump() << ": " << cell["speedup"].dump() << "x, " << cell["measures"].dump());
    nlohmann::json place = cell["measures"];
    place["offcpu_ratio"] = static_cast<int>(place["offcpu_ratio"].get<double>() * 10.0);
    distinct.insert(place);
    blockers.insert(cell["measures"]["offcpu_function"].get<std::string>());
    const std::string made_by = cell["made_by"];
    CHECK(made_by.find("cheat") == std::string::npos);
    CHECK(made_by.find("broken") == std::string::npos);
  }
  CHECK(distinct.size() >= 4);
  // Its writers wait for the lock; in group commit for one another's sync.
  CHECK(blockers.contains("walkv::DbImpl::put"));
  CHECK(std::any_of(blockers.begin(), blockers.end(),
                    [](const std::string& blocker) { return blocker.starts_with("walkv::WriteQueue::enter"); }));
  MESSAGE("best " << json["best"]["speedup"].dump() << "x " << json["best"]["speedup_interval"].dump() << ", "
                  << json["seconds"].dump() << " s");
}
