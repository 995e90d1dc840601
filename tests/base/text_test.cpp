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
