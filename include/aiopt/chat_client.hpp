/// ChatClient: one question to an OpenAI-compatible endpoint, one answer.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <aiopt/proposal.hpp>
#include <aiopt/result.hpp>

namespace aiopt {

struct ChatMessage {
  std::string role;  ///< "system", "user" or "assistant".
  std::string content;

  bool operator==(const ChatMessage&) const = default;
};

struct ChatRequest {
  std::uint64_t number = 0;  ///< Of the proposal it is for; names the request in a recording.
  std::string model;
  std::vector<ChatMessage> messages;
  double temperature = 0.7;
  double top_p = 1.0;
  std::uint32_t max_tokens = 4096;
  std::optional<std::uint64_t> seed;
};

struct ChatReply {
  std::string text;
  std::string finish_reason;  ///< As the endpoint gave it; "length" means the text was cut.
  TokenUsage usage;
  std::chrono::milliseconds latency{0};  ///< From send() to the last byte, retries included.
};

class ChatClient {
 public:
  using Done = std::function<void(Result<ChatReply>)>;

  /// Ends what is in flight; each pending `done` is called with Error::Code::cancelled.
  virtual ~ChatClient();

  /// Sends the request and returns at once. `done` is called exactly once, on a thread of the
  /// client's, when the retries (HTTP 408, 409, 429, 5xx, broken connections) are over; it must not
  /// block. Error::Code::invalid_argument means that asking again is useless (400, 401, 403, 404).
  /// Safe to call from any thread.
  virtual void send(ChatRequest request, Done done) = 0;
};

}  // namespace aiopt
