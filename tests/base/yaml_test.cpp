/// YAML with places, and what is refused.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/yaml.hpp"

using namespace aiopt;

namespace {

YamlNode parsed(std::string_view text) {
  auto node = parse_yaml(text, "task.yaml");
  REQUIRE_MESSAGE(node.has_value(), (node ? "" : node.error().message));
  return *std::move(node);
}

std::string refusal(std::string_view text) {
  const auto node = parse_yaml(text, "task.yaml");
  REQUIRE_FALSE(node);
  CHECK(node.error().code == Error::Code::invalid_argument);
  CHECK(node.error().message.find('\n') == std::string::npos);
  return node.error().message;
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("values are found by key, in the order of the file, each with its line") {
  const YamlNode root = parsed("# comment\nname: walkv\nlist:\n  - a\n  - {x: 1}\n");
  CHECK(root.kind() == YamlNode::Kind::map);
  REQUIRE(root.children().size() == 2);
  CHECK(*root.find("name")->text() == "walkv");
  CHECK(root.find("name")->line() == 2);
  const YamlNode& list = *root.find("list");
  CHECK(list.line() == 3);
  CHECK(list.children()[0].line() == 4);
  CHECK(list.children()[1].name() == "list[2]");
  CHECK(*list.children()[1].find("x")->whole_number(0, 9) == 1);
}

TEST_CASE("flow and block style nest in each other") {
  const YamlNode root = parsed("a: [[1, 2], {b: [3]}]\nc:\n- - 4\n  - {d: {e: 5}}\n");
  CHECK(*root.find("a")->children()[1].find("b")->children()[0].whole_number(0, 9) == 3);
  CHECK(*root.find("c")->children()[0].children()[1].find("d")->find("e")->whole_number(0, 9) == 5);
}

TEST_CASE("a key without a value counts as not there") {
  const YamlNode root = parsed("llm:\nname: ~\n");
  CHECK(root.find("llm") == nullptr);
  CHECK(root.find("name") == nullptr);
  CHECK(root.check_keys({"llm", "name"}));
}

TEST_CASE("numbers are read whole, within their bounds, and only where they are written as numbers") {
  const YamlNode root = parsed("{a: 0.5, b: 7, c: 7x, d: '7', e: .nan, f: -1, g: 1e400, h: [7], i: inf}");
  CHECK(*root.find("a")->number(0, 1) == 0.5);
  CHECK(*root.find("b")->whole_number(7, 7) == 7);
  CHECK(root.find("b")->number(0, 6).error().message == "task.yaml:1: 'b' must be a number from 0 to 6, not '7'");
  CHECK(root.find("c")->whole_number(0, 9).error().message ==
        "task.yaml:1: 'c' must be a whole number from 0 to 9, not '7x'");
  CHECK(root.find("d")->whole_number(0, 9).error().message ==
        "task.yaml:1: 'd' must be a whole number from 0 to 9, not text in quotes");
  CHECK(root.find("h")->number(0, 9).error().message == "task.yaml:1: 'h' must be a number from 0 to 9, not a list");
  for (const char* key : {"e", "f", "g", "i"}) CHECK_FALSE(root.find(key)->number(0, 1e308));
}

TEST_CASE("only true and false are booleans") {
  const YamlNode root = parsed("{a: true, b: false, c: yes, d: 'true'}");
  CHECK(*root.find("a")->boolean());
  CHECK_FALSE(*root.find("b")->boolean());
  CHECK(root.find("c")->boolean().error().message == "task.yaml:1: 'c' must be true or false, not 'yes'");
  CHECK_FALSE(root.find("d")->boolean());
}

TEST_CASE("an unknown key is named with its line and the nearest known one") {
  const YamlNode root = parsed("a: 1\n\nbenchmrk: x\n");
  CHECK(root.check_keys({"a", "benchmark"}).error().message ==
        "task.yaml:3: unknown key 'benchmrk'; did you mean 'benchmark'?");
  CHECK(root.check_keys({"a", "zz"}).error().message == "task.yaml:3: unknown key 'benchmrk'; known: a, zz");
}

TEST_CASE("a value of the wrong kind is not quoted, for it may be a secret") {
  const YamlNode root = parsed("llm: hunter2\n");
  CHECK(root.find("llm")->check_keys({"x"}).error().message == "task.yaml:1: 'llm' must be a map of keys, not text");
}

TEST_CASE("what is quoted in a message fits on a line") {
  CHECK(quoted_for_message("a\nb\x1b") == "'a b '");
  CHECK(quoted_for_message("\xff") == "'\xef\xbf\xbd'");
  CHECK(quoted_for_message(std::string(500, 'x')).size() == 65);
}

TEST_CASE("an empty file is a null, and no map") {
  CHECK(parsed("").kind() == YamlNode::Kind::null);
  CHECK(parsed("# nothing\n").check_keys({"a"}).error().message ==
        "task.yaml: the file must be a map of keys, not empty");
}

TEST_CASE("what the tree does not need is refused with its line") {
  CHECK(refusal("a: 1\na: 2\n") == "task.yaml:2: key 'a' is there twice");
  CHECK(refusal("x: {a: 1,\n  a: 2}\n") == "task.yaml:2: key 'a' is there twice");
  CHECK(refusal("a: &x 1\nb: *x\n") == "task.yaml:2: aliases are not read; write the value out");
  CHECK(refusal("a: 1\nb: !!binary x\n") == "task.yaml:2: tags are not read; write the plain value");
  CHECK(refusal("a: !mine {b: 1}\n") == "task.yaml:1: tags are not read; write the plain value");
  CHECK(refusal("a: 1\n---\nb: 2\n") == "task.yaml:2: a second document begins here; only one is read");
  CHECK(refusal("[a]: 1\n") == "task.yaml:1: a key must be text");
  CHECK(refusal("a: 1\n~: 1\n") == "task.yaml:2: a key must be text");
}

TEST_CASE("lines may end in LF, CR LF or CR, the last one too") {
  for (const char* text : {"a: 1\nb: x\n", "a: 1\r\nb: x\r\n", "a: 1\rb: x\r", "a: 1\nb: x\r", "a: 1\r\nb: x\r"}) {
    CAPTURE(text);
    const YamlNode root = parsed(text);
    CHECK(*root.find("a")->whole_number(0, 9) == 1);
    CHECK(*root.find("b")->text() == "x");
    CHECK(root.find("b")->line() == 2);
  }
  CHECK(*parsed("a: |\r\n  x\r\n  y\r\n").find("a")->text() == "x\ny\n");
  CHECK(refusal("a: 1\r\n\r\nb: 1: 2\r\n").find("task.yaml:3: ") == 0);
}

TEST_CASE("bytes that are no text are refused with their line") {
  CHECK(refusal(std::string_view("a: 1\nb: \0\n", 10)) == "task.yaml:2: holds a NUL byte: no text");
  CHECK(refusal("a: 1\nb: \"x\\0y\"\n") == "task.yaml:2: holds a NUL character");
  CHECK(refusal("a: 1\n\nb: \xff\n") == "task.yaml:3: is not valid UTF-8");
  CHECK(refusal(std::string(1'048'577, ' ')) == "task.yaml: is larger than 1 MiB");
}

TEST_CASE("yaml-cpp's own complaints get a place, and tabs their name") {
  CHECK(refusal("a: [1, 2\n") == "task.yaml:2: end of sequence flow not found");
  CHECK(refusal("a:\n  b: 1\n\tc: 2\n").find("task.yaml:3: ") == 0);
  CHECK(refusal("a:\n  b: 1\n\tc: 2\n").find("begins with a tab") != std::string::npos);
  CHECK(refusal("%YAML\n---\na: 1\n").find("task.yaml:") == 0);
}

TEST_CASE("a file built to cost much is refused at once") {
  const std::size_t many = 100'000;
  CHECK(refusal("a:\n  " + repeated("[", 25) + repeated("]", 25)) == "task.yaml:2: is nested more than 24 deep");
  CHECK_FALSE(parse_yaml("a: " + repeated("[", many), "task.yaml"));
  CHECK_FALSE(parse_yaml(repeated("{a: ", many / 2), "task.yaml"));
  CHECK(refusal(repeated("- ", many)) == "task.yaml:1: is nested more than 24 deep");
  CHECK(refusal("[" + repeated("a,", many) + "]") == "task.yaml:1: has more than 50000 values");
  CHECK_FALSE(parse_yaml(repeated("? ", many), "task.yaml"));
  CHECK_FALSE(parse_yaml(repeated("a: ", many), "task.yaml"));
  CHECK_FALSE(parse_yaml("\"" + repeated("\\", many), "task.yaml"));
  CHECK_FALSE(parse_yaml(repeated("!", many), "task.yaml"));
  CHECK_FALSE(parse_yaml(repeated("]", many), "task.yaml"));
  CHECK_FALSE(parse_yaml(repeated("&a ", many), "task.yaml"));
  CHECK_FALSE(parse_yaml(repeated("%TAG ! x\n", many / 10), "task.yaml"));
}
