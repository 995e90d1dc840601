/// Digests of files and trees.

#include <doctest/doctest.h>

#include <aiopt/source_tree.hpp>

using namespace aiopt;

TEST_CASE("a source file carries the SHA-256 of its text") {
  const SourceFile file = make_source_file("abc");
  CHECK(*file.text == "abc");
  CHECK(file.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("the empty tree has the digest of nothing") {
  CHECK(tree_sha256({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("the digest of a tree stays what it is, since run.db keeps it") {
  // printf 'a.cc\0ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' | sha256sum
  CHECK(tree_sha256({{"a.cc", make_source_file("abc")}}) ==
        "8bbc61e4d7585b6a86fcd43c621078591ce9cf85917c773b1ad7f094cd4cb527");
}

TEST_CASE("equal trees have equal digests, whether or not they share their texts") {
  const SourceTree one = {{"a.cc", make_source_file("x")}, {"b.cc", make_source_file("y")}};
  const SourceTree two = {{"b.cc", make_source_file("y")}, {"a.cc", make_source_file("x")}};
  CHECK(tree_sha256(one) == tree_sha256(two));
}

TEST_CASE("a tree's digest tells apart changed text, moved files and swapped contents") {
  const SourceTree tree = {{"a", make_source_file("x")}, {"b", make_source_file("y")}};
  CHECK(tree_sha256(tree) != tree_sha256({{"a", make_source_file("x")}, {"b", make_source_file("z")}}));
  CHECK(tree_sha256(tree) != tree_sha256({{"a", make_source_file("x")}, {"c", make_source_file("y")}}));
  CHECK(tree_sha256(tree) != tree_sha256({{"a", make_source_file("y")}, {"b", make_source_file("x")}}));
  CHECK(tree_sha256(tree) != tree_sha256({{"a", make_source_file("x")}}));
}

TEST_CASE("a path that looks like a digest and another path does not pass for two files") {
  const SourceFile file = make_source_file("x");
  const std::string forged = "a" + file.sha256 + "b";
  CHECK(tree_sha256({{"a", file}, {"b", file}}) != tree_sha256({{forged, file}}));
}
