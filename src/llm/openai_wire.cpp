/// Request bodies, replies and errors of OpenAI's chat completions API, read as if a stranger had written them.

#include "llm/openai_wire.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/sha256.hpp"
#include "base/text.hpp"

namespace aiopt {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// Of brackets within brackets; a reply has six.
constexpr std::size_t kDeepestNesting = 64;
/// Of values, so that 16 MiB of "[0,0,0" can't become a gigabyte of them.
constexpr std::size_t kMostValues = 200'000;

Error unreadable(std::string_view why) {
  return {Error::Code::corruption, fmt::format("sent a reply that can't be read: {}", why)};
}

/// Models that think before they answer refuse the sampling parameters and the old name of the limit.
bool is_reasoning_model(std::string_view model) {
  model.remove_prefix(model.rfind('/') + 1);  // "openai/o3-mini"; npos + 1 is 0.
  for (const std::string_view prefix : {"o1", "o3", "o4", "gpt-5"}) {
    if (!model.starts_with(prefix)) continue;
    if (model.size() == prefix.size() || std::isalnum(static_cast<unsigned char>(model[prefix.size()])) == 0)
      return true;
  }
  return false;
}

/// Nothing if it is no JSON object. The text has to be valid UTF-8.
std::optional<json> parse_object(std::string_view text) {
  if (!is_modest_json(text)) return std::nullopt;
  json value = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return std::nullopt;
  return value;
}

/// The member, or null if there is none or `object` is none.
const json& member(const json& object, const char* name) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  const auto found = object.find(name);
  return found == object.end() ? kNull : *found;
}

const json& first_element(const json& array) {
  static const json kNull;
  return array.is_array() && !array.empty() ? array.front() : kNull;
}

std::string string_or_empty(const json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::uint64_t count_or_zero(const json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (!value.is_number_float()) return 0;
  const double number = value.get<double>();
  return number > 0 && number < 1e15 ? static_cast<std::uint64_t>(number) : 0;
}

/// A string, or an array of parts of which those of type "text" count.
std::string content_text(const json& content) {
  if (!content.is_array()) return string_or_empty(content);
  std::string text;
  for (const json& part : content) {
    const json& type = member(part, "type");
    if (part.is_string()) text += part.get_ref<const std::string&>();
    if (type == "text" || type == "output_text" || type.is_null()) text += string_or_empty(member(part, "text"));
  }
  return text;
}

/// What a message or a delta says. A refusal is an answer too: the patch parser finds no patch in it, and its reader
/// sees why.
std::string message_text(const json& message) {
  std::string text = content_text(member(message, "content"));
  return text.empty() ? string_or_empty(member(message, "refusal")) : text;
}

TokenUsage usage_of(const json& reply) {
  const json& usage = member(reply, "usage");
  return {count_or_zero(member(usage, "prompt_tokens")), count_or_zero(member(usage, "completion_tokens"))};
}

/// "error" comes as an object, as a string, or (FastAPI) under another name.
std::string message_of(const json& reply) {
  const json& error = member(reply, "error");
  for (const json* value : {&member(error, "message"), &error, &member(reply, "message"), &member(reply, "detail")}) {
    if (value->is_string()) return value->get<std::string>();
  }
  const json& shown = error.is_null() ? reply : error;
  return shown.dump(-1, ' ', false, json::error_handler_t::replace);
}

int reported_status(const json& error) {
  const json& code = member(error, "code");
  int status = 0;
  if (code.is_string()) {
    const auto& digits = code.get_ref<const std::string&>();
    std::from_chars(digits.data(), digits.data() + digits.size(), status);
  } else if (code.is_number_unsigned()) {
    status = static_cast<int>(std::min<std::uint64_t>(code.get<std::uint64_t>(), 1'000));
  }
  return status >= 400 && status <= 599 ? status : 0;
}

std::optional<ReportedError> reported_error(const json& reply) {
  const json& error = member(reply, "error");
  if (error.is_null() || !member(reply, "choices").is_null()) return std::nullopt;
  return ReportedError{reported_status(error), message_of(reply)};
}

using Answer = std::variant<ChatReply, ReportedError>;

Result<Answer> parse_plain(std::string_view text) {
  const std::optional<json> parsed = parse_object(text);
  if (!parsed) return unreadable("it is no JSON object, or not one of a reply's size");
  if (auto error = reported_error(*parsed)) return Answer(*std::move(error));
  const json& choice = first_element(member(*parsed, "choices"));
  const json& message = member(choice, "message");
  if (!message.is_object()) return unreadable("it has no choices[0].message");
  ChatReply reply;
  reply.text = message_text(message);
  reply.finish_reason = string_or_empty(member(choice, "finish_reason"));
  reply.usage = usage_of(*parsed);
  return Answer(std::move(reply));
}

/// Gathers the events of one stream.
class StreamReader {
 public:
  /// @param is_end  Nothing follows.
  /// @return false if what follows does not matter.
  bool take(std::string_view data, bool is_end) {
    if (trim(data) == "[DONE]") {
      complete_ = true;
      return false;
    }
    const std::optional<json> chunk = parse_object(data);
    if (!chunk) {
      broken_ = !is_end;  // At the end it is an event that was cut off.
      return false;
    }
    error_ = reported_error(*chunk);
    if (error_) return false;
    if (member(*chunk, "usage").is_object()) reply_.usage = usage_of(*chunk);
    take_choice(first_element(member(*chunk, "choices")));
    return true;
  }

  Result<Answer> answer() && {
    if (error_) return Answer(*std::move(error_));
    if (broken_) return unreadable("an event of its stream is no JSON object");
    // Without [DONE] or a finish_reason the sender went away; what arrived is a piece.
    if (!complete_) return Error{Error::Code::unavailable, "broke the connection in the middle of a stream"};
    return Answer(std::move(reply_));
  }

 private:
  void take_choice(const json& choice) {
    if (!choice.is_object() || count_or_zero(member(choice, "index")) != 0) return;
    const json& delta = member(choice, "delta");
    reply_.text += message_text(delta.is_object() ? delta : member(choice, "message"));
    if (const std::string reason = string_or_empty(member(choice, "finish_reason")); !reason.empty()) {
      reply_.finish_reason = reason;
      complete_ = true;
    }
  }

  ChatReply reply_;
  std::optional<ReportedError> error_;
  bool complete_ = false;
  bool broken_ = false;
};

/// Cuts the next line off: ended by LF, CR or CRLF.
std::string_view next_line(std::string_view& rest) {
  const std::size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end);
  if (rest.starts_with("\r\n")) rest.remove_prefix(1);
  if (!rest.empty()) rest.remove_prefix(1);
  return line;
}

/// Server-sent events (WHATWG HTML, 9.2.6). Only their data matters here.
Result<Answer> parse_stream(std::string_view rest) {
  StreamReader reader;
  std::string data;
  bool goes_on = true;
  while (goes_on && !rest.empty()) {
    std::string_view line = next_line(rest);
    if (line.starts_with("data:")) {
      line.remove_prefix(line.starts_with("data: ") ? 6 : 5);
      if (!data.empty()) data += '\n';
      data += line;
    }
    const bool event_ends = line.empty() || rest.empty();
    if (!event_ends || data.empty()) continue;
    goes_on = reader.take(data, rest.empty());
    data.clear();
  }
  return std::move(reader).answer();
}

bool looks_like_stream(std::string_view text) {
  constexpr std::array<std::string_view, 5> kFields = {"data:", "event:", "id:", "retry:", ":"};
  return std::any_of(kFields.begin(), kFields.end(), [&](std::string_view field) { return text.starts_with(field); });
}

}  // namespace

std::string request_body(ChatRequest request, bool stream) {
  ordered_json body;
  const bool reasons = is_reasoning_model(request.model);
  body["model"] = std::move(request.model);
  ordered_json& messages = body["messages"] = ordered_json::array();
  for (ChatMessage& message : request.messages) {
    ordered_json& entry = messages.emplace_back(ordered_json::object());
    entry["role"] = std::move(message.role);
    entry["content"] = std::move(message.content);
  }
  if (!reasons) {
    body["temperature"] = request.temperature;
    body["top_p"] = request.top_p;
  }
  body[reasons ? "max_completion_tokens" : "max_tokens"] = request.max_tokens;
  if (request.seed) body["seed"] = *request.seed;
  if (stream) {
    body["stream"] = true;
    body["stream_options"]["include_usage"] = true;
  }
  return body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string request_sha256(const ChatRequest& request) {
  Sha256 digest;
  // Lengths before texts, so that no two requests run together into the same bytes.
  const auto update = [&](std::string_view text) {
    digest.update(fmt::format("{}:", text.size()));
    digest.update(text);
  };
  update(request.model);
  for (const ChatMessage& message : request.messages) {
    update(message.role);
    update(message.content);
  }
  return digest.hex_digest();
}

bool is_modest_json(std::string_view text) {
  std::size_t depth = 0;
  std::size_t values = 0;
  bool in_string = false;  // What looks like JSON there is none.
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kDeepestNesting || ++values > kMostValues) return false;
    } else if (c == ']' || c == '}') {
      if (depth > 0) --depth;
    } else if (c == ',' && ++values > kMostValues) {
      return false;
    }
  }
  return true;
}

Result<Answer> parse_reply(std::string_view body) {
  const std::string valid = valid_utf8(body);
  std::string_view text = trim(valid);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (text.empty()) return unreadable("it is empty");
  return looks_like_stream(text) ? parse_stream(text) : parse_plain(text);
}

std::string error_message(std::string_view body) {
  constexpr std::size_t kLongestLookedAt = 64u << 10;
  std::string text = valid_utf8(trim(body.substr(0, kLongestLookedAt)));
  if (const std::optional<json> parsed = parse_object(text)) return message_of(*parsed);
  return text;
}

}  // namespace aiopt
