/// CRC-32C as its definition has it, one bit after the other.

#include "crc.h"

namespace walkv {

uint32_t crc32c(std::string_view data) {
  constexpr uint32_t kPolynomial = 0x82f63b78;  // Castagnoli's, reflected.
  uint32_t crc = ~0u;
  for (const char c : data) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
  }
  return ~crc;
}

}  // namespace walkv
