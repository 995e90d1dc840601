/// The messages of a prompt as JSON: what run.db keeps of them.

#pragma once

#include <string>
#include <vector>

#include <aiopt/chat_client.hpp>
#include <aiopt/result.hpp>

namespace aiopt {

/// [{"role", "content"}, ...]
std::string messages_to_json(const std::vector<ChatMessage>& messages);
/// corruption if it is no such list, or an empty one.
Result<std::vector<ChatMessage>> messages_from_json(const std::string& json);

}  // namespace aiopt
