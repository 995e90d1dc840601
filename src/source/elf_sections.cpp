/// Reads what an ELF file brings into memory: see elf_sections.hpp.

#include "source/elf_sections.hpp"

#include <elf.h>

#include <cstddef>
#include <cstring>

namespace aiopt {
namespace {

struct Elf32 {
  using Header = Elf32_Ehdr;
  using Section = Elf32_Shdr;
};
struct Elf64 {
  using Header = Elf64_Ehdr;
  using Section = Elf64_Shdr;
};

/// The bytes at an offset of the file's, if all of them are in it.
std::optional<std::string_view> slice(std::string_view bytes, std::uint64_t offset, std::uint64_t size) {
  if (offset > bytes.size() || size > bytes.size() - offset) return std::nullopt;
  return bytes.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
}

/// By copy: nothing in a file need be aligned.
template <typename T>
std::optional<T> read_at(std::string_view bytes, std::uint64_t offset) {
  const auto found = slice(bytes, offset, sizeof(T));
  if (!found) return std::nullopt;
  T value;
  std::memcpy(&value, found->data(), sizeof(T));
  return value;
}

template <typename Elf>
std::optional<ElfFile> read(std::string_view bytes) {
  using Section = typename Elf::Section;
  const auto header = read_at<typename Elf::Header>(bytes, 0);
  if (!header || header->e_shoff == 0 || header->e_shentsize != sizeof(Section)) return std::nullopt;
  const auto first = read_at<Section>(bytes, header->e_shoff);
  if (!first) return std::nullopt;
  // Where the header's 16 bits do not suffice, the first section has both numbers.
  const std::uint64_t count = header->e_shnum != 0 ? header->e_shnum : first->sh_size;
  const std::uint64_t names_at = header->e_shstrndx != SHN_XINDEX ? header->e_shstrndx : first->sh_link;
  if (count > bytes.size() / sizeof(Section) || names_at >= count) return std::nullopt;
  const auto section_at = [&](std::uint64_t i) {
    return read_at<Section>(bytes, header->e_shoff + i * sizeof(Section));
  };
  const auto names_section = section_at(names_at);
  if (!names_section) return std::nullopt;
  const auto names = slice(bytes, names_section->sh_offset, names_section->sh_size);
  if (!names) return std::nullopt;

  ElfFile file{header->e_type, header->e_machine, header->e_entry, {}};
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto section = section_at(i);
    if (!section) return std::nullopt;
    if ((section->sh_flags & SHF_ALLOC) == 0) continue;
    if (section->sh_name >= names->size()) return std::nullopt;
    const std::string_view tail = names->substr(section->sh_name);
    const std::string_view name = tail.substr(0, tail.find('\0'));
    const bool has_bytes = section->sh_type != SHT_NOBITS;
    const auto content = has_bytes ? slice(bytes, section->sh_offset, section->sh_size) : std::string_view();
    if (!content) return std::nullopt;
    total += content->size() + name.size();
    if (total > 2 * bytes.size()) return std::nullopt;  // Sections over one another: no linker does that.
    file.sections.push_back({name, section->sh_type, section->sh_addr, section->sh_size, *content});
  }
  return file;
}

}  // namespace

std::optional<ElfFile> read_elf(std::string_view bytes) {
  if (bytes.size() < EI_NIDENT || !bytes.starts_with(ELFMAG) || bytes[EI_DATA] != ELFDATA2LSB) return std::nullopt;
  if (bytes[EI_CLASS] == ELFCLASS64) return read<Elf64>(bytes);
  if (bytes[EI_CLASS] == ELFCLASS32) return read<Elf32>(bytes);
  return std::nullopt;
}

}  // namespace aiopt
