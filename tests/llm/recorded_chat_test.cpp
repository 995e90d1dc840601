/// Recording and replaying replies.

#include "llm/recorded_chat.hpp"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/files.hpp"

using namespace aiopt;

namespace {

/// Answers at once with whatever `answer` says.
class InstantChat : public ChatClient {
 public:
  explicit InstantChat(std::function<Result<ChatReply>(const ChatRequest&)> answer) : answer_(std::move(answer)) {}
  void send(ChatRequest request, Done done) override { done(answer_(request)); }

 private:
  std::function<Result<ChatReply>(const ChatRequest&)> answer_;
};

ChatRequest question(std::uint64_t number) {
  ChatRequest request;
  request.number = number;
  request.model = "any";
  request.messages = {{"user", "question " + std::to_string(number)}};
  return request;
}

Result<ChatReply> ask(ChatClient& chat, std::uint64_t number) {
  std::optional<Result<ChatReply>> outcome;
  chat.send(question(number), [&](Result<ChatReply> result) { outcome.emplace(std::move(result)); });
  REQUIRE(outcome.has_value());
  return *std::move(outcome);
}

ChatReply good_reply(std::string text) {
  ChatReply reply;
  reply.text = std::move(text);
  reply.finish_reason = "stop";
  reply.usage = {11, 7};
  reply.latency = std::chrono::milliseconds(123);
  return reply;
}

/// Records what `answer` says to questions 1 to `count`.
void record(const std::filesystem::path& file, std::uint64_t count,
            std::function<Result<ChatReply>(const ChatRequest&)> answer) {
  auto chat = make_recording_chat(std::make_unique<InstantChat>(std::move(answer)), file);
  REQUIRE(chat.has_value());
  for (std::uint64_t number = 1; number <= count; ++number) static_cast<void>(ask(**chat, number));
}

std::unique_ptr<ChatClient> replay(const std::filesystem::path& file) {
  auto chat = make_replaying_chat(file);
  if (!chat) FAIL(chat.error().message);
  return *std::move(chat);
}

void append_to(const std::filesystem::path& file, std::string_view text) {
  const std::string before = read_file(file).has_value() ? *read_file(file) : "";
  REQUIRE(write_file_atomic(file, before + std::string(text)));
}

Result<ChatReply> echo(const ChatRequest& request) {
  return good_reply("to " + request.messages.front().content);
}

}  // namespace

TEST_CASE("a recording plays back what was said, errors too") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "replies.jsonl";
  record(file, 3, [](const ChatRequest& request) -> Result<ChatReply> {
    if (request.number == 2) return Error{Error::Code::timed_out, "endpoint http://h/v1 was too slow"};
    return good_reply("text \"" + std::to_string(request.number) + "\"\n\xc3\xa4");
  });
  const auto chat = replay(file);
  const Result<ChatReply> first = ask(*chat, 1);
  REQUIRE(first.has_value());
  CHECK(first->text == "text \"1\"\n\xc3\xa4");
  CHECK(first->finish_reason == "stop");
  CHECK(first->usage == TokenUsage{11, 7});
  CHECK(first->latency == std::chrono::milliseconds(123));
  const Result<ChatReply> second = ask(*chat, 2);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Error::Code::timed_out);
  CHECK(second.error().message == "endpoint http://h/v1 was too slow");
  CHECK(ask(*chat, 3).has_value());
}

TEST_CASE("a line of a recording names the request by number and digest") {
  const TemporaryFolder folder;
  record(folder.path() / "r", 1, echo);
  const Result<std::string> text = read_file(folder.path() / "r");
  REQUIRE(text.has_value());
  CHECK(text->starts_with(R"({"number":1,"request_sha256":")"));
  CHECK(text->ends_with("}\n"));
}

TEST_CASE("a number that was not recorded is not found") {
  const TemporaryFolder folder;
  record(folder.path() / "r", 1, echo);
  const Result<ChatReply> reply = ask(*replay(folder.path() / "r"), 9);
  REQUIRE_FALSE(reply.has_value());
  CHECK(reply.error().code == Error::Code::not_found);
}

TEST_CASE("of a number that was recorded twice the last counts") {
  const TemporaryFolder folder;
  record(folder.path() / "r", 2, echo);
  record(folder.path() / "r", 1, [](const ChatRequest&) { return good_reply("again"); });
  CHECK(ask(*replay(folder.path() / "r"), 1)->text == "again");
  CHECK(ask(*replay(folder.path() / "r"), 2)->text == "to question 2");
}

TEST_CASE("what a kill tore off is not played back, and is cut before more is recorded") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "r";
  record(file, 2, echo);
  append_to(file, R"({"number":3,"request_sha256":"00","text":"tor)");
  CHECK(ask(*replay(file), 2).has_value());
  CHECK(ask(*replay(file), 3).error().code == Error::Code::not_found);
  record(file, 1, [](const ChatRequest&) { return good_reply("after"); });
  CHECK(ask(*replay(file), 1)->text == "after");
  CHECK(ask(*replay(file), 3).error().code == Error::Code::not_found);
}

TEST_CASE("a cancelled request is not recorded") {
  const TemporaryFolder folder;
  record(folder.path() / "r", 1, [](const ChatRequest&) { return Error{Error::Code::cancelled, "cancelled"}; });
  CHECK(read_file(folder.path() / "r")->empty());
}

TEST_CASE("a file that is no recording is neither played back nor written to") {
  const TemporaryFolder folder;
  for (const std::string_view text : {"int main() {}\n", "no newline", "{\"number\":1}\n", "[]\n", "{}\n", "\n",
                                      R"({"number":-1,"text":"x"})"
                                      "\n",
                                      R"({"number":1,"error":{"code":"odd","message":"x"}})"
                                      "\n"}) {
    CAPTURE(text);
    const auto file = folder.path() / "program.cc";
    REQUIRE(write_file_atomic(file, text));
    const auto recording = make_recording_chat(std::make_unique<InstantChat>(echo), file);
    REQUIRE_FALSE(recording.has_value());
    CHECK(recording.error().code == Error::Code::corruption);
    CHECK(recording.error().message.find("program.cc:1") != std::string::npos);
    CHECK(*read_file(file) == text);
  }
}

TEST_CASE("a recording that can't be opened says so") {
  const TemporaryFolder folder;
  CHECK(make_replaying_chat(folder.path() / "missing").error().code == Error::Code::not_found);
  CHECK_FALSE(make_replaying_chat(folder.path()).has_value());
  CHECK_FALSE(make_recording_chat(std::make_unique<InstantChat>(echo), folder.path() / "no" / "folder").has_value());
}

TEST_CASE("two runs do not record into one file") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "r";
  const auto first = make_recording_chat(std::make_unique<InstantChat>(echo), file);
  const auto second = make_recording_chat(std::make_unique<InstantChat>(echo), file);
  REQUIRE(first.has_value());
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().code == Error::Code::unavailable);
}
