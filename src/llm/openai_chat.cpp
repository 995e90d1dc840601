/// Asks, asks again where that may help, and says in one line why it did not.

#include "llm/openai_chat.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "llm/http.hpp"
#include "llm/openai_wire.hpp"
#include "llm/retry_policy.hpp"

namespace aiopt {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMessageLimitBytes = 300;
constexpr std::size_t kFinishReasonLimitBytes = 64;

/// Shorter "keys" ("none", "EMPTY") are what local servers are given: no secret, and a word that replies may hold.
constexpr std::size_t kShortestSecret = 8;

/// The reason phrases of RFC 9110 and RFC 6585 that an endpoint may need.
std::string_view reason_phrase(int status) {
  switch (status) {
    case 301:
      return " Moved Permanently";
    case 302:
      return " Found";
    case 303:
      return " See Other";
    case 307:
      return " Temporary Redirect";
    case 308:
      return " Permanent Redirect";
    case 400:
      return " Bad Request";
    case 401:
      return " Unauthorized";
    case 402:
      return " Payment Required";
    case 403:
      return " Forbidden";
    case 404:
      return " Not Found";
    case 405:
      return " Method Not Allowed";
    case 408:
      return " Request Timeout";
    case 409:
      return " Conflict";
    case 413:
      return " Content Too Large";
    case 422:
      return " Unprocessable Content";
    case 429:
      return " Too Many Requests";
    case 500:
      return " Internal Server Error";
    case 501:
      return " Not Implemented";
    case 502:
      return " Bad Gateway";
    case 503:
      return " Service Unavailable";
    case 504:
      return " Gateway Timeout";
    default:
      return "";
  }
}

/// One attempt that brought no reply.
struct RequestFailure {
  Error::Code code = Error::Code::unavailable;
  std::string what;     ///< "said 429 Too Many Requests".
  std::string details;  ///< In the server's own words.
  std::string advice;
  bool may_pass = false;  ///< Asking again may help.
  std::optional<milliseconds> retry_after;
};

std::string with_details(const RequestFailure& failure) {
  std::string text;
  if (!failure.details.empty()) text += ": " + failure.details;
  if (!failure.advice.empty()) text += "; " + failure.advice;
  return text;
}

/// A question on its way, through all its attempts.
struct Question {
  std::uint64_t number = 0;
  std::string body;
  ChatClient::Done done;
  std::chrono::steady_clock::time_point asked;
  int attempts = 0;
  int same_failures = 0;  ///< Of the last attempts, how many failed alike.
  std::string last_failure;
};

class OpenAiChat : public ChatClient {
 public:
  OpenAiChat(const LlmTask& task, const RetryPolicy& policy, const EndpointUrl& url, ApiKey key)
      : display_(url.display),
        key_variable_(task.api_key_env),
        stream_(task.stream),
        policy_(policy),
        key_(std::move(key)),
        // Jitter keeps processes apart; what a run finds does not depend on it.
        rng_(static_cast<std::uint64_t>(monotonic_now().time_since_epoch().count()) ^
             (static_cast<std::uint64_t>(getpid()) << 32)) {}

  Result<void> start(HttpOptions options) {
    Result<std::unique_ptr<HttpEndpoint>> http = HttpEndpoint::start(std::move(options), key_.reveal());
    if (!http) return http.error();
    http_ = *std::move(http);
    return {};
  }

  void send(ChatRequest request, Done done) override {
    auto question = std::make_shared<Question>();
    question->number = request.number;
    question->body = request_body(std::move(request), stream_);
    question->done = std::move(done);
    question->asked = monotonic_now();
    attempt(question, {});
  }

 private:
  void attempt(const std::shared_ptr<Question>& question, std::chrono::steady_clock::time_point not_before) {
    ++question->attempts;
    http_->post({question->body, [this, question](Result<HttpReply> reply) { take_reply(question, std::move(reply)); },
                 not_before});
  }

  // All below runs on the endpoint's thread.

  void take_reply(const std::shared_ptr<Question>& question, Result<HttpReply> http) {
    if (!http) return take_failure(question, failure_of(http.error()));
    if (http->status != 200) return take_failure(question, failure_of(*http));
    Result<std::variant<ChatReply, ReportedError>> answer = parse_reply(http->body);
    if (!answer) return take_failure(question, failure_of(answer.error()));
    if (const auto* error = std::get_if<ReportedError>(&*answer)) return take_failure(question, failure_of(*error));
    ChatReply reply = std::get<ChatReply>(*std::move(answer));
    reply.text = redacted(std::move(reply.text));
    reply.finish_reason = one_line(redacted(std::move(reply.finish_reason)), kFinishReasonLimitBytes);
    reply.latency = std::chrono::duration_cast<milliseconds>(monotonic_now() - question->asked);
    question->done(std::move(reply));
  }

  void take_failure(const std::shared_ptr<Question>& question, RequestFailure failure) {
    question->same_failures = failure.what == question->last_failure ? question->same_failures + 1 : 1;
    question->last_failure = failure.what;
    const milliseconds asked_for = failure.retry_after.value_or(milliseconds(0));
    if (failure.may_pass && asked_for > policy_.longest_wait) {
      failure.advice = fmt::format("it asks to wait {} s, longer than aiopt does", asked_for.count() / 1'000);
    } else if (failure.may_pass && question->attempts <= policy_.retries) {
      const milliseconds delay = retry_delay(policy_, question->attempts, failure.retry_after, rng_);
      log_info(fmt::format("proposal {}: endpoint {} {}{}; attempt {} of {} in {} ms", question->number, display_,
                           failure.what, with_details(failure), question->attempts + 1, policy_.retries + 1,
                           delay.count()));
      return attempt(question, monotonic_now() + delay);
    }
    question->done(Error{failure.code, fmt::format("endpoint {} {}{}{}", display_, failure.what, how_often(*question),
                                                   with_details(failure))});
  }

  static std::string how_often(const Question& question) {
    if (question.attempts == 1) return {};
    if (question.same_failures == question.attempts) return fmt::format(" {} times", question.attempts);
    return fmt::format(" at the last of {} attempts", question.attempts);
  }

  RequestFailure failure_of(const Error& error) const {
    RequestFailure failure;
    failure.code = error.code;
    failure.what = one_line(redacted(error.message), kMessageLimitBytes);
    failure.may_pass = error.code == Error::Code::unavailable;
    if (failure.may_pass) failure.advice = "is it running, and is llm.api_base right?";
    if (error.code == Error::Code::timed_out) failure.advice = "a slower model needs longer time-outs in llm";
    return failure;
  }

  RequestFailure failure_of(const HttpReply& reply) const {
    if (reply.status >= 300 && reply.status < 400) return redirect_failure(reply);
    RequestFailure failure = status_failure(reply.status);
    failure.details = shown(error_message(reply.body));
    failure.retry_after = reply.retry_after;
    return failure;
  }

  RequestFailure failure_of(const ReportedError& error) const {
    RequestFailure failure = status_failure(error.status);
    failure.details = shown(error.message);
    return failure;
  }

  RequestFailure redirect_failure(const HttpReply& reply) const {
    RequestFailure failure = status_failure(reply.status);
    failure.advice = "redirects are not followed";
    const std::string target = shown(display_url(reply.redirect));
    if (target.starts_with("http://") || target.starts_with("https://")) {
      failure.advice += fmt::format("; if {} is right, make it the llm.api_base", target);
    }
    return failure;
  }

  /// @param status  0: an error that came in a good reply and does not say which; those are troubles on the way.
  RequestFailure status_failure(int status) const {
    RequestFailure failure;
    failure.what = status == 0 ? "sent an error for a reply" : fmt::format("said {}{}", status, reason_phrase(status));
    failure.may_pass = status == 0 || is_transient(status);
    failure.code = failure.may_pass || status >= 500 ? Error::Code::unavailable : Error::Code::invalid_argument;
    if (status == 401 || status == 403) failure.advice = key_advice();
    if (status == 404) failure.advice = "check llm.api_base and the model's name";
    if (status == 429) failure.advice = "ask for less at a time, or look at the account's limits";
    return failure;
  }

  std::string key_advice() const {
    return key_.empty() ? fmt::format("set {} to the key", key_variable_)
                        : fmt::format("check the key in {}", key_variable_);
  }

  std::string shown(std::string text) const { return one_line(redacted(std::move(text)), kMessageLimitBytes); }

  /// Should the server echo the key, it still gets no further than here.
  std::string redacted(std::string text) const {
    constexpr std::string_view kInstead = "[key]";
    const std::string& key = key_.reveal();
    if (key.size() < kShortestSecret) return text;
    for (std::size_t at = text.find(key); at != std::string::npos; at = text.find(key, at + kInstead.size())) {
      text.replace(at, key.size(), kInstead);
    }
    return text;
  }

  const std::string display_;
  const std::string key_variable_;
  const bool stream_;
  const RetryPolicy policy_;
  const ApiKey key_;
  Rng rng_;                             // The endpoint's thread's.
  std::unique_ptr<HttpEndpoint> http_;  // Last, so that it ends first: its thread uses all of the above.
};

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

}  // namespace

Result<std::unique_ptr<ChatClient>> make_openai_chat(const LlmTask& task, ApiKey key) {
  RetryPolicy policy;
  policy.retries = task.retries;
  return make_openai_chat(task, std::move(key), policy);
}

Result<std::unique_ptr<ChatClient>> make_openai_chat(const LlmTask& task, ApiKey key, const RetryPolicy& policy) {
  if (has_control_character(key.reveal())) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("the key in {} has a control character in it, such as a newline; set it again without",
                             task.api_key_env)};
  }
  const Result<EndpointUrl> url = parse_api_base(task.api_base);
  if (!url) return url.error();
  HttpOptions options;
  options.url = url->chat_completions;
  options.use_proxies = !url->is_loopback;
  options.connect_timeout = task.connect_timeout;
  options.first_byte_timeout = task.first_byte_timeout;
  options.timeout = task.timeout;
  auto chat = std::make_unique<OpenAiChat>(task, policy, *url, std::move(key));
  if (const Result<void> started = chat->start(std::move(options)); !started) return started.error();
  return std::unique_ptr<ChatClient>(std::move(chat));
}

}  // namespace aiopt
