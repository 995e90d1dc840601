/// A digest of the code and data in a program: see binary_digest.hpp.

#include "source/binary_digest.hpp"

#include <elf.h>

#include <cstddef>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/sha256.hpp"
#include "source/elf_sections.hpp"

namespace aiopt {
namespace {

constexpr std::size_t kMaxProgramBytes = std::size_t{1} << 30;

bool is_left_out(const LoadedSection& section) {
  return section.type == SHT_NOTE || section.name == ".eh_frame" || section.name == ".eh_frame_hdr";
}

}  // namespace

std::optional<std::string> binary_digest(std::string_view bytes) {
  const auto file = read_elf(bytes);
  if (!file || (file->type != ET_EXEC && file->type != ET_DYN)) return std::nullopt;
  Sha256 digest;
  digest.update(fmt::format("{} {} {}\n", file->type, file->machine, file->entry));
  for (const LoadedSection& section : file->sections) {
    if (is_left_out(section)) continue;
    digest.update(fmt::format("{}:{} {} {} {}\n", section.name.size(), section.name, section.type, section.address,
                              section.size));
    digest.update(section.bytes);
  }
  return digest.hex_digest();
}

std::optional<std::string> binary_digest_of_file(const std::filesystem::path& file) {
  const auto bytes = read_file(file, kMaxProgramBytes);
  return bytes ? binary_digest(std::string_view(*bytes)) : std::nullopt;
}

}  // namespace aiopt
