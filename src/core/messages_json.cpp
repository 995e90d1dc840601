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

}  // namespace aiopt
