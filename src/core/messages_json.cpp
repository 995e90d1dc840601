/// The messages of a prompt as JSON.

#include "core/messages_json.hpp"

#include <nlohmann/json.hpp>

namespace aiopt {

std::string messages_to_json(const std::vector<ChatMessage>& messages) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const ChatMessage& message : messages) {
    // Not by a braced list, which would copy each text twice.
    nlohmann::ordered_json& entry = json.emplace_back(nlohmann::ordered_json::object());
    entry["role"] = message.role;
    entry["content"] = message.content;
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

Result<std::vector<ChatMessage>> messages_from_json(const std::string& json) {
  const Error no_messages{Error::Code::corruption, "a prompt is no list of messages with role and content"};
  const nlohmann::json list = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array() || list.empty()) return no_messages;
  std::vector<ChatMessage> messages;
  for (const nlohmann::json& entry : list) {
    const auto role = entry.is_object() ? entry.find("role") : entry.end();
    const auto content = entry.is_object() ? entry.find("content") : entry.end();
    if (role == entry.end() || content == entry.end() || !role->is_string() || !content->is_string()) {
      return no_messages;
    }
    messages.push_back({role->get<std::string>(), content->get<std::string>()});
  }
  return messages;
}

}  // namespace aiopt
