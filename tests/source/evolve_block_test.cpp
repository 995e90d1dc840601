/// Tests of the EVOLVE-BLOCK markers.

#include "source/evolve_block.hpp"

#include <doctest/doctest.h>

using namespace aiopt;

TEST_CASE("markers are found in every comment form") {
  for (const std::string sign : {"//", "#", "/*", "--", ";", "<!--", "  ///", "\t// "}) {
    const std::string text = "a\n" + sign + " EVOLVE-BLOCK-START\nb\nc\n" + sign + "EVOLVE-BLOCK-END */\nd\n";
    const auto blocks = find_evolve_blocks(text);
    REQUIRE(blocks);
    REQUIRE(blocks->size() == 1);
    CHECK(text.substr((*blocks)[0].begin, (*blocks)[0].end - (*blocks)[0].begin) == "b\nc\n");
  }
}

TEST_CASE("a marker's name in code or in a string is no marker") {
  CHECK(find_evolve_blocks("const char* s = \"// EVOLVE-BLOCK-START\";\nint EVOLVE-BLOCK-END;\n")->empty());
}

TEST_CASE("nested, unclosed and unopened blocks are errors that name the line") {
  CHECK(find_evolve_blocks("// EVOLVE-BLOCK-START\n// EVOLVE-BLOCK-START\n").error().message.starts_with("line 2: "));
  CHECK(find_evolve_blocks("x\n// EVOLVE-BLOCK-START\n").error().message.starts_with("line 2: "));
  CHECK(find_evolve_blocks("x\ny\n// EVOLVE-BLOCK-END").error().message.starts_with("line 3: "));
}

TEST_CASE("what lies outside the blocks is held to the parent's") {
  const std::string parent = "a\n// EVOLVE-BLOCK-START\nb\n// EVOLVE-BLOCK-END\nc\n";
  SUBCASE("a change inside passes") {
    const std::string changed = "a\n// EVOLVE-BLOCK-START\nB\nB\n// EVOLVE-BLOCK-END\nc\n";
    const auto kept = keep_outside_evolve_blocks("f.cc", parent, changed);
    REQUIRE(kept);
    CHECK(*kept == changed);
  }
  SUBCASE("a change outside is refused with its line") {
    const auto kept =
        keep_outside_evolve_blocks("f.cc", parent, "a\n// EVOLVE-BLOCK-START\nb\n// EVOLVE-BLOCK-END\nC\n");
    REQUIRE_FALSE(kept);
    CHECK(kept.error().message.find("line 5 of f.cc (`c`)") != std::string::npos);
  }
  SUBCASE("white space outside is put right") {
    const auto kept =
        keep_outside_evolve_blocks("f.cc", parent, "a  \r\n// EVOLVE-BLOCK-START\nB\n// EVOLVE-BLOCK-END\nc");
    REQUIRE(kept);
    CHECK(*kept == "a\n// EVOLVE-BLOCK-START\nB\n// EVOLVE-BLOCK-END\nc\n");
  }
  SUBCASE("markers must stay") {
    CHECK_FALSE(keep_outside_evolve_blocks("f.cc", parent, "a\nb\nc\n"));
    CHECK_FALSE(keep_outside_evolve_blocks("f.cc", parent, "a\n// EVOLVE-BLOCK-START\nb\nc\n"));
    CHECK_FALSE(keep_outside_evolve_blocks(
        "f.cc", parent,
        "a\n// EVOLVE-BLOCK-START\n// EVOLVE-BLOCK-END\n// EVOLVE-BLOCK-START\n// EVOLVE-BLOCK-END\nc\n"));
  }
}
