/// Tests of the text tools.

#include "base/text.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

using namespace aiopt;
using namespace std::string_literals;

TEST_CASE("trim takes white space off both ends only") {
  CHECK(trim(" \t a b\r\n") == "a b");
  CHECK(trim(" \n ").empty());
  CHECK(trim("").empty());
}

TEST_CASE("a trailing newline makes no line, an empty line is one") {
  using Lines = std::vector<std::string_view>;
  CHECK(split_lines("") == Lines{});
  CHECK(split_lines("a") == Lines{"a"});
  CHECK(split_lines("a\n") == Lines{"a"});
  CHECK(split_lines("\n") == Lines{""});
  CHECK(split_lines("a\n\nb\r\n") == Lines{"a", "", "b\r"});
}

TEST_CASE("the nearest name is the one that a slip of the finger makes") {
  const std::vector<std::string> names{"iterations", "seed", "workers", "run"};
  CHECK(nearest_name("iteratoins", names) == "iterations");
  CHECK(nearest_name("sed", names) == "seed");
  CHECK(nearest_name("worker", names) == "workers");
}

TEST_CASE("no name is near where none is") {
  const std::vector<std::string> names{"iterations", "seed", "x"};
  CHECK(nearest_name("dashboard", names).empty());
  CHECK(nearest_name("y", names).empty());
  CHECK(nearest_name("", names).empty());
  CHECK(nearest_name(std::string(100'000, 'a'), {std::string(100'000, 'b')}).empty());
}

TEST_CASE("a text within the limit stays as it is") {
  CHECK(shorten_middle("abc", 3) == "abc");
  CHECK(shorten_middle("", 0).empty());
}

TEST_CASE("a long text keeps its head and its tail and says how much went") {
  const std::string text = "head" + std::string(10'000, '.') + "tail";
  const std::string shortened = shorten_middle(text, 100);
  CHECK(shortened.size() <= 100);
  CHECK(shortened.size() > 95);
  CHECK(shortened.starts_with("head"));
  CHECK(shortened.ends_with("tail"));
  const std::size_t dots = static_cast<std::size_t>(std::count(shortened.begin(), shortened.end(), '.')) - 6;
  CHECK(shortened.find("[... " + std::to_string(10'000 - dots) + " bytes left out ...]") != std::string::npos);
}

TEST_CASE("shortening cuts no character apart, whatever the limit") {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "\u20ac\U0001f600\u00e9";
  for (std::size_t limit = 0; limit < text.size(); ++limit) {
    const std::string shortened = shorten_middle(text, limit);
    CHECK(shortened.size() <= limit);
    CHECK(valid_utf8(shortened) == shortened);
  }
}

TEST_CASE("text that is valid UTF-8 stays as it is") {
  const std::string text = "a\u00e9\u20ac\ud7ff\U0001f600\U0010ffff\n\0z"s;
  CHECK(valid_utf8(text) == text);
}

TEST_CASE("bytes that are not UTF-8 become replacement characters") {
  CHECK(valid_utf8("a\xffz") == "a\ufffdz");
  CHECK(valid_utf8("\x80") == "\ufffd");
  CHECK(valid_utf8("a\xe2\x82") == "a\ufffd");                          // Cut off.
  CHECK(valid_utf8("\xe2\x82z") == "\ufffdz");                          // Cut off in the middle.
  CHECK(valid_utf8("\xc0\xaf") == "\ufffd\ufffd");                      // Overlong '/'.
  CHECK(valid_utf8("\xed\xa0\x80") == "\ufffd\ufffd\ufffd");            // Surrogate.
  CHECK(valid_utf8("\xf4\x90\x80\x80") == "\ufffd\ufffd\ufffd\ufffd");  // Beyond U+10FFFF.
}

TEST_CASE("one line folds white space and says where it was cut") {
  CHECK(one_line("  a\n\tb   c ", 20) == "a b c");
  CHECK(one_line("abcdefghij", 8) == "abcde...");
  CHECK(one_line("abcdefgh", 8) == "abcdefgh");
  CHECK(one_line("abcd\xC3\xA4"
                 "fgh",
                 8) == "abcd...");
}

TEST_CASE("a stranger's text becomes one short line that steers no terminal") {
  CHECK(one_line("a\r\n\tb", 100) == "a b");
  CHECK(one_line("\x1b[2Jcls", 100) == "[2Jcls");
  CHECK(one_line("a\xc2\x9bz\x7f", 100) == "a z");
  CHECK(one_line("\xc3\xa4 \xff", 100) == "\xc3\xa4 \xef\xbf\xbd");
  std::string long_text;
  for (int i = 0; i < 1'000; ++i) long_text += "word ";
  const std::string shortened = one_line(long_text, 200);
  CHECK(shortened.size() <= 200);
  CHECK(shortened.find('\n') == std::string::npos);
  CHECK(shortened.ends_with("..."));
}
