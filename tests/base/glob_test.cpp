/// Tests of path patterns.

#include "base/glob.hpp"

#include <string>

#include <doctest/doctest.h>

using aiopt::glob_is_valid;
using aiopt::glob_matches;

TEST_CASE("a star stops at a slash") {
  CHECK(glob_matches("src/*.cc", "src/a.cc"));
  CHECK(glob_matches("src/*.cc", "src/.cc"));
  CHECK_FALSE(glob_matches("src/*.cc", "src/b/a.cc"));
  CHECK_FALSE(glob_matches("src/*.cc", "src/a.cc.orig"));
  CHECK_FALSE(glob_matches("*", "a/b"));
  CHECK(glob_matches("*a*b*", "xxaxxbxx"));
}

TEST_CASE("two stars go through folders, and through none") {
  CHECK(glob_matches("src/**/*.cc", "src/a.cc"));
  CHECK(glob_matches("src/**/*.cc", "src/b/c/a.cc"));
  CHECK_FALSE(glob_matches("src/**/*.cc", "src2/a.cc"));
  CHECK_FALSE(glob_matches("src/**/a.cc", "src/ba.cc"));
  CHECK(glob_matches("**/a.cc", "a.cc"));
  CHECK(glob_matches("src/**", "src/b/a"));
  CHECK(glob_matches("**", "b/a"));
}

TEST_CASE("a question mark is one character of a name") {
  CHECK(glob_matches("a?c", "abc"));
  CHECK_FALSE(glob_matches("a?c", "ac"));
  CHECK_FALSE(glob_matches("a?c", "a/c"));
}

TEST_CASE("brackets hold members, ranges and their opposite") {
  CHECK(glob_matches("[abc].h", "b.h"));
  CHECK(glob_matches("[a-f0-9].h", "7.h"));
  CHECK_FALSE(glob_matches("[a-f].h", "g.h"));
  CHECK(glob_matches("[!a].h", "b.h"));
  CHECK_FALSE(glob_matches("[!a].h", "a.h"));
  CHECK_FALSE(glob_matches("a[!x]b", "a/b"));
  CHECK(glob_matches("[]x]", "]"));
}

TEST_CASE("braces hold alternatives, also nested and empty") {
  CHECK(glob_matches("*.{cc,h}", "a.h"));
  CHECK(glob_matches("*.{cc,h}", "a.cc"));
  CHECK_FALSE(glob_matches("*.{cc,h}", "a.c"));
  CHECK(glob_matches("{src,lib/{a,b}}/x", "lib/b/x"));
  CHECK(glob_matches("a{,b}", "a"));
  CHECK(glob_matches("{src/**/,}*.h", "src/x/y.h"));
  CHECK(glob_matches("a,b", "a,b"));
}

TEST_CASE("a backslash takes a character for itself") {
  CHECK(glob_matches("a\\*", "a*"));
  CHECK_FALSE(glob_matches("a\\*", "ab"));
}

TEST_CASE("a pattern that cannot be read is not valid and matches nothing") {
  for (const char* pattern : {"[abc", "{a,b", "a\\", "{a,{b}", "["}) {
    CAPTURE(pattern);
    CHECK_FALSE(glob_is_valid(pattern));
    CHECK_FALSE(glob_matches(pattern, pattern));
  }
}

TEST_CASE("a pattern must stay inside the tree") {
  for (const char* pattern : {"", "/etc/*", "../a", "a/../b", "a/.."}) {
    CAPTURE(pattern);
    CHECK_FALSE(glob_is_valid(pattern));
  }
  CHECK(glob_is_valid("a..b/c"));
  CHECK(glob_is_valid("src/**/*.{cc,h}"));
}

TEST_CASE("no pattern takes long, however it is nested") {
  std::string stars;
  for (int i = 0; i < 200; ++i) stars += "*a{b,c,**}";
  CHECK_FALSE(glob_matches(stars + "z", std::string(500, 'a')));
  CHECK_FALSE(glob_is_valid(std::string(100'000, '{') + std::string(100'000, '}')));
}
