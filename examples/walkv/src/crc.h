/// CRC-32C (Castagnoli), the checksum of every record and block.

#pragma once

#include <cstdint>
#include <string_view>

namespace walkv {

/// To checksum data that comes in parts, pass the result of the part before as `crc`.
uint32_t crc32c(std::string_view data, uint32_t crc = 0);

}  // namespace walkv
