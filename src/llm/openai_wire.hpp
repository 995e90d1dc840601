/// What goes over the wire to an OpenAI-compatible endpoint and comes back: pure functions of text.

#pragma once

#include <string>
#include <string_view>
#include <variant>

#include <aiopt/chat_client.hpp>
#include <aiopt/result.hpp>

namespace aiopt {

/// The JSON body of POST /chat/completions.
std::string request_body(ChatRequest request, bool stream);

/// SHA-256 of model and messages: what was asked, apart from how it was sampled.
std::string request_sha256(const ChatRequest& request);

/// An error that came in a body whose HTTP status was 200, as proxies send it.
struct ReportedError {
  int status = 0;       ///< The HTTP status it stands for; 0 if it does not say.
  std::string message;  ///< As error_message() has it.
};

/// The answer of a body with HTTP status 200, a plain one or a stream of server-sent events: whichever it is, whatever
/// was asked for. ChatReply::latency is left at 0.
///
/// @return Error::Code::unavailable if a stream was cut off, corruption if it can't be read.
Result<std::variant<ChatReply, ReportedError>> parse_reply(std::string_view body);

/// The error in a body whose HTTP status was not 200: its message if it is JSON, else its beginning. As the stranger
/// wrote it: take secrets out first, and only then shorten it, or half a secret stays.
std::string error_message(std::string_view body);

/// Whether a text, be it JSON or not, has few enough values and levels for a parser that keeps them all in memory.
bool is_modest_json(std::string_view text);

}  // namespace aiopt
