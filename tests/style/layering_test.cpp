/// Which module may include which: the table of src/README.md, held.

#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <set>

#include "style/repository.hpp"

using namespace aiopt;

namespace {

const std::string kAll = "*";

/// From the bottom up. Each may also include itself, the standard library, its own libraries and <aiopt/...>.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"base", {}},
    {"core", {"base"}},
    {"llm", {"core", "base"}},
    {"prompt", {"core", "base"}},
    {"source", {"core", "base"}},
    {"profile", {"core", "base"}},
    {"measure", {"core", "base"}},
    {"archive", {"core", "base"}},
    {"select", {"core", "base"}},
    {"fitness", {"core", "base"}},
    {"store", {"core", "base"}},
    {"evaluate", {"core", "base", "source", "profile", "measure", "fitness"}},
    {"search", {"core", "base", "source"}},
    {"remote", {"core", "base", "evaluate"}},
    {"engine",
     {"core", "base", "llm", "prompt", "source", "profile", "measure", "archive", "select", "fitness", "store",
      "evaluate", "search", "remote"}},
    {"view", {"core", "base", "store"}},
    {"cli", {kAll}},
};

/// Costly to compile, so kept out of headers.
const std::vector<std::string> kOnlyInSources = {"nlohmann/", "yaml-cpp/", "CLI/"};

struct Include {
  std::string path;
  bool quoted = false;
};

std::optional<Include> include_of(std::string_view line) {
  line = trim(line);
  if (!line.starts_with('#')) return std::nullopt;
  line = trim(line.substr(1));
  if (!line.starts_with("include")) return std::nullopt;
  line = trim(line.substr(std::string_view("include").size()));
  if (line.empty() || (line.front() != '"' && line.front() != '<')) return std::nullopt;
  const std::size_t end = line.find(line.front() == '"' ? '"' : '>', 1);
  if (end == std::string_view::npos) return std::nullopt;
  return Include{std::string(line.substr(1, end - 1)), line.front() == '"'};
}

std::string first_folder(const std::string& path) {
  return path.substr(0, std::min(path.find('/'), path.size()));
}

/// Why a file of that module may not include this; empty if it may.
std::string objection(const std::string& module, const std::string& file, const Include& include) {
  if (!include.quoted) {
    for (const std::string& library : kOnlyInSources) {
      if (include.path.starts_with(library) && !file.ends_with(".cpp")) return "belongs in a .cpp file";
    }
    return "";
  }
  const std::string target = first_folder(include.path);
  if (target == include.path) return "does not name its module";
  if (target == module) return "";
  const auto rule = kMayInclude.find(module);
  if (rule == kMayInclude.end()) return "is in a folder that is no module of the table";
  if (rule->second.contains(kAll) && kMayInclude.contains(target)) return "";
  return rule->second.contains(target) ? "" : "is not allowed: " + module + " may not include " + target;
}

/// "src/select/uniform.cpp:3: \"archive/grid_archive.hpp\" ..." for each line that breaks the rule.
std::vector<std::string> layering_violations(const std::vector<RepositoryFile>& files) {
  std::vector<std::string> violations;
  for (const RepositoryFile& file : files) {
    const std::string module = first_folder(file.path.substr(file.path.find('/') + 1));
    each_line(file, [&](std::string_view line, std::size_t number) {
      const auto include = include_of(line);
      if (!include) return;
      const std::string why = objection(module, file.path, *include);
      if (!why.empty()) violations.push_back(place(file, number) + ": \"" + include->path + "\" " + why);
    });
  }
  return violations;
}

}  // namespace

TEST_CASE("a module includes what the table allows it, and nothing else") {
  const std::vector<RepositoryFile> files = files_below("src");
  REQUIRE(files.size() > 10);
  CHECK(joined(layering_violations(files)) == "");
}

TEST_CASE("public headers include the standard library and <aiopt/...>, nothing of src/ and no library") {
  std::vector<std::string> violations;
  for (const RepositoryFile& file : files_below("include")) {
    each_line(file, [&](std::string_view line, std::size_t number) {
      const auto include = include_of(line);
      // A library's header has a folder before it, the standard library's have none.
      const bool standard = include && include->path.find('/') == std::string::npos && !include->path.ends_with(".h");
      if (!include || (!include->quoted && (standard || include->path.starts_with("aiopt/")))) return;
      violations.push_back(place(file, number) + ": " + include->path);
    });
  }
  CHECK(joined(violations) == "");
}

TEST_CASE("each folder of src/ is a module of the table") {
  for (const auto& entry : std::filesystem::directory_iterator(repository_root() / "src")) {
    const std::string name = entry.path().filename().string();
    CAPTURE(name);
    if (entry.is_directory()) CHECK(kMayInclude.contains(name));
  }
}

TEST_CASE("the line that breaks the layering is named") {
  CHECK(layering_violations(
            {{"src/select/uniform.cpp", "/// x\n#include <vector>\n#include \"archive/grid_archive.hpp\"\n"},
             {"src/base/text.cpp", "  #  include \"core/task_yaml.hpp\"\n#include \"base/text.hpp\"\n"},
             {"src/core/json.hpp", "#include <nlohmann/json.hpp>\n"},
             {"src/core/json.cpp", "#include <nlohmann/json.hpp>\n#include \"json.hpp\"\n"},
             {"src/cli/main.cpp", "#include \"engine/evolution.hpp\"\n#include \"tests/x.hpp\"\n"},
             {"src/search/emitters.cpp", "#include \"source/patch_apply.hpp\"\n"},
             {"src/extra/x.cpp", "#include \"base/text.hpp\"\n"}}) ==
        std::vector<std::string>{
            "src/select/uniform.cpp:3: \"archive/grid_archive.hpp\" is not allowed: select may not include archive",
            "src/base/text.cpp:1: \"core/task_yaml.hpp\" is not allowed: base may not include core",
            "src/core/json.hpp:1: \"nlohmann/json.hpp\" belongs in a .cpp file",
            "src/core/json.cpp:2: \"json.hpp\" does not name its module",
            "src/cli/main.cpp:2: \"tests/x.hpp\" is not allowed: cli may not include tests",
            "src/extra/x.cpp:1: \"base/text.hpp\" is in a folder that is no module of the table"});
}
