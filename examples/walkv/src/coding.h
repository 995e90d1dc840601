/// Fixed-width little-endian integers in strings.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace walkv {

inline void put_fixed32(std::string* out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out->push_back(static_cast<char>(value >> shift));
}

inline void put_fixed64(std::string* out, uint64_t value) {
  for (int shift = 0; shift < 64; shift += 8) out->push_back(static_cast<char>(value >> shift));
}

inline uint32_t get_fixed32(const char* in) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(in[i]);
  return value;
}

inline uint64_t get_fixed64(const char* in) {
  return get_fixed32(in) | static_cast<uint64_t>(get_fixed32(in + 4)) << 32;
}

/// Takes bytes off the front of a buffer; false when there are too few, and the buffer is then as it was.
inline bool take_bytes(std::string_view* in, size_t size, std::string_view* out) {
  if (in->size() < size) return false;
  *out = in->substr(0, size);
  in->remove_prefix(size);
  return true;
}

inline bool take_fixed32(std::string_view* in, uint32_t* value) {
  std::string_view bytes;
  if (!take_bytes(in, 4, &bytes)) return false;
  *value = get_fixed32(bytes.data());
  return true;
}

inline bool take_fixed64(std::string_view* in, uint64_t* value) {
  std::string_view bytes;
  if (!take_bytes(in, 8, &bytes)) return false;
  *value = get_fixed64(bytes.data());
  return true;
}

}  // namespace walkv
