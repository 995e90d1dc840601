/// Which file of a tree a profile means, and which lines of it a reader gets.

#include "prompt/source_excerpt.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "base/text.hpp"

using namespace aiopt;

namespace {

SourceTree tree_of(const std::vector<std::string>& paths) {
  SourceTree tree;
  for (const std::string& path : paths) tree.emplace(path, make_source_file("int a;\n"));
  return tree;
}

std::string found(const SourceTree& tree, std::string_view profile_path) {
  const SourceTree::value_type* file = find_source(tree, profile_path);
  return file == nullptr ? "none" : file->first;
}

/// The lines of the function around the line that holds `mark`: "first to last", or "around".
std::string function_around(const std::string& text, std::string_view mark, std::size_t function_lines = 40) {
  const auto lines = split_lines(text);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].find(mark) == std::string_view::npos) continue;
    const LineRange range = lines_around(text, i + 1, function_lines, 0);
    if (range == LineRange{i + 1, i + 1}) return "around";
    return std::string(trim(lines[range.first - 1])) + " to " + std::to_string(range.last);
  }
  return "no such line";
}

}  // namespace

TEST_CASE("an absolute path means the file of the tree that it ends with") {
  const SourceTree tree = tree_of({"src/wal.cc", "wal.cc", "other/src/wal.cc", "db/env.cc"});
  CHECK(found(tree, "/tmp/ws-17/src/wal.cc") == "src/wal.cc");
  CHECK(found(tree, "/tmp/ws-17/wal.cc") == "wal.cc");
  CHECK(found(tree, "/tmp/ws-17/other/src/wal.cc") == "other/src/wal.cc");
  CHECK(found(tree, "/tmp/ws-17/src/env.cc") == "none");
  CHECK(found(tree, "/tmp/ws-17/xsrc/env.cc") == "none");
}

TEST_CASE("a relative path means a file of the tree by whichever of them is the longer") {
  const SourceTree tree = tree_of({"src/wal.cc", "src/env.cc", "test/env.cc"});
  CHECK(found(tree, "src/wal.cc") == "src/wal.cc");
  CHECK(found(tree, "../src/./wal.cc") == "src/wal.cc");
  CHECK(found(tree, "/w/build/../src/wal.cc") == "src/wal.cc");
  CHECK(found(tree, "wal.cc") == "src/wal.cc");
  CHECK(found(tree, "env.cc") == "none");
}

TEST_CASE("the system's headers and what is no path mean no file") {
  const SourceTree tree = tree_of({"vector", "src/wal.cc"});
  CHECK(found(tree, "/usr/include/c++/12/vector") == "none");
  CHECK(found(tree, "") == "none");
  CHECK(found(tree, "/") == "none");
  CHECK(found(tree, "../..") == "none");
  CHECK(found(tree, std::string(10'000, '/') + "src/wal.cc") == "none");
}

TEST_CASE("a function is found by where it stands") {
  const std::string text =
      "#define TWICE(x) \\\n"
      "  ((x) + (x))\n"
      "\n"
      "template <typename T>\n"
      "Status Map<T>::put(const Key& key,\n"
      "                   const T& value) {\n"
      "  if (key.empty()) {\n"
      "    return in_if;\n"
      "  }\n"
      "#ifdef SLOW\n"
      "  slow();\n"
      "#endif\n"
      "\n"
      "  pool_.run([this] {\n"
      "    in_lambda();\n"
      "  });\n"
      "  switch (key.size()) {\n"
      "    case 1:\n"
      "      in_case();\n"
      "  }\n"
      "}\n"
      "\n"
      "class Wal {\n"
      "  int field_ = 0;\n"
      "\n"
      " public:\n"
      "  void sync() {\n"
      "    in_method();\n"
      "  }\n"
      "};\n"
      "\n"
      "static int\n"
      "gnu(int a)\n"
      "{\n"
      "  in_gnu();\n"
      "}\n"
      "int global = f(1,\n"
      "               in_call(2));\n";
  CHECK(function_around(text, "Map<T>::put(") == "template <typename T> to 21");
  CHECK(function_around(text, "if (key.empty()) {") == "template <typename T> to 21");
  CHECK(function_around(text, "in_if") == "template <typename T> to 21");
  CHECK(function_around(text, "slow()") == "template <typename T> to 21");
  CHECK(function_around(text, "in_lambda") == "template <typename T> to 21");
  CHECK(function_around(text, "in_case") == "template <typename T> to 21");
  CHECK(function_around(text, "field_") == "around");
  CHECK(function_around(text, "void sync() {") == "void sync() { to 29");
  CHECK(function_around(text, "in_method") == "void sync() { to 29");
  CHECK(function_around(text, "gnu(int a)") == "static int to 36");
  CHECK(function_around(text, "in_gnu") == "static int to 36");
  CHECK(function_around(text, "((x) + (x))") == "around");
  CHECK(function_around(text, "in_call") == "around");
  CHECK(function_around(text, "global") == "around");
}

TEST_CASE("of a function that is too long, and where there is none, the lines around are given") {
  std::string text = "void f() {\n";
  for (int i = 0; i < 38; ++i) text += "  step();\n";
  text += "  here();\n";
  CHECK(lines_around(text + "}\n", 40, 41, 3) == LineRange{1, 41});
  CHECK(lines_around(text + "}\n", 40, 40, 3) == LineRange{37, 41});
  CHECK(lines_around(text, 40, 100, 3) == LineRange{37, 40});
  CHECK(lines_around("a\nb\nc\n", 2, 40, 12) == LineRange{1, 3});
}

TEST_CASE("a line that the file does not have has nothing around it") {
  CHECK(lines_around("a\n", 2, 40, 12) == LineRange{});
  CHECK(lines_around("a\n", 0, 40, 12) == LineRange{});
  CHECK(lines_around("", 1, 40, 12) == LineRange{});
}

TEST_CASE("lines have their numbers, and long ones are cut") {
  CHECK(numbered_lines("a\r\nb\nc\n", {1, 2}, 2) == " 1| a\n>2| b\n");
  CHECK(numbered_lines("a\nb\nc\n", {1, 9}, 0) == " 1| a\n 2| b\n 3| c\n");
  CHECK(numbered_lines(std::string(300, 'x') + "\n\xff\n", {1, 2}, 2) ==
        " 1| " + std::string(200, 'x') + "...\n>2| \xef\xbf\xbd\n");
}
