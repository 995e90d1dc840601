/// The messages of a prompt as JSON: what run.db keeps of them.

#pragma once

#include <string>
#include <vector>

#include <aiopt/chat_client.hpp>

namespace aiopt {

/// [{"role", "content"}, ...]
std::string messages_to_json(const std::vector<ChatMessage>& messages);

}  // namespace aiopt
