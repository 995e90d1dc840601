/// CRC-32C (Castagnoli), the checksum of every record and block.

#pragma once

#include <cstdint>
#include <string_view>

namespace walkv {

uint32_t crc32c(std::string_view data);

}  // namespace walkv
