/// The ChatClient that speaks to OpenAI-compatible endpoints (POST <api_base>/chat/completions).

#pragma once

#include <memory>
#include <string>

#include <aiopt/chat_client.hpp>
#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

struct RetryPolicy;

/// The API key. Cannot be printed, formatted or copied by accident; wiped when it goes.
class ApiKey {
 public:
  ApiKey() = default;
  explicit ApiKey(std::string key);
  ~ApiKey();
  ApiKey(ApiKey&&) noexcept;
  ApiKey& operator=(ApiKey&&) noexcept;

  bool empty() const { return key_.empty(); }
  const std::string& reveal() const { return key_; }  ///< For the Authorization header, and nothing else.

 private:
  std::string key_;
};

/// Takes the key out of the environment, and one in OPENAI_API_KEY with it: afterwards neither getenv(3) nor
/// /proc/self/environ has them, and no child gets them. Empty if the variable is not set. Call before threads are
/// started, also in a command that asks no model.
ApiKey take_api_key(const std::string& variable);

/// One thread runs a curl multi handle with kept-alive connections. invalid_argument if the api_base is no http(s) URL.
Result<std::unique_ptr<ChatClient>> make_openai_chat(const LlmTask& task, ApiKey key);

/// The same with waits of one's own; `policy.retries` instead of the task's.
Result<std::unique_ptr<ChatClient>> make_openai_chat(const LlmTask& task, ApiKey key, const RetryPolicy& policy);

}  // namespace aiopt
