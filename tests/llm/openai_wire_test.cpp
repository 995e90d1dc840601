/// Request bodies and replies.

#include "llm/openai_wire.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "base/files.hpp"

using namespace aiopt;

namespace {

/// The text in tests/golden/llm/<name>; AIOPT_ACCEPT=1 takes `actual` for right.
void check_golden(const std::string& name, const std::string& actual) {
  const char* root = std::getenv("AIOPT_SOURCE_ROOT");
  REQUIRE(root != nullptr);
  const std::filesystem::path file = std::filesystem::path(root) / "tests/golden/llm" / name;
  if (std::getenv("AIOPT_ACCEPT") != nullptr) REQUIRE(write_file_atomic(file, actual + '\n'));
  const Result<std::string> expected = read_file(file);
  REQUIRE(expected.has_value());
  CHECK(*expected == actual + '\n');
}

ChatRequest request_to(std::string model) {
  ChatRequest request;
  request.number = 7;
  request.model = std::move(model);
  request.messages = {{"system", "You make C++ programs faster."}, {"user", "Line \"one\"\n\tline two: \xc3\xa4 \x01"}};
  return request;
}

ChatReply reply_of(std::string_view body) {
  CAPTURE(body);
  const auto answer = parse_reply(body);
  REQUIRE(answer.has_value());
  REQUIRE(std::holds_alternative<ChatReply>(*answer));
  return std::get<ChatReply>(*answer);
}

ReportedError reported(std::string_view body) {
  CAPTURE(body);
  const auto answer = parse_reply(body);
  REQUIRE(answer.has_value());
  REQUIRE(std::holds_alternative<ReportedError>(*answer));
  return std::get<ReportedError>(*answer);
}

Error failure_of(std::string_view body) {
  CAPTURE(body.substr(0, 200));
  const auto answer = parse_reply(body);
  REQUIRE_FALSE(answer.has_value());
  return answer.error();
}

std::string message_json(std::string_view message) {
  return R"({"choices":[{"message":)" + std::string(message) + R"(,"finish_reason":"stop"}]})";
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("the body of a request is as the API has it") {
  check_golden("plain.json", request_body(request_to("any"), false));
}

TEST_CASE("a streamed request asks for its usage too") {
  check_golden("streamed.json", request_body(request_to("any"), true));
}

TEST_CASE("seed and sampling parameters are sent") {
  ChatRequest request = request_to("local/qwen");
  request.seed = 18'446'744'073'709'551'615u;
  request.temperature = 0.1;
  request.top_p = 0.95;
  request.max_tokens = 100;
  check_golden("sampled.json", request_body(request, false));
}

TEST_CASE("a reasoning model gets max_completion_tokens and no sampling parameters") {
  check_golden("reasoning.json", request_body(request_to("o3-mini"), false));
  for (const char* model : {"o1", "o1-preview", "o4-mini", "gpt-5", "gpt-5.1", "gpt-5-mini", "openai/o3"}) {
    CAPTURE(model);
    CHECK(request_body(request_to(model), false).find("max_completion_tokens") != std::string::npos);
    CHECK(request_body(request_to(model), false).find("temperature") == std::string::npos);
  }
  for (const char* model : {"o100-local", "gpt-4o", "gpt-50", "opus", "mistral/o", ""}) {
    CAPTURE(model);
    CHECK(request_body(request_to(model), false).find("max_tokens") != std::string::npos);
    CHECK(request_body(request_to(model), false).find("temperature") != std::string::npos);
  }
}

TEST_CASE("what is not UTF-8 in a prompt is replaced") {
  ChatRequest request = request_to("any");
  request.messages = {{"user", "bad \xff byte"}};
  check_golden("invalid_utf8.json", request_body(request, false));
}

TEST_CASE("the digest of a request is of model and messages, not of how it is sampled") {
  const std::string digest = request_sha256(request_to("any"));
  ChatRequest sampled = request_to("any");
  sampled.number = 8;
  sampled.temperature = 0;
  sampled.seed = 1;
  CHECK(request_sha256(sampled) == digest);
  CHECK(request_sha256(request_to("other")) != digest);
  ChatRequest one = request_to("any");
  one.messages = {{"user", "ab"}};
  ChatRequest two = request_to("any");
  two.messages = {{"user", "a"}, {"user", "b"}};
  CHECK(request_sha256(one) != request_sha256(two));
}

TEST_CASE("a reply gives its text, why it ended, and its usage") {
  const ChatReply reply = reply_of(R"({"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},
      "finish_reason":"length"}],"usage":{"prompt_tokens":12,"completion_tokens":3,"total_tokens":15}})");
  CHECK(reply.text == "hi");
  CHECK(reply.finish_reason == "length");
  CHECK(reply.usage == TokenUsage{12, 3});
}

TEST_CASE("content comes in many shapes") {
  CHECK(reply_of(message_json(R"({"content":"a"})")).text == "a");
  CHECK(reply_of(message_json(R"({"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})")).text == "ab");
  CHECK(reply_of(message_json(R"({"content":[{"type":"image_url","text":"no"},{"type":"text","text":"b"}]})")).text ==
        "b");
  CHECK(reply_of(message_json(R"({"content":["a",{"text":"b"},null,7,[]]})")).text == "ab");
  CHECK(reply_of(message_json(R"({"content":[{"type":"text","text":7}]})")).text.empty());
  CHECK(reply_of(message_json(R"({"content":[]})")).text.empty());
  CHECK(reply_of(message_json(R"({"content":null})")).text.empty());
  CHECK(reply_of(message_json(R"({"content":7})")).text.empty());
  CHECK(reply_of(message_json(R"({"content":{"text":"a"}})")).text.empty());
  CHECK(reply_of(message_json(R"({})")).text.empty());
  CHECK(reply_of(message_json(R"({"content":"a","reasoning_content":"secret thoughts"})")).text == "a");
  CHECK(reply_of(message_json(R"({"content":null,"reasoning_content":"secret thoughts"})")).text.empty());
  CHECK(reply_of(message_json(R"({"content":null,"refusal":"I won't."})")).text == "I won't.");
  CHECK(reply_of(message_json(R"({"content":"a","refusal":"I won't."})")).text == "a");
  CHECK(reply_of(message_json(R"({"content":"a\u0000b"})")).text == std::string("a\0b", 3));
}

TEST_CASE("whatever else is odd in a reply does no harm") {
  CHECK(reply_of(R"({"choices":[{"message":{"content":"a"}}]})").finish_reason.empty());
  CHECK(reply_of(R"({"choices":[{"message":{"content":"a"},"finish_reason":7}]})").finish_reason.empty());
  CHECK(reply_of(R"({"choices":[{"message":{"content":"a"}},{"message":{"content":"b"}}]})").text == "a");
  CHECK(reply_of("\xef\xbb\xbf{\"choices\":[{\"message\":{\"content\":\"a\"}}]}").text == "a");
  CHECK(reply_of("\r\n {\"choices\":[{\"message\":{\"content\":\"a\"}}]} \n").text == "a");
  CHECK(reply_of("{\"choices\":[{\"message\":{\"content\":\"a\xff z\"}}]}").text == "a\xef\xbf\xbd z");
  CHECK(reply_of(R"({"error":null,"choices":[{"message":{"content":"a"}}]})").text == "a");
  CHECK(reply_of(R"({"choices":[{"message":{"content":"old"}}],"choices":[{"message":{"content":"new"}}]})").text ==
        "new");
}

TEST_CASE("usage that is missing or wrong counts as none") {
  const auto usage_in = [](std::string_view usage) {
    return reply_of(R"({"choices":[{"message":{"content":"a"}}],"usage":)" + std::string(usage) + "}").usage;
  };
  CHECK(usage_in("null") == TokenUsage{});
  CHECK(usage_in("[]") == TokenUsage{});
  CHECK(usage_in(R"({"prompt_tokens":-5,"completion_tokens":"7"})") == TokenUsage{});
  CHECK(usage_in(R"({"prompt_tokens":1e300,"completion_tokens":12.0})") == TokenUsage{0, 12});
  CHECK(usage_in(R"({"prompt_tokens":4,"completion_tokens":null})") == TokenUsage{4, 0});
}

TEST_CASE("a body that is no reply is an error, never a crash") {
  for (const std::string_view body : {"",
                                      " \n",
                                      "null",
                                      "7",
                                      "\"text\"",
                                      "[]",
                                      "{",
                                      "{}",
                                      "<html>502 Bad Gateway</html>",
                                      "\x1f\x8b\x08 gzip",
                                      R"({"choices":[]})",
                                      R"({"choices":{}})",
                                      R"({"choices":[null]})",
                                      R"({"choices":[{}]})",
                                      R"({"choices":[{"message":"text"}]})",
                                      R"({"choices":[{"message":{"content":"cut)",
                                      R"({"choices":[{"message":{"content":"\ud83d"}}]})",
                                      R"({"choices":[{"message":{"content":"a"}}]} tail)",
                                      R"({"choices":[[[]]]})",
                                      "{\"choices\":1e99999}"}) {
    CHECK(failure_of(body).code == Error::Code::corruption);
  }
}

TEST_CASE("deep nesting and millions of values are refused before they cost memory") {
  CHECK(failure_of(repeated("[", 1'000'000)).code == Error::Code::corruption);
  CHECK(failure_of(repeated(R"({"a":)", 1'000'000)).code == Error::Code::corruption);
  CHECK(failure_of(R"({"choices":[)" + repeated("0,", 1'000'000) + "0]}").code == Error::Code::corruption);
  // Refused for their size alone: a parser would take them.
  const std::string good = R"({"choices":[{"message":{"content":"a"}}],"extra":)";
  CHECK(failure_of(good + repeated("[", 1'000) + repeated("]", 1'000) + "}").code == Error::Code::corruption);
  CHECK(failure_of(good + "[" + repeated("[],", 300'000) + "[]]}").code == Error::Code::corruption);
  CHECK(reply_of(good + repeated("[", 50) + repeated("]", 50) + "}").text == "a");
  // Brackets in a text are only text.
  const std::string brackets = repeated("[", 300'000);
  CHECK(reply_of(message_json("{\"content\":\"" + brackets + "\"}")).text == brackets);
}

TEST_CASE("a stream gives the same as a plain reply") {
  const ChatReply reply = reply_of(
      ": keep-alive\n\n"
      "data: "
      "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"
      "event: message\nid: 3\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}],\"usage\":null}\n\n"
      "data:{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"another choice\"}}]}\r\n\r\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\n"
      "data: \"delta\":{\"content\":\"lo\"}}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":2}}\n\n"
      "data: [DONE]\n\n");
  CHECK(reply.text == "Hello");
  CHECK(reply.finish_reason == "length");
  CHECK(reply.usage == TokenUsage{9, 2});
}

TEST_CASE("a stream may end without [DONE] if it said why it ended, or without that if it says [DONE]") {
  CHECK(reply_of("data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}").text == "a");
  CHECK(reply_of("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]").text == "a");
  CHECK(reply_of("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\ndata: rubbish\n\n").text ==
        "a");
  CHECK(reply_of("data: [DONE]\n\n").text.empty());
}

TEST_CASE("a stream that was cut off may be asked for again, one that is rubbish may not") {
  CHECK(failure_of("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n").code == Error::Code::unavailable);
  CHECK(failure_of("data: {\"choices\":[{\"delta\":{\"con").code == Error::Code::unavailable);
  CHECK(failure_of(": only a comment\n\n").code == Error::Code::unavailable);
  CHECK(failure_of("data: rubbish\n\ndata: [DONE]\n\n").code == Error::Code::corruption);
}

TEST_CASE("an error in a body whose status was good is an error") {
  CHECK(reported(R"({"error":{"message":"slow down","code":429}})").status == 429);
  CHECK(reported(R"({"error":{"message":"slow down","code":"503"}})").status == 503);
  CHECK(reported(R"({"error":{"message":"slow down","code":"rate_limit"}})").status == 0);
  CHECK(reported(R"({"error":{"message":"slow down","code":99999999999}})").status == 0);
  CHECK(reported(R"({"error":"slow down"})").message == "slow down");
  CHECK(
      reported("data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"error\":{\"message\":\"gone\"}}\n\n")
          .message == "gone");
}

TEST_CASE("an error's message is found wherever a server puts it") {
  CHECK(error_message(R"({"error":{"message":"m"}})") == "m");
  CHECK(error_message(R"({"error":"m"})") == "m");
  CHECK(error_message(R"({"message":"m"})") == "m");
  CHECK(error_message(R"({"detail":"m"})") == "m");
  CHECK(error_message(R"({"detail":[{"loc":["body"],"msg":"field required"}]})").find("field required") !=
        std::string::npos);
  CHECK(error_message(R"({"error":{"code":7}})") == R"({"code":7})");
  CHECK(error_message("<h1>Bad Gateway</h1>") == "<h1>Bad Gateway</h1>");
  CHECK(error_message("").empty());
  CHECK(error_message(repeated("x", 1'000'000)).size() <= 65'536);
}
