/// The API key: out of the environment, never copied by accident, wiped in the end.

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/subprocess.hpp"
#include "llm/openai_chat.hpp"

namespace aiopt {
namespace {

/// explicit_bzero(3): a plain memset before the memory goes may be optimised away.
void wipe(std::string& secret) {
  explicit_bzero(secret.data(), secret.capacity());
  secret.clear();
}

ApiKey take(const std::string& variable) {
  if (variable.empty() || variable.find('=') != std::string::npos) return {};
  // The very bytes that /proc/self/environ shows, unless something has called setenv(3) since the start.
  char* value = std::getenv(variable.c_str());
  if (value == nullptr) return {};
  ApiKey key{std::string(value)};
  explicit_bzero(value, std::strlen(value));
  unsetenv(variable.c_str());
  return key;
}

}  // namespace

ApiKey::ApiKey(std::string key) : key_(key) {
  wipe(key);
}

ApiKey::~ApiKey() {
  wipe(key_);
}

// A short string is copied by its move, so what is moved from has to be wiped too.
ApiKey::ApiKey(ApiKey&& other) noexcept : key_(std::move(other.key_)) {
  wipe(other.key_);
}

ApiKey& ApiKey::operator=(ApiKey&& other) noexcept {
  if (this == &other) return *this;
  wipe(key_);
  key_ = std::move(other.key_);
  wipe(other.key_);
  return *this;
}

ApiKey take_api_key(const std::string& variable) {
  constexpr const char* kUsual = "OPENAI_API_KEY";
  hide_from_children(variable);
  ApiKey key = take(variable);
  if (variable != kUsual) take(kUsual);  // Somebody's key too, and of no use here.
  return key;
}

}  // namespace aiopt
