/// What is told of the difference between two trees.

#include "prompt/tree_changes.hpp"

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

SourceTree tree(std::initializer_list<std::pair<const char*, const char*>> files) {
  SourceTree made;
  for (const auto& [path, text] : files) made.emplace(path, make_source_file(text));
  return made;
}

}  // namespace

TEST_CASE("equal texts have no changes") {
  CHECK(line_changes("a\nb\n", "a\nb\n").empty());
  CHECK(line_changes("", "").empty());
  CHECK(describe_changes(tree({{"a.c", "x\n"}}), tree({{"a.c", "x\n"}}), 1000).empty());
}

TEST_CASE("changes at both ends of a file are told apart, the lines between left out") {
  const auto changes = line_changes("1\n2\n3\n4\n5\n6\n", "1\nx\n3\n4\ny\nz\n6\n");
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].first_line == 2);
  CHECK(changes[0].removed == std::vector<std::string_view>{"2"});
  CHECK(changes[0].added == std::vector<std::string_view>{"x"});
  CHECK(changes[1].first_line == 5);
  CHECK(changes[1].removed == std::vector<std::string_view>{"5"});
  CHECK(changes[1].added == std::vector<std::string_view>{"y", "z"});
}

TEST_CASE("applying the changes to the old text gives the new one, also when lines move and repeat") {
  const std::string from = "a\nb\n}\n\nc\nd\n}\n\ne\nf\n}\n";
  for (const std::string to : {"c\nd\n}\n\na\nb\n}\n\ne\nf\n}\n", "", "}\n}\n}\n", "f\ne\nd\nc\nb\na\n",
                               "new\na\nb\n}\n\nc\n}\n\ne\nf\n}\nlast\n"}) {
    CAPTURE(to);
    std::string patched;
    std::size_t line = 0;
    std::vector<std::string> old;
    for (std::size_t at = 0; at < from.size(); at = from.find('\n', at) + 1) {
      old.push_back(from.substr(at, from.find('\n', at) - at));
    }
    for (const LineChange& change : line_changes(from, to)) {
      while (line + 1 < change.first_line) patched += old[line++] + "\n";
      for (std::string_view removed : change.removed) CHECK(old[line++] == removed);
      for (std::string_view added : change.added) patched.append(added).append("\n");
    }
    while (line < old.size()) patched += old[line++] + "\n";
    CHECK(patched == to);
  }
}

TEST_CASE("files that came and went are named") {
  const std::string text = describe_changes(tree({{"gone.c", "x\n"}, {"same.c", "s\n"}}),
                                            tree({{"new.c", "four\n"}, {"same.c", "s\n"}}), 1000);
  CHECK(text == "new.c: a new file of 5 bytes\ngone.c: removed\n");
}

TEST_CASE("a long difference is shortened to about its limit") {
  std::string from;
  std::string to;
  for (int i = 0; i < 5000; ++i) {
    from += "old line " + std::to_string(i) + "\n";
    to += "new line " + std::to_string(i) + "\n";
  }
  CHECK(describe_changes({{"a.c", make_source_file(from)}}, {{"a.c", make_source_file(to)}}, 3000).size() < 3100);
}
