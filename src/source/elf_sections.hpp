/// Reads what an ELF file brings into memory.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace aiopt {

struct LoadedSection {
  std::string_view name;
  std::uint32_t type = 0;
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  std::string_view bytes;  ///< Empty where the file has none (.bss).
};

/// Views into the bytes that it was read from.
struct ElfFile {
  std::uint16_t type = 0;
  std::uint16_t machine = 0;
  std::uint64_t entry = 0;
  std::vector<LoadedSection> sections;  ///< Those with SHF_ALLOC, in the file's order.
};

/// Little-endian, 32 and 64 bits (elf(5)). Nothing for what is none, is broken, has no section headers, or has sections
/// over one another. Any bytes will do; linear time.
std::optional<ElfFile> read_elf(std::string_view bytes);

}  // namespace aiopt
