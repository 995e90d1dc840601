/// ScriptedChat: a model that answers from a function.

#pragma once

#include <functional>
#include <vector>

#include <aiopt/chat_client.hpp>

namespace aiopt {

/// Answers on the caller's thread, before send() returns.
class ScriptedChat final : public ChatClient {
 public:
  using Script = std::function<Result<ChatReply>(const ChatRequest&)>;
  explicit ScriptedChat(Script script) : script_(std::move(script)) {}

  void send(ChatRequest request, Done done) override {
    requests.push_back(request);
    done(script_(request));
  }

  std::vector<ChatRequest> requests;

 private:
  Script script_;
};

}  // namespace aiopt
