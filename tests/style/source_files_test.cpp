/// What every file has to have, and what none may: an opening line, its place, no path of one machine.

#include <doctest/doctest.h>

#include <set>

#include "style/repository.hpp"

using namespace aiopt;

namespace {

const std::set<std::string> kTopFolders = {"src", "include", "prompts", "tests", "subprojects", "examples"};

/// Folders of the machines on which this was written. Put together here, so that this file has none of them.
const std::vector<std::string> kMachinePaths = {std::string("/wo") + "rk/", std::string("/tmp/") + "wt/",
                                                std::string("/tmp/") + "build/"};

bool says_what_it_is(const RepositoryFile& file) {
  const std::size_t slashes = std::min(file.text.find_first_not_of('/'), file.text.size());
  const std::string_view first = std::string_view(file.text).substr(0, file.text.find('\n'));
  return slashes >= 2 && !trim(first.substr(std::min(slashes, first.size()))).empty();
}

/// Whether a path begins there, rather than goes on as in "framework/" or "${HOME}/...".
bool begins_at(std::string_view line, std::size_t at) {
  constexpr std::string_view kPathLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-$}";
  return at == 0 || kPathLetters.find(line[at - 1]) == std::string_view::npos;
}

std::vector<std::string> machine_paths(const RepositoryFile& file) {
  std::vector<std::string> found;
  each_line(file, [&](std::string_view line, std::size_t number) {
    for (const std::string& path : kMachinePaths) {
      const std::size_t at = line.find(path);
      if (at != std::string_view::npos && begins_at(line, at)) found.push_back(place(file, number) + ": " + path);
    }
  });
  return found;
}

}  // namespace

TEST_CASE("every C++ file of src, include and tests opens by saying what it is") {
  std::vector<std::string> silent;
  for (const char* folder : {"src", "include", "tests"}) {
    for (const RepositoryFile& file : files_below(folder)) {
      if (is_cpp(file.path) && !says_what_it_is(file)) silent.push_back(file.path);
    }
  }
  CHECK(joined(silent) == "");
  CHECK(says_what_it_is({"a.cpp", "/// The a of all.\n\n#include <vector>\n"}));
  CHECK(says_what_it_is({"a.cpp", "// The a of all."}));
  CHECK_FALSE(says_what_it_is({"a.cpp", "#include <vector>\n/// The a of all.\n"}));
  CHECK_FALSE(says_what_it_is({"a.cpp", "///\n#include <vector>\n"}));
  CHECK_FALSE(says_what_it_is({"a.cpp", ""}));
}

TEST_CASE("there is no top-level folder beside the six") {
  for (const auto& entry : std::filesystem::directory_iterator(repository_root())) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || name.starts_with('.') || is_ignored(name)) continue;
    CAPTURE(name);
    CHECK(kTopFolders.contains(name));
  }
}

TEST_CASE("no file names a folder of the machine on which it was written") {
  std::vector<std::string> found;
  for (const std::string& folder : kTopFolders) {
    for (const RepositoryFile& file : files_below(folder)) {
      for (std::string& line : machine_paths(file)) found.push_back(std::move(line));
    }
  }
  for (const auto& entry : std::filesystem::directory_iterator(repository_root())) {
    if (!entry.is_regular_file() || is_ignored(entry.path().filename().string())) continue;
    std::ifstream stream(entry.path(), std::ios::binary);
    const RepositoryFile file{entry.path().filename().string(), {std::istreambuf_iterator<char>(stream), {}}};
    for (std::string& line : machine_paths(file)) found.push_back(std::move(line));
  }
  CHECK(joined(found) == "");
  CHECK(machine_paths({"a.md", "x\nsee " + kMachinePaths[0] + "a\n"}) ==
        std::vector<std::string>{"a.md:2: " + kMachinePaths[0]});
  CHECK(machine_paths({"a.md", "frame" + kMachinePaths[0] + "a\n"}).empty());
}
