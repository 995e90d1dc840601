/// The main job on somebody else's program: LevelDB, as Debian ships it. Skipped where its source cannot be fetched.

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "support/program.hpp"

using namespace aiopt;

namespace {

namespace fs = std::filesystem;

constexpr int kMesonSkips = 77;

/// The example in a folder of its own, with its source. Ends the program where that cannot be had.
fs::path fetch_leveldb(const fs::path& parent) {
  const fs::path examples = fs::path(std::getenv("AIOPT_SOURCE_ROOT")) / "examples";
  fs::copy(examples / "from_debian", parent / "from_debian", fs::copy_options::recursive);
  fs::create_directory(parent / "leveldb");
  for (const auto& entry : fs::directory_iterator(examples / "leveldb")) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("source")) fs::copy(entry, parent / "leveldb" / name, fs::copy_options::recursive);
  }
  const std::string command = (parent / "leveldb" / "fetch").string() + " 2>&1";
  if (std::system(command.c_str()) != 0) std::exit(kMesonSkips);
  return parent / "leveldb";
}

nlohmann::json run_on(const fs::path& example, std::vector<std::string> arguments) {
  arguments.push_back("--json");
  const ProgramResult result = run_aiopt(arguments, example, {}, std::chrono::minutes(60));
  INFO(result.all);
  REQUIRE(result.exit_code == 0);
  return nlohmann::json::parse(result.out);
}

nlohmann::json compare(const fs::path& example, const std::string& patch) {
  nlohmann::json json = run_on(example, {"compare", ".", "--patch", "patches/" + patch + ".patch", "--pairs=15"});
  const nlohmann::json& benchmark = json["benchmark"];
  MESSAGE(patch << ": " << benchmark["speedup"].dump() << "x " << benchmark["speedup_interval"].dump() << " in "
                << benchmark["pairs"].dump() << " pairs");
  return json;
}

}  // namespace

TEST_CASE("LevelDB passes its stages, and of its patches the improving ones are faster and the neutral one is not") {
  const TemporaryFolder folder;
  const fs::path example = fetch_leveldb(folder.path());
  CHECK(run_on(example, {"evaluate", "."})["status"] == "passed");
  CHECK(compare(example, "log-by-mmap")["verdict"] == "faster");
  CHECK(compare(example, "neutral-reserve-group")["verdict"] != "faster");
}
