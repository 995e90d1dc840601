/// Tests of reading sources and of diffs between trees; git and patch are started.

#include "source/source_tree.hpp"

#include <filesystem>
#include <string>

#include <doctest/doctest.h>
#include <aiopt/rng.hpp>

#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "source/patch_apply.hpp"
#include "source/patch_parser.hpp"
#include "workspace_place.hpp"

using namespace aiopt;
using namespace aiopt::test;

namespace {

std::string paths_of(const SourceTree& tree) {
  std::string paths;
  for (const auto& [path, file] : tree) paths += path + " ";
  return paths;
}

int exit_code_of(const fs::path& directory, const std::string& line) {
  Command command;
  command.line = line;
  command.directory = directory;
  const auto result = run_command(command);
  REQUIRE(result);
  if (!result->succeeded()) MESSAGE(line, ": ", result->output);
  return result->exit_code();
}

/// Whether the tree's files are what lies in the folder.
bool lies_in(const SourceTree& tree, const fs::path& folder) {
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) files += entry.is_regular_file() ? 1 : 0;
  if (files != tree.size()) return false;
  for (const auto& [path, file] : tree) {
    const auto text = read_file(folder / path);
    if (!text || *text != *file.text) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("a source is loaded by its patterns: regular text files alone") {
  const TemporaryFolder source;
  write(source.path() / "src/a.cc", "a\n");
  write(source.path() / "src/sub/b.cc", "b\n");
  write(source.path() / "src/b.h", "h\n");
  write(source.path() / "src/binary.cc", std::string("\0", 1));
  write(source.path() / "src/.git/c.cc", "c\n");
  write(source.path() / "src/run/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
  write(source.path() / "src/run/a.cc", "copy\n");
  fs::create_symlink("a.cc", source.path() / "src/link.cc");
  fs::create_directory_symlink("sub", source.path() / "src/linked");
  const auto all = load_source_tree(source.path(), {"src/**/*.cc", "**/*.h"});
  REQUIRE(all);
  CHECK(paths_of(*all) == "src/a.cc src/b.h src/sub/b.cc ");
  CHECK(*all->at("src/a.cc").text == "a\n");
  CHECK(paths_of(*load_source_tree(source.path(), {"src/sub/*.cc"})) == "src/sub/b.cc ");
}

TEST_CASE("a source that cannot be loaded says why") {
  const TemporaryFolder source;
  write(source.path() / "a.cc", "a\n");
  write(source.path() / "b.cc", "// EVOLVE-BLOCK-START\n");
  write(source.path() / "large.txt", std::string(kMaxSourceFileBytes + 1, 'x'));
  const auto reason = [&](const std::vector<std::string>& editable) {
    const auto tree = load_source_tree(source.path(), editable);
    return tree ? "loaded" : tree.error().message;
  };
  CHECK(reason({"a.cc"}) == "loaded");
  CHECK(reason({"a.cc", "*.cpp"}).find("matches `*.cpp`") != std::string::npos);
  CHECK(reason({"b.cc"}).find("b.cc: line 1: EVOLVE-BLOCK-START is never closed") != std::string::npos);
  CHECK(reason({"large.txt"}).find("large.txt: larger than") != std::string::npos);
  CHECK(reason({"../*.cc"}).find("cannot read the pattern") != std::string::npos);
  CHECK(reason({}).find("names no files") != std::string::npos);
  CHECK_FALSE(load_source_tree(source.path() / "missing", {"*.cc"}));
}

TEST_CASE("a diff between two trees is taken by git apply and by patch") {
  SourceTree from;
  SourceTree to;
  from["same.cc"] = to["same.cc"] = make_source_file("same\n");
  from["src/a.cc"] = make_source_file("1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  to["src/a.cc"] = make_source_file("1\n2\n3\nfour\n5\n6\n7\n8\n9\n10");
  from["src/gone.cc"] = make_source_file("diff --git b/x b/x\n");
  to["src/sub/new.cc"] = make_source_file("new\n-- \n");
  from["with space.cc"] = make_source_file("a\n");
  to["with space.cc"] = make_source_file("b\n");
  to["b/b.cc"] = make_source_file("b\n");
  from["crlf.cc"] = make_source_file("a\r\nb\r\n");
  to["crlf.cc"] = make_source_file("a\r\nc\r\n");
  to["ä.cc"] = make_source_file("ä\n");
  to["quote\".cc"] = make_source_file("q\n");
  const auto diff = unified_diff(from, to);
  REQUIRE(diff);
  CHECK(diff->find("diff --git a/src/a.cc b/src/a.cc\n") == diff->find("diff --git a/src/a.cc"));
  CHECK(diff->find("--- a/src/a.cc\n+++ b/src/a.cc\n") != std::string::npos);
  CHECK(diff->find("diff --git a/src/sub/new.cc b/src/sub/new.cc\nnew file mode") != std::string::npos);
  CHECK(diff->find("--- a/src/gone.cc\n+++ /dev/null\n") != std::string::npos);

  const TemporaryFolder folder;
  write(folder.path() / "best.patch", *diff);
  for (const std::string tool : {"git apply ../best.patch", "patch --binary -s -p1 < ../best.patch"}) {
    CAPTURE(tool);
    const fs::path source = folder.path() / "source";
    for (const auto& [path, file] : from) write(source / path, *file.text);
    CHECK(exit_code_of(source, tool) == 0);
    CHECK(lies_in(to, source));
    fs::remove_all(source);
  }
}

TEST_CASE("a diff read back makes the tree that it was made from") {
  Rng rng(7);
  const std::vector<std::string> lines = {"x;",   "  x;",  "y;",          "",      "}",
                                          "-- z", "+++ q", "@@ -1 +1 @@", "--- a", "\\ No newline"};
  const auto random_text = [&] {
    std::string text;
    for (std::size_t i = rng.index(25); i > 0; --i) text += lines[rng.index(lines.size())] + "\n";
    if (!text.empty() && rng.index(4) == 0) text.pop_back();
    return text;
  };
  for (int round = 0; round < 60; ++round) {
    SourceTree from;
    SourceTree to;
    for (const std::string path : {"a.cc", "b/b.cc", "b/c.cc"}) {
      if (rng.index(5) > 0) from[path] = make_source_file(random_text());
      if (rng.index(5) > 0) to[path] = make_source_file(random_text());
      // Mostly few changes, as patches have.
      if (rng.index(2) == 0 && from.contains(path)) to[path] = make_source_file(*from[path].text + "tail\n");
    }
    if (tree_sha256(from) == tree_sha256(to)) continue;
    const auto diff = unified_diff(from, to);
    REQUIRE(diff);
    const auto patch = parse_patch(*diff);
    if (!patch) FAIL(patch.error().message, *diff);
    const auto applied = apply_patch(from, *patch, {{"**"}, 1 << 20});
    if (!applied) FAIL(applied.error().message, *diff);
    CHECK(tree_sha256(applied->tree) == tree_sha256(to));
  }
}

TEST_CASE("equal trees have an empty diff") {
  SourceTree tree;
  tree["a.cc"] = make_source_file("a\n");
  CHECK(*unified_diff(tree, tree) == "");
}
