/// A source in a folder of its own, and room for workspaces beside it.

#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "source/source_tree.hpp"
#include "source/workspace.hpp"

namespace aiopt::test {

namespace fs = std::filesystem;

inline void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

inline std::string read(const fs::path& file) {
  const auto text = read_file(file);
  return text ? *text : "cannot: " + text.error().message;
}

inline std::string shell(const fs::path& directory, const std::string& line) {
  Command command;
  command.line = line;
  command.directory = directory;
  command.variables = {{"GIT_AUTHOR_NAME", "a"},
                       {"GIT_AUTHOR_EMAIL", "a@example.org"},
                       {"GIT_COMMITTER_NAME", "a"},
                       {"GIT_COMMITTER_EMAIL", "a@example.org"}};
  const auto result = run_command(command);
  REQUIRE(result);
  if (!result->succeeded()) FAIL(line, ": ", result->output);
  return result->out;
}

/// Every file, link and folder below, with what tells a change.
inline std::map<std::string, std::string> state_of(const fs::path& folder) {
  std::map<std::string, std::string> state;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat status {};
    REQUIRE(::lstat(entry.path().c_str(), &status) == 0);
    state[entry.path().string()] = std::to_string(status.st_ino) + " " + std::to_string(status.st_size) + " " +
                                   std::to_string(status.st_mtim.tv_sec) + "." +
                                   std::to_string(status.st_mtim.tv_nsec) + " " + std::to_string(status.st_mode);
  }
  return state;
}

inline std::int64_t stamp_of(const fs::path& file) {
  struct stat status {};
  REQUIRE(::lstat(file.c_str(), &status) == 0);
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

/// A folder with a source in it, and room for a workspace beside it.
struct Place {
  TemporaryFolder folder;
  fs::path source = folder.path() / "source";
  fs::path work = folder.path() / "runs/work";

  Place() {
    write(source / "src/a.cc", "a\n");
    write(source / "src/sub/b.cc", "b\n");
    write(source / "Makefile", "all:\n");
    write(source / "run.sh", "#!/bin/sh\n");
    fs::permissions(source / "run.sh", fs::perms::owner_all);
  }

  SourceTree baseline() const {
    auto tree = load_source_tree(source, {"src/**"});
    REQUIRE(tree);
    return *tree;
  }

  Workspace workspace() const {
    auto made = Workspace::create(source, work, baseline());
    if (!made) FAIL(made.error().message);
    return std::move(*made);
  }
};

inline SourceTree with(SourceTree tree, const std::string& path, const std::string& text) {
  tree[path] = make_source_file(text);
  return tree;
}

}  // namespace aiopt::test
