/// The messages of a prompt as JSON.

#include "core/messages_json.hpp"

#include <nlohmann/json.hpp>

namespace aiopt {

std::string messages_to_json(const std::vector<ChatMessage>& messages) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const ChatMessage& message : messages) json.push_back({{"role", message.role}, {"content", message.content}});
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace aiopt
