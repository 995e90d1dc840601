/// Reads symbol tables (elf(5)) and the table of .eh_frame_hdr into sorted vectors: libdwfl's search is linear.

#include "profile/function_symbols.hpp"

#include <dwarf.h>
#include <gelf.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace aiopt {

namespace {

constexpr std::size_t kMostSymbols = 8u << 20;
constexpr std::size_t kMostNameBytes = 1u << 30;
constexpr std::size_t kMostFunctionStarts = 8u << 20;
/// Labels within a function hide it, but not more than so many.
constexpr int kMostInnerLabels = 16;

bool is_function(const GElf_Sym& symbol) {
  const int type = GELF_ST_TYPE(symbol.st_info);
  return symbol.st_shndx != SHN_UNDEF && (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_NOTYPE);
}

/// Assembly labels last, local symbols before them; among the others, those that users call: "fsync", not "__fsync".
std::uint8_t rank_of(const GElf_Sym& symbol, std::string_view name) {
  if (GELF_ST_TYPE(symbol.st_info) == STT_NOTYPE) return 255;
  const std::size_t underscores = std::min<std::size_t>(name.find_first_not_of('_'), 100);
  return static_cast<std::uint8_t>(underscores + (GELF_ST_BIND(symbol.st_info) == STB_LOCAL ? 100 : 0));
}

/// "$x", "$d": where code and data begin (ELF for the Arm 64-bit Architecture, 5.5.5). ".L1": a compiler's label.
bool is_no_name(std::string_view name) {
  return name.empty() || name[0] == '$' || name.starts_with(".L");
}

/// The header's own encodings: 4-byte offsets, from the field or from the header.
constexpr std::uint8_t kTableEncoding = DW_EH_PE_datarel | DW_EH_PE_sdata4;
constexpr std::uint8_t kCountEncoding = DW_EH_PE_udata4;

std::optional<GElf_Phdr> unwind_table_of(Elf* elf) {
  std::size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return std::nullopt;
  for (std::size_t i = 0; i < std::min<std::size_t>(count, 1024); ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, static_cast<int>(i), &header) != nullptr && header.p_type == PT_GNU_EH_FRAME) return header;
  }
  return std::nullopt;
}

template <typename Number>
Number number_at(std::string_view bytes, std::size_t offset) {
  Number number{};
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

}  // namespace

void FunctionSymbols::add_symbols_of(const ObjectFile& file, std::uint64_t shift) {
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(file.elf(), section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_entsize == 0) continue;
    if (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM) continue;
    Elf_Data* const data = elf_getdata(section, nullptr);
    if (data == nullptr) continue;
    const std::size_t count = std::min<std::size_t>(data->d_size / header.sh_entsize, kMostSymbols);
    for (std::size_t i = 0; i < count; ++i) {
      GElf_Sym symbol;
      if (gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr || !is_function(symbol)) continue;
      const char* text = elf_strptr(file.elf(), header.sh_link, symbol.st_name);
      const std::string_view name = text == nullptr ? "" : text;
      if (is_no_name(name) || symbols_.size() >= kMostSymbols || names_.size() + name.size() >= kMostNameBytes)
        continue;
      symbols_.push_back(
          {symbol.st_value + shift, symbol.st_size, static_cast<std::uint32_t>(names_.size()), rank_of(symbol, name)});
      names_.append(name).push_back('\0');
    }
  }
}

void FunctionSymbols::add_starts_of(const ObjectFile& file) {
  constexpr std::size_t kHeader = 12;  // Four bytes of encodings, where .eh_frame is, how many entries.
  constexpr std::size_t kEntry = 8;    // Where a function starts, where its unwind data are.
  const std::optional<GElf_Phdr> place = unwind_table_of(file.elf());
  if (!place || place->p_filesz < kHeader || place->p_filesz > kMostFunctionStarts * kEntry) return;
  const std::string_view table = file.bytes_at(place->p_offset, static_cast<std::size_t>(place->p_filesz));
  if (table.size() < kHeader || table[0] != 1 || number_at<std::uint8_t>(table, 2) != kCountEncoding ||
      number_at<std::uint8_t>(table, 3) != kTableEncoding) {
    return;
  }
  const std::size_t count =
      std::min<std::size_t>(number_at<std::uint32_t>(table, 8), (table.size() - kHeader) / kEntry);
  for (std::size_t i = 0; i < count; ++i) {
    const auto offset = number_at<std::int32_t>(table, kHeader + i * kEntry);
    starts_.push_back(place->p_vaddr + static_cast<std::uint64_t>(std::int64_t{offset}));
  }
}

void FunctionSymbols::index() {
  std::sort(symbols_.begin(), symbols_.end(), [&](const Symbol& a, const Symbol& b) {
    if (a.address != b.address) return a.address < b.address;
    if (a.rank != b.rank) return a.rank < b.rank;
    const std::string_view name_a = names_.data() + a.name;
    const std::string_view name_b = names_.data() + b.name;
    return name_a.size() != name_b.size() ? name_a.size() < name_b.size() : name_a < name_b;
  });
  const auto is_alias = [](const Symbol& a, const Symbol& b) { return a.address == b.address; };
  symbols_.erase(std::unique(symbols_.begin(), symbols_.end(), is_alias), symbols_.end());
  symbols_.shrink_to_fit();
  std::sort(starts_.begin(), starts_.end());
}

std::string_view FunctionSymbols::name_at(std::uint64_t address) const {
  auto next = std::partition_point(symbols_.begin(), symbols_.end(),
                                   [&](const Symbol& symbol) { return symbol.address <= address; });
  const bool is_last = next == symbols_.end();
  const Symbol* label = nullptr;  // Of no size: it ends where the next symbol starts.
  for (int i = 0; i < kMostInnerLabels && next != symbols_.begin(); ++i) {
    const Symbol& before = *--next;
    if (address - before.address < before.size) return names_.data() + before.name;
    if (before.size == 0 && i == 0 && !is_last) label = &before;
  }
  return label == nullptr ? "" : names_.data() + label->name;
}

std::uint64_t FunctionSymbols::start_of(std::uint64_t address) const {
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), address);
  return next == starts_.begin() ? address : *std::prev(next);
}

}  // namespace aiopt
