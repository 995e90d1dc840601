/// SHA-256 (FIPS 180-4), by OpenSSL's libcrypto, which uses the processor's instructions for it.

#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace aiopt {

/// One digest. Used by one thread at a time.
class Sha256 {
 public:
  /// @throws std::bad_alloc without memory
  Sha256();
  void update(std::string_view bytes);
  std::string hex_digest();  ///< 64 lower-case digits. Call once, at the end.

 private:
  struct Free {
    void operator()(void* context) const;
  };
  std::unique_ptr<void, Free> context_;
};

std::string sha256_hex(std::string_view bytes);

}  // namespace aiopt
