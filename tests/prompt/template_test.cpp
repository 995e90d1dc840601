/// Templates: what is filled in, and what is refused.

#include "prompt/template.hpp"

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

std::string rendered(const std::string& text, const TemplateValues& values) {
  const Result<Template> parsed = Template::parse(text);
  REQUIRE_MESSAGE(parsed.has_value(), (parsed ? "" : parsed.error().message));
  return parsed->render(values);
}

}  // namespace

TEST_CASE("a placeholder becomes its value as it is, with nothing escaped or read again") {
  CHECK(rendered("a {{x}} b", {{{"x", "<&\"> {{y}} {{{"}, {"y", "no"}}, {}}) == "a <&\"> {{y}} {{{ b");
}

TEST_CASE("a section is shown once for each item of its list") {
  const TemplateValues values{{{"end", "!"}}, {{"items", {{{{"n", "1"}}, {}}, {{{"n", "2"}}, {}}}}}};
  CHECK(rendered("{{#items}}\n- {{n}}{{end}}\n{{/items}}\nrest\n", values) == "- 1!\n- 2!\nrest\n");
}

TEST_CASE("an empty text hides its section and shows the inverted one") {
  const std::string text = "{{#x}}with{{/x}}{{^x}}without{{/x}}";
  CHECK(rendered(text, {{{"x", ""}}, {}}) == "without");
  CHECK(rendered(text, {}) == "without");
  CHECK(rendered(text, {{{"x", "1"}}, {}}) == "with");
  CHECK(rendered(text, {{}, {{"x", {}}}}) == "without");
}

TEST_CASE("a template knows every name that it uses") {
  const Result<Template> parsed = Template::parse("{{b}} {{! comment }}{{#a}}{{ c }}{{/a}}{{^d}}{{&b}}{{/d}}");
  REQUIRE(parsed);
  CHECK(parsed->names() == std::vector<std::string>{"a", "b", "c", "d"});
}

TEST_CASE("a text that is no template is refused with the reason") {
  for (const char* text : {"{{open", "{{#a}} no end", "{{/a}}", "{{>other}}", "{{=<% %>=}}", "{{}}", "{{{raw}}}", "{{",
                           "x{{", "{{#", "{{#a}}{{#b}}{{/a}}{{/b}}"}) {
    CAPTURE(text);
    const Result<Template> parsed = Template::parse(text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().code == Error::Code::invalid_argument);
    CHECK_FALSE(parsed.error().message.empty());
  }
}
