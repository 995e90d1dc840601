/// Full mode on the example, at length: which cells its elites lie in. An hour; not in CI.

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/files.hpp"
#include "support/program.hpp"

using namespace aiopt;

namespace {

namespace fs = std::filesystem;

/// walkv waits for its lock, over the sync; with sync-outside-lock.patch its writers wait for the disk, each for
/// itself. That one is no patch for the example's users: of two syncs at once that fail Linux tells one alone.
fs::path walkv_with_both_kinds(const TemporaryFolder& folder) {
  const fs::path root = std::getenv("AIOPT_SOURCE_ROOT");
  const fs::path task = folder.path() / "walkv";
  fs::copy(root / "examples/walkv", task, fs::copy_options::recursive);
  fs::remove_all(task / "build");
  fs::copy(root / "tests/e2e/walkv/sync-outside-lock.patch", task / "patches");
  return task;
}

}  // namespace

TEST_CASE("in 60 evaluations in full mode walkv's elites lie in four cells and more, what waits for the lock apart") {
  const TemporaryFolder folder;
  const fs::path task = walkv_with_both_kinds(folder);
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
  CHECK(blockers.contains("walkv::DbImpl::put"));      // The lock, taken at its beginning.
  CHECK(blockers.contains("walkv::WalWriter::sync"));  // The disk.
  MESSAGE("best " << json["best"]["speedup"].dump() << "x " << json["best"]["speedup_interval"].dump() << ", "
                  << json["seconds"].dump() << " s");
}
