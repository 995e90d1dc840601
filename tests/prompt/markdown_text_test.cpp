/// Text from outside stays where it is put.

#include "prompt/markdown_text.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"

using namespace aiopt;

TEST_CASE("a code span is one line that its text cannot end") {
  CHECK(code_span("Wal::append", 100) == "`Wal::append`");
  CHECK(code_span("a`\n# b\x1b", 100) == "`a' # b`");
  CHECK(code_span("", 100) == "` `");
  CHECK(code_span("\n", 100) == "` `");
}

TEST_CASE("of a long name the middle is left out, and no character is cut apart") {
  CHECK(code_text("0123456789abcdef", 16) == "0123456789abcdef");
  CHECK(code_text("0123456789abcdefg", 16) == "0123...89abcdefg");
  CHECK(code_text(std::string(1 << 20, 'x'), 50).size() == 50);
  std::string umlauts;
  for (int i = 0; i < 50; ++i) umlauts += "\xc3\xa4";
  for (std::size_t limit = 8; limit < 30; ++limit) {
    const std::string text = code_text(umlauts, limit);
    CHECK(text == valid_utf8(text));
    CHECK(text.size() <= limit);
  }
}
