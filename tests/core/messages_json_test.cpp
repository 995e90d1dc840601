/// A conversation's way to run.db and back.

#include "core/messages_json.hpp"

#include <doctest/doctest.h>

using namespace aiopt;

TEST_CASE("messages come back from their JSON") {
  const std::vector<ChatMessage> messages = {{"system", "Be \"fast\".\n"}, {"user", ""}, {"assistant", "\xc3\xa9"}};
  const auto back = messages_from_json(messages_to_json(messages));
  REQUIRE(back.has_value());
  REQUIRE(back->size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK((*back)[i].role == messages[i].role);
    CHECK((*back)[i].content == messages[i].content);
  }
}

TEST_CASE("what is no conversation is refused") {
  for (const char* text : {"", "[", "{}", "[]", "null", "[1]", "[[]]", R"([{"role": "user"}])", R"([{"content": "x"}])",
                           R"([{"role": 1, "content": "x"}])", R"([{"role": "user", "content": null}])"}) {
    CAPTURE(text);
    const auto messages = messages_from_json(text);
    REQUIRE_FALSE(messages.has_value());
    CHECK(messages.error().code == Error::Code::corruption);
  }
}
