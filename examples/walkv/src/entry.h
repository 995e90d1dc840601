/// Entry: the newest thing known about a key.

#pragma once

#include <cstdint>
#include <string>

namespace walkv {

enum class Kind : uint8_t {
  value = 1,
  tombstone = 2,  ///< The key was erased; hides whatever older runs say about it.
};

struct Entry {
  Kind kind = Kind::value;
  std::string value;
};

}  // namespace walkv
