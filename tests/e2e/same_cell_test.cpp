/// Whether the same tree, evaluated ten times in full mode, lies in the same cell of the archive. A quarter of an hour;
/// not in CI.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/files.hpp"
#include "support/program.hpp"

using namespace aiopt;

TEST_CASE("of ten profiles of one tree at least nine lie in one cell: off-CPU ratio by tenths, causal hotspot") {
  const TemporaryFolder folder;
  const std::filesystem::path task = copy_walkv(folder.path());
  std::map<nlohmann::json, int> cells;
  for (int i = 0; i < 10; ++i) {
    const ProgramResult result =
        run_aiopt({"evaluate", task.string(), "--mode=full", "--json"}, folder.path(), {}, std::chrono::minutes(20));
    INFO(result.all);
    REQUIRE(result.exit_code == 0);
    nlohmann::json place = nlohmann::json::parse(result.out)["measures"];
    MESSAGE(place.dump());
    place["offcpu_ratio"] = static_cast<int>(place["offcpu_ratio"].get<double>() * 10.0);
    ++cells[place];
  }
  const auto by_count = [](const auto& a, const auto& b) { return a.second < b.second; };
  CHECK(std::max_element(cells.begin(), cells.end(), by_count)->second >= 9);
}
