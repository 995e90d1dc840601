/// The client against an endpoint that misbehaves.

#include "llm/openai_chat.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "base/files.hpp"
#include "llm/recorded_chat.hpp"
#include "llm/retry_policy.hpp"
#include "support/chat_endpoint.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

namespace {

constexpr const char* kSecret = "sk-secret-0123456789";

/// Retries come at once, but for what the server asks.
RetryPolicy hasty(int retries = 3) {
  return {.retries = retries, .first_delay = 4ms};
}

LlmTask task_for(const ChatEndpoint& endpoint) {
  LlmTask task;
  task.api_base = endpoint.api_base();
  task.timeout = 20s;
  task.first_byte_timeout = 10s;
  return task;
}

std::unique_ptr<ChatClient> chat_with(const LlmTask& task, const RetryPolicy& policy = hasty()) {
  auto chat = make_openai_chat(task, ApiKey(kSecret), policy);
  if (!chat) FAIL(chat.error().message);
  return *std::move(chat);
}

ChatRequest question(std::uint64_t number = 1) {
  ChatRequest request;
  request.number = number;
  request.model = "any";
  request.messages = {{"user", "Make it faster."}};
  return request;
}

std::future<Result<ChatReply>> ask_later(ChatClient& chat, std::uint64_t number = 1) {
  auto promise = std::make_shared<std::promise<Result<ChatReply>>>();
  chat.send(question(number), [promise](Result<ChatReply> result) { promise->set_value(std::move(result)); });
  return promise->get_future();
}

Result<ChatReply> ask(ChatClient& chat) {
  return ask_later(chat).get();
}

/// The error of the only question to an endpoint that always answers so.
Error error_from(const EndpointReply& reply, std::uint64_t expected_requests = 1) {
  ChatEndpoint endpoint([&](const EndpointRequest&) { return reply; });
  const Result<ChatReply> result = ask(*chat_with(task_for(endpoint)));
  CHECK(endpoint.request_count() == expected_requests);
  REQUIRE_FALSE(result.has_value());
  INFO(result.error().message);
  CHECK(result.error().message.find('\n') == std::string::npos);
  CHECK(result.error().message.find(kSecret) == std::string::npos);
  return result.error();
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

EndpointReply raw(std::string text, bool endless = false) {
  EndpointReply reply;
  reply.raw = std::move(text);
  reply.endless = endless;
  return reply;
}

}  // namespace

TEST_CASE("a question is posted and its answer given back") {
  ChatEndpoint endpoint([](const EndpointRequest&) { return chat_reply("an answer"); });
  const Result<ChatReply> reply = ask(*chat_with(task_for(endpoint)));
  REQUIRE(reply.has_value());
  CHECK(reply->text == "an answer");
  CHECK(reply->finish_reason == "stop");
  CHECK(reply->usage == TokenUsage{100, 10});
  const EndpointRequest request = endpoint.requests().at(0);
  CHECK(request.line == "POST /v1/chat/completions HTTP/1.1");
  CHECK(request.headers.at("content-type") == "application/json");
  CHECK(request.headers.at("authorization") == std::string("Bearer ") + kSecret);
  CHECK(request.headers.count("accept-encoding") == 0);
  CHECK(request.headers.count("expect") == 0);
  CHECK(contains(request.body, "Make it faster."));
}

TEST_CASE("without a key there is no Authorization header") {
  ChatEndpoint endpoint([](const EndpointRequest&) { return chat_reply("x"); });
  auto chat = make_openai_chat(task_for(endpoint), ApiKey());
  REQUIRE(chat.has_value());
  CHECK(ask(**chat).has_value());
  CHECK(endpoint.requests().at(0).headers.count("authorization") == 0);
}

TEST_CASE("an api_base may end in slashes, name the method, or have a query") {
  ChatEndpoint endpoint([](const EndpointRequest&) { return chat_reply("x"); });
  for (const auto& [end, target] : {std::pair{"", "/v1/chat/completions"},
                                    {"/", "/v1/chat/completions"},
                                    {"//", "/v1/chat/completions"},
                                    {"/chat/completions", "/v1/chat/completions"},
                                    {"?api-version=1", "/v1/chat/completions?api-version=1"}}) {
    LlmTask task = task_for(endpoint);
    task.api_base += end;
    CHECK(ask(*chat_with(task)).has_value());
    CHECK(endpoint.requests().back().line == std::string("POST ") + target + " HTTP/1.1");
  }
}

TEST_CASE("an api_base that is no http URL is refused, and its password not repeated") {
  for (const std::string base : {"", "localhost:8080/v1", "ftp://user:hunter2@host/v1", "file:///etc/passwd", "http://",
                                 "http://user:hunter2@ho st/v1", "http://host:99999999/v1", "gopher://h", "\n"}) {
    CAPTURE(base);
    LlmTask task;
    task.api_base = base;
    const auto chat = make_openai_chat(task, ApiKey(kSecret));
    REQUIRE_FALSE(chat.has_value());
    CHECK(chat.error().code == Error::Code::invalid_argument);
    CHECK_FALSE(contains(chat.error().message, "hunter2"));
  }
}

TEST_CASE("a key with control characters is refused, as it could forge headers") {
  for (const char* key : {"sk-one\nsk-two", "sk\r\nHost: evil", "sk\t1", "sk\x7f"}) {
    LlmTask task;
    task.api_base = "http://127.0.0.1:1/v1";
    const auto chat = make_openai_chat(task, ApiKey(key));
    REQUIRE_FALSE(chat.has_value());
    CHECK(chat.error().code == Error::Code::invalid_argument);
    CHECK(contains(chat.error().message, "OPENAI_API_KEY"));
    CHECK_FALSE(contains(chat.error().message, "sk"));
  }
}

TEST_CASE("one connection serves one question after the other") {
  ChatEndpoint endpoint([](const EndpointRequest&) { return chat_reply("x"); });
  const auto chat = chat_with(task_for(endpoint));
  for (int i = 0; i < 50; ++i) REQUIRE(ask(*chat).has_value());
  CHECK(endpoint.request_count() == 50);
  CHECK(endpoint.connection_count() == 1);
}

TEST_CASE("questions are in flight side by side, and each gets its own answer") {
  ChatEndpoint endpoint([](const EndpointRequest& request) {
    EndpointReply reply = chat_reply(request.body);
    reply.delay_before = 200ms;
    return reply;
  });
  const auto chat = chat_with(task_for(endpoint));
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::future<Result<ChatReply>>> answers;
  for (int i = 0; i < 32; ++i) {
    ChatRequest request = question();
    request.messages[0].content = "question <" + std::to_string(i) + ">";
    auto promise = std::make_shared<std::promise<Result<ChatReply>>>();
    answers.push_back(promise->get_future());
    chat->send(std::move(request), [promise](Result<ChatReply> result) { promise->set_value(std::move(result)); });
  }
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Result<ChatReply> reply = answers[i].get();
    REQUIRE(reply.has_value());
    CHECK(contains(reply->text, "question <" + std::to_string(i) + ">"));
  }
  CHECK(std::chrono::steady_clock::now() - start < 3s);  // One after the other: 6.4 s.
  CHECK(endpoint.connection_count() <= 32);
}

TEST_CASE("a streamed reply is put together") {
  ChatEndpoint endpoint(
      [](const EndpointRequest&) { return streamed_chat_reply("a reply that comes in many pieces"); });
  LlmTask task = task_for(endpoint);
  task.stream = true;
  const auto chat = chat_with(task);
  for (int i = 0; i < 3; ++i) {
    const Result<ChatReply> reply = ask(*chat);
    REQUIRE(reply.has_value());
    CHECK(reply->text == "a reply that comes in many pieces");
    CHECK(reply->usage == TokenUsage{100, 10});
  }
  CHECK(contains(endpoint.requests().at(0).body, R"("stream":true)"));
  CHECK(endpoint.connection_count() == 1);
}

TEST_CASE("a server that does not stream when asked to is understood too") {
  ChatEndpoint endpoint([](const EndpointRequest&) { return chat_reply("plain"); });
  LlmTask task = task_for(endpoint);
  task.stream = true;
  CHECK(ask(*chat_with(task))->text == "plain");
}

TEST_CASE("a 429 is asked again, no sooner than Retry-After says") {
  ChatEndpoint endpoint([](const EndpointRequest& request) {
    if (request.number > 1) return chat_reply("at last");
    EndpointReply reply = error_reply(429, "slow down");
    reply.headers.push_back("Retry-After: 1");
    return reply;
  });
  const Result<ChatReply> reply = ask(*chat_with(task_for(endpoint)));
  REQUIRE(reply.has_value());
  CHECK(reply->text == "at last");
  CHECK(reply->latency >= 1s);
  CHECK(reply->latency < 3s);
}

TEST_CASE("Retry-After as a date counts from the server's own clock") {
  ChatEndpoint endpoint([](const EndpointRequest& request) {
    if (request.number > 1) return chat_reply("at last");
    EndpointReply reply = error_reply(503, "restarting");
    reply.headers = {"Date: Sun, 06 Nov 1994 08:49:37 GMT", "RETRY-AFTER: Sun, 06 Nov 1994 08:49:38 GMT"};
    return reply;
  });
  const Result<ChatReply> reply = ask(*chat_with(task_for(endpoint)));
  REQUIRE(reply.has_value());
  CHECK(reply->latency >= 1s);
  CHECK(reply->latency < 3s);
}

TEST_CASE("an embargoed question holds no other up") {
  ChatEndpoint endpoint([](const EndpointRequest& request) {
    if (request.number > 1) return chat_reply("at once");
    EndpointReply reply = error_reply(429, "slow down");
    reply.headers.push_back("Retry-After: 2");
    return reply;
  });
  const auto chat = chat_with(task_for(endpoint));
  auto held_up = ask_later(*chat);
  while (endpoint.request_count() == 0) std::this_thread::sleep_for(1ms);
  CHECK(ask(*chat)->latency < 1s);
  CHECK(held_up.get()->latency >= 2s);
}

TEST_CASE("a server that asks for more patience than there is, is not asked again") {
  EndpointReply reply = error_reply(429, "daily quota");
  reply.headers.push_back("Retry-After: 86400");
  const Error error = error_from(reply);
  CHECK(contains(error.message, "86400 s"));
  CHECK(error.code == Error::Code::unavailable);
}

TEST_CASE("500s and then a good reply are a good reply") {
  ChatEndpoint endpoint([](const EndpointRequest& request) {
    return request.number <= 3 ? error_reply(500, "oops") : chat_reply("good");
  });
  CHECK(ask(*chat_with(task_for(endpoint)))->text == "good");
  CHECK(endpoint.request_count() == 4);
}

TEST_CASE("an error says who, what, how often, in whose words, and what to do") {
  EndpointReply reply = error_reply(429, "Rate limit\nreached for \x1b[31many\x1b[0m");
  const Error error = error_from(reply, 4);
  CHECK(error.code == Error::Code::unavailable);
  CHECK(contains(error.message, "endpoint http://127.0.0.1:"));
  CHECK(contains(error.message, "/v1 said 429 Too Many Requests 4 times: Rate limit reached for [31many [0m; "));
}

TEST_CASE("a mistake is not asked again") {
  for (const int status : {400, 401, 402, 403, 404, 413, 422}) {
    CAPTURE(status);
    const Error error = error_from(error_reply(status, "no"));
    CHECK(error.code == Error::Code::invalid_argument);
    CHECK(contains(error.message, "said " + std::to_string(status)));
    CHECK_FALSE(contains(error.message, "times"));
  }
  CHECK(contains(error_from(error_reply(401, "no")).message, "check the key in OPENAI_API_KEY"));
}

TEST_CASE("what failed before does not hide how it failed at last") {
  ChatEndpoint endpoint([](const EndpointRequest& request) {
    return request.number == 1 ? error_reply(500, "oops") : error_reply(401, "no");
  });
  const Error error = ask(*chat_with(task_for(endpoint))).error();
  CHECK(contains(error.message, "said 401 Unauthorized at the last of 2 attempts"));
}

TEST_CASE("a connection that is cut midway is asked again") {
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{10}, std::size_t{150}}) {
    CAPTURE(bytes);
    ChatEndpoint endpoint([&](const EndpointRequest& request) {
      EndpointReply reply = chat_reply("whole");
      if (request.number <= 2) reply.cut_after_bytes = bytes;
      return reply;
    });
    const Result<ChatReply> reply = ask(*chat_with(task_for(endpoint)));
    if (!reply) FAIL(reply.error().message);
    CHECK(reply->text == "whole");
    CHECK(endpoint.request_count() == 3);
  }
}

TEST_CASE("a stream that is cut midway is asked again, however the reply was framed") {
  ChatEndpoint endpoint([](const EndpointRequest& request) {
    if (request.number == 1) {
      return raw("HTTP/1.1 200 OK\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\n");
    }
    if (request.number == 2) {
      return raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:\r\n");
    }
    return streamed_chat_reply("whole");
  });
  CHECK(ask(*chat_with(task_for(endpoint)))->text == "whole");
  CHECK(endpoint.request_count() == 3);
}

TEST_CASE("where nobody listens the error says how to find out why") {
  LlmTask task;
  {
    const ChatEndpoint gone([](const EndpointRequest&) { return chat_reply("x"); });
    task = task_for(gone);
  }
  const Error error = ask(*chat_with(task, hasty(1))).error();
  CHECK(error.code == Error::Code::unavailable);
  CHECK(contains(error.message, "2 times"));
  CHECK_FALSE(contains(error.message, " ms"));
  CHECK(contains(error.message, "is it running"));
}

TEST_CASE("a connection that does not come about in time is tried again") {
  // A queue of one that nobody takes from: once it is full, the kernel leaves further callers waiting.
  const int full = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(bind(full, generic, size) == 0);
  REQUIRE(listen(full, 0) == 0);
  REQUIRE(getsockname(full, generic, &size) == 0);
  std::vector<int> callers;
  for (int i = 0; i < 4; ++i) {
    callers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    static_cast<void>(connect(callers.back(), generic, size));
  }
  LlmTask task;
  task.api_base = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/v1";
  task.connect_timeout = 100ms;
  const Error error = ask(*chat_with(task, hasty(2))).error();
  CHECK(error.code == Error::Code::unavailable);
  CHECK(contains(error.message, "could not be connected to within 100 ms 3 times"));
  for (const int caller : callers) close(caller);
  close(full);
}

TEST_CASE("a first byte that does not come in time ends the question") {
  ChatEndpoint endpoint([](const EndpointRequest&) {
    EndpointReply reply = chat_reply("too late");
    reply.delay_before = 30s;
    return reply;
  });
  LlmTask task = task_for(endpoint);
  task.first_byte_timeout = 200ms;
  const auto start = std::chrono::steady_clock::now();
  const Error error = ask(*chat_with(task)).error();
  CHECK(std::chrono::steady_clock::now() - start < 3s);
  CHECK(error.code == Error::Code::timed_out);
  CHECK(contains(error.message, "no first byte within 200 ms"));
  CHECK(endpoint.request_count() == 1);
}

TEST_CASE("headers alone are no first byte") {
  ChatEndpoint endpoint([](const EndpointRequest&) {
    EndpointReply reply = chat_reply("too late");
    reply.chunk_bytes = 10;
    reply.delay_between = 30s;
    return reply;
  });
  LlmTask task = task_for(endpoint);
  task.first_byte_timeout = 200ms;
  CHECK(ask(*chat_with(task)).error().code == Error::Code::timed_out);
}

TEST_CASE("a reply that trickles for too long ends the question, which is not asked again") {
  ChatEndpoint endpoint([](const EndpointRequest&) {
    EndpointReply reply = chat_reply("one byte every tenth of a second, and there are many of them");
    reply.chunk_bytes = 1;
    reply.delay_between = 100ms;
    return reply;
  });
  LlmTask task = task_for(endpoint);
  // Several, as curl's clock and ours do not round alike.
  for (const auto timeout : {150ms, 200ms, 250ms, 300ms, 350ms, 400ms, 450ms, 500ms}) {
    task.timeout = timeout;
    const auto start = std::chrono::steady_clock::now();
    const Error error = ask(*chat_with(task)).error();
    CHECK(std::chrono::steady_clock::now() - start < timeout + 1s);
    CHECK(error.code == Error::Code::timed_out);
    CHECK(contains(error.message, "did not end its reply within"));
    CHECK_FALSE(contains(error.message, "attempts"));
  }
  CHECK(endpoint.request_count() == 8);
}

TEST_CASE("a redirect is not followed: the key is for one host") {
  ChatEndpoint elsewhere([](const EndpointRequest&) { return chat_reply("stolen"); });
  for (const int status : {301, 302, 303, 307, 308}) {
    EndpointReply reply;
    reply.status = status;
    reply.headers = {"Location: http://user:hunter2@127.0.0.1:" + std::to_string(elsewhere.port()) + "/v1?q=hunter2"};
    const Error error = error_from(reply);
    CHECK(error.code == Error::Code::invalid_argument);
    CHECK(contains(error.message, "redirects are not followed; if http://127.0.0.1:"));
    CHECK_FALSE(contains(error.message, "hunter2"));
  }
  CHECK(elsewhere.request_count() == 0);
}

TEST_CASE("a redirect to nowhere offers no address") {
  for (const char* location :
       {"Location: http://[", "Location: ftp://127.0.0.1/v1", "Location:", "X-Location: http://127.0.0.1/v1"}) {
    CAPTURE(location);
    EndpointReply reply;
    reply.status = 302;
    reply.headers = {location};
    const Error error = error_from(reply);
    CHECK(error.code == Error::Code::invalid_argument);
    CHECK(contains(error.message, "redirects are not followed"));
    CHECK_FALSE(contains(error.message, "; if "));
  }
}

TEST_CASE("proxies of the environment are not asked for what is on this machine") {
  ChatEndpoint proxy([](const EndpointRequest&) { return chat_reply("from the proxy"); });
  ChatEndpoint endpoint([](const EndpointRequest&) { return chat_reply("direct"); });
  setenv("http_proxy", ("http://127.0.0.1:" + std::to_string(proxy.port())).c_str(), 1);
  setenv("all_proxy", ("http://127.0.0.1:" + std::to_string(proxy.port())).c_str(), 1);
  CHECK(ask(*chat_with(task_for(endpoint)))->text == "direct");
  LlmTask task = task_for(endpoint);
  task.api_base = "http://model.invalid/v1";
  CHECK(ask(*chat_with(task))->text == "from the proxy");
  unsetenv("http_proxy");
  unsetenv("all_proxy");
}

TEST_CASE("user and password of the api_base are in no error") {
  ChatEndpoint endpoint([](const EndpointRequest&) { return error_reply(401, "no"); });
  LlmTask task;
  task.api_base = "http://user:hunter2@127.0.0.1:" + std::to_string(endpoint.port()) + "/v1?token=hunter2";
  const Error error = ask(*chat_with(task)).error();
  CHECK(contains(error.message, "/v1 said 401"));
  CHECK_FALSE(contains(error.message, "hunter2"));
  CHECK_FALSE(contains(error.message, "user"));
}

TEST_CASE("a key that the server echoes gets into no error, no reply and no recording") {
  const std::string key = kSecret;
  const std::string long_echo = std::string(140, 'x') + " key " + key + std::string(1'000, 'y') + key;
  for (const std::string& echo : {key, "you sent " + key + key, long_echo}) {
    for (const int status : {400, 401, 500}) {
      const Error error = error_from(error_reply(status, echo), status == 500 ? 4 : 1);
      CHECK_FALSE(contains(error.message, "secret"));
      EndpointReply plain;
      plain.status = status;
      plain.body = echo;
      CHECK_FALSE(contains(error_from(plain, status == 500 ? 4 : 1).message, "secret"));
    }
  }
  EndpointReply redirect;
  redirect.status = 302;
  redirect.headers = {"Location: http://host/" + key};
  CHECK_FALSE(contains(error_from(redirect).message, "secret"));
  CHECK_FALSE(contains(error_from(raw("HTTP/1.1 " + key + "\r\n\r\n"), 1).message, "secret"));

  const TemporaryFolder folder;
  ChatEndpoint endpoint([&](const EndpointRequest& request) {
    if (request.number == 1) return chat_reply("the key is " + key, key);
    if (request.number == 2) return streamed_chat_reply("streamed: " + key, key);
    return error_reply(403, key);
  });
  {
    auto chat = make_recording_chat(chat_with(task_for(endpoint)), folder.path() / "r");
    REQUIRE(chat.has_value());
    CHECK(ask(**chat)->text == "the key is [key]");
    CHECK(ask(**chat)->text == "streamed: [key]");
    CHECK_FALSE(ask(**chat).has_value());
  }
  const Result<std::string> recording = read_file(folder.path() / "r");
  REQUIRE(recording.has_value());
  CHECK(std::count(recording->begin(), recording->end(), '\n') == 3);
  CHECK_FALSE(contains(*recording, "secret"));
}

TEST_CASE("a word that a local server takes for a key stays in replies") {
  ChatEndpoint endpoint([](const EndpointRequest&) { return chat_reply("if (state == EMPTY) return;"); });
  auto chat = make_openai_chat(task_for(endpoint), ApiKey("EMPTY"));
  REQUIRE(chat.has_value());
  CHECK(ask(**chat)->text == "if (state == EMPTY) return;");
}

TEST_CASE("a reply without end is broken off") {
  const Error error = error_from(raw("HTTP/1.1 200 OK\r\n\r\n" + std::string(17u << 20, 'x')));
  CHECK(error.code == Error::Code::corruption);
  CHECK(contains(error.message, "larger than any"));
}

TEST_CASE("headers without end are broken off") {
  std::string some = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 20'000; ++i) some += "X-Header: of which there are too many\r\n";
  const Error error = error_from(raw(some));
  CHECK(error.code == Error::Code::corruption);
  CHECK(contains(error.message, "more headers"));
  std::string continues;
  for (int i = 0; i < 20'000; ++i) continues += "HTTP/1.1 100 Continue\r\n\r\n";
  CHECK(error_from(raw(continues)).code == Error::Code::corruption);
}

TEST_CASE("what is not HTTP, or no reply, is an error that is not asked again") {
  CHECK(error_from(raw("SSH-2.0-OpenSSH_9.2\r\n\r\n")).code == Error::Code::corruption);
  EndpointReply page;
  page.body = "<html>Welcome to the hotel's wireless network</html>";
  CHECK(error_from(page).code == Error::Code::corruption);
  EndpointReply gzip = chat_reply("x");
  gzip.headers.push_back("Content-Encoding: gzip");
  gzip.body = "\x1f\x8b\x08 whatever";
  CHECK(error_from(gzip).code == Error::Code::corruption);
  EndpointReply nested;
  nested.body = std::string(1'000'000, '[');
  CHECK(error_from(nested).code == Error::Code::corruption);
}

TEST_CASE("a compressed body is not unpacked, so none can blow up") {
  EndpointReply bomb = chat_reply("x");
  bomb.headers.push_back("Content-Encoding: deflate");
  bomb.body = "x\x9c never looked at";
  CHECK(error_from(bomb).code == Error::Code::corruption);
}

TEST_CASE("when the client goes, each question in flight, waiting or embargoed hears that it is cancelled") {
  ChatEndpoint endpoint([](const EndpointRequest& request) {
    EndpointReply reply = chat_reply("too late");
    reply.delay_before = 30s;
    if (request.number % 2 == 0) {
      reply = error_reply(429, "later");
      reply.headers.push_back("Retry-After: 30");
    }
    return reply;
  });
  auto chat = chat_with(task_for(endpoint));
  std::vector<std::future<Result<ChatReply>>> answers;
  for (int i = 0; i < 20; ++i) answers.push_back(ask_later(*chat));
  while (endpoint.request_count() < 20) std::this_thread::sleep_for(1ms);
  for (int i = 0; i < 20; ++i) answers.push_back(ask_later(*chat));
  const auto start = std::chrono::steady_clock::now();
  chat.reset();
  CHECK(std::chrono::steady_clock::now() - start < 2s);
  for (auto& answer : answers) {
    REQUIRE(answer.wait_for(0s) == std::future_status::ready);
    const Result<ChatReply> reply = answer.get();
    REQUIRE_FALSE(reply.has_value());
    CHECK(reply.error().code == Error::Code::cancelled);
  }
}

TEST_CASE("questions may be asked from many threads, and from an answer") {
  ChatEndpoint endpoint([](const EndpointRequest& request) {
    return request.number % 7 == 0 ? error_reply(503, "busy") : chat_reply("x");
  });
  // The last of 400 questions asked at once waits for the 399 before it.
  LlmTask task = task_for(endpoint);
  task.first_byte_timeout = task.timeout = 120s;
  int ended = 0;  // The client's thread's, as the next.
  std::vector<std::string> errors;
  std::promise<void> all;
  const auto take = [&](const Result<ChatReply>& reply) {
    if (!reply) errors.push_back(reply.error().message);
    if (++ended == 800) all.set_value();
  };
  const auto chat = chat_with(task, hasty(20));  // Ends before what its answers go to.
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        chat->send(question(), [&](const Result<ChatReply>& reply) {
          take(reply);
          chat->send(question(), take);
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(all.get_future().wait_for(180s) == std::future_status::ready);
  CHECK_MESSAGE(errors.empty(), (errors.empty() ? "" : errors.front()));
}
