/// Reads ELF sections and DWARF abbreviations as Debian's coz and its libelfin would.

#include "profile/coz_target.hpp"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/file_descriptor.hpp"

namespace aiopt {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kCounterName{"_coz_get_counter", sizeof("_coz_get_counter")};  ///< With its 0.

struct ElfEnd {
  void operator()(Elf* elf) const { elf_end(elf); }
};
struct DwarfEnd {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

struct OpenElf {
  FileDescriptor file;
  std::unique_ptr<Elf, ElfEnd> elf;
};

Result<OpenElf> open_elf(const fs::path& path) {
  elf_version(EV_CURRENT);
  OpenElf open;
  // A candidate's build may have left anything there: a FIFO would be waited for.
  open.file = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!open.file.is_open()) {
    return Error{errno == ENOENT ? Error::Code::not_found : Error::Code::io,
                 fmt::format("reading {}: {}", path.string(), std::strerror(errno))};
  }
  struct stat status {};
  if (::fstat(open.file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return Error{Error::Code::invalid_argument, fmt::format("reading {}: it is no regular file", path.string())};
  }
  open.elf.reset(elf_begin(open.file.get(), ELF_C_READ, nullptr));
  if (!open.elf || elf_kind(open.elf.get()) != ELF_K_ELF) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("reading {}: it is no ELF file; coz profiles programs, not scripts", path.string())};
  }
  return open;
}

/// Calls visit(section, its header, its name) until that gives true.
/// @return whether it did
template <typename Visit>
bool any_section(Elf* elf, Visit visit) {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return false;
  for (Elf_Scn* section = elf_nextscn(elf, nullptr); section != nullptr; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    const char* name = elf_strptr(elf, names, header.sh_name);
    if (visit(section, header, std::string_view(name != nullptr ? name : ""))) return true;
  }
  return false;
}

bool holds_counter_name(Elf* elf) {
  return any_section(elf, [](Elf_Scn* section, const GElf_Shdr& header, std::string_view) {
    if (header.sh_type != SHT_PROGBITS || (header.sh_flags & SHF_ALLOC) == 0) return false;
    const Elf_Data* data = elf_rawdata(section, nullptr);
    if (data == nullptr || data->d_buf == nullptr) return false;
    return std::string_view(static_cast<const char*>(data->d_buf), data->d_size).find(kCounterName) !=
           std::string_view::npos;
  });
}

/// Whether the dynamic linker will give it dlsym(). coz.h's reference is weak: without a library that has it the linker
/// makes it 0, and no counter is ever asked for.
bool asks_for_dlsym(Elf* elf) {
  return any_section(elf, [&](Elf_Scn* section, const GElf_Shdr& header, std::string_view) {
    if (header.sh_type != SHT_DYNSYM || header.sh_entsize == 0) return false;
    Elf_Data* data = elf_getdata(section, nullptr);
    const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
    for (int i = 0; i < count; ++i) {
      GElf_Sym symbol;
      if (gelf_getsym(data, i, &symbol) == nullptr) continue;
      const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
      if (name != nullptr && std::string_view(name) == "dlsym") return true;
    }
    return false;
  });
}

bool has_interpreter(Elf* elf) {
  std::size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return false;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr header;
    if (gelf_getphdr(elf, static_cast<int>(i), &header) != nullptr && header.p_type == PT_INTERP) return true;
  }
  return false;
}

enum class DebugInfo { none, compressed, plain };

DebugInfo debug_info_of(Elf* elf) {
  DebugInfo kind = DebugInfo::none;
  any_section(elf, [&](Elf_Scn*, const GElf_Shdr& header, std::string_view name) {
    if (name == ".zdebug_info") kind = DebugInfo::compressed;
    if (name == ".debug_info")
      kind = (header.sh_flags & SHF_COMPRESSED) != 0 ? DebugInfo::compressed : DebugInfo::plain;
    return kind != DebugInfo::none;
  });
  return kind;
}

/// The places in which coz looks for debug information outside of the file.
std::vector<fs::path> separate_files(Elf* elf, const fs::path& path) {
  std::vector<fs::path> files;
  const void* id = nullptr;
  if (const ssize_t size = dwelf_elf_gnu_build_id(elf, &id); size > 1) {
    std::string digits;
    for (ssize_t i = 0; i < size; ++i) digits += fmt::format("{:02x}", static_cast<const unsigned char*>(id)[i]);
    files.push_back(fs::path("/usr/lib/debug/.build-id") / digits.substr(0, 2) / (digits.substr(2) + ".debug"));
  }
  GElf_Word checksum = 0;
  if (const char* link = dwelf_elf_gnu_debuglink(elf, &checksum); link != nullptr) {
    const fs::path folder = fs::absolute(path).parent_path();
    files.push_back(folder / link);
    files.push_back(folder / ".debug" / link);
    files.push_back(fs::path("/usr/lib/debug") / folder.relative_path() / link);
  }
  return files;
}

/// Where its debug information is: `open` itself, or a file that takes its place.
bool find_debug_info(OpenElf& open, const fs::path& path) {
  if (debug_info_of(open.elf.get()) != DebugInfo::none) return true;
  for (const fs::path& file : separate_files(open.elf.get(), path)) {
    Result<OpenElf> separate = open_elf(file);
    if (separate && debug_info_of(separate->elf.get()) != DebugInfo::none) {
      open = std::move(*separate);
      return true;
    }
  }
  return false;
}

/// libelfin 0.3 gives up a unit whose abbreviations have the form sec_offset on an attribute that it does not
/// know it on: DW_AT_GNU_locviews, DW_AT_GNU_macros (-g3), DW_AT_GNU_addr_base (-gsplit-dwarf).
bool libelfin_expects_offset(unsigned int attribute) {
  constexpr std::array kExpected = {
      DW_AT_location,   DW_AT_string_length, DW_AT_return_addr,  DW_AT_data_member_location, DW_AT_frame_base,
      DW_AT_segment,    DW_AT_static_link,   DW_AT_use_location, DW_AT_vtable_elem_location, DW_AT_stmt_list,
      DW_AT_macro_info, DW_AT_start_scope,   DW_AT_ranges};
  return std::find(kExpected.begin(), kExpected.end(), static_cast<int>(attribute)) != kExpected.end();
}

/// The first attribute of a unit over which libelfin stumbles.
std::optional<unsigned int> unexpected_offset(Dwarf_Die& unit) {
  std::size_t length = 0;
  for (Dwarf_Off offset = 0;; offset += length) {
    Dwarf_Abbrev* abbreviation = dwarf_getabbrev(&unit, offset, &length);
    if (abbreviation == nullptr || abbreviation == DWARF_END_ABBREV) return std::nullopt;
    std::size_t count = 0;
    if (dwarf_getattrcnt(abbreviation, &count) != 0) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) {
      unsigned int attribute = 0;
      unsigned int form = 0;
      if (dwarf_getabbrevattr(abbreviation, i, &attribute, &form, nullptr) != 0) continue;
      if (form == DW_FORM_sec_offset && !libelfin_expects_offset(attribute)) return attribute;
    }
  }
}

struct LineTables {
  std::string dwarf5_unit;  ///< The first of DWARF 5.
  int dwarf5 = 0;
  std::string stumbling_unit;  ///< The first that libelfin gives up.
  unsigned int stumbling_attribute = 0;
  int stumbling = 0;
  int readable = 0;  ///< Units with lines that it reads.

  int units() const { return dwarf5 + stumbling + readable; }
};

LineTables read_line_tables(Dwarf* dwarf) {
  LineTables tables;
  Dwarf_Off next = 0;
  std::size_t header_size = 0;
  Dwarf_Half version = 0;
  for (Dwarf_Off offset = 0;
       dwarf_next_unit(dwarf, offset, &next, &header_size, &version, nullptr, nullptr, nullptr, nullptr, nullptr) == 0;
       offset = next) {
    Dwarf_Die unit;
    if (dwarf_offdie(dwarf, offset + header_size, &unit) == nullptr || !dwarf_hasattr(&unit, DW_AT_stmt_list)) continue;
    const char* known_name = dwarf_diename(&unit);
    const std::string name = known_name != nullptr ? known_name : "a unit without a name";
    if (version >= 5) {
      if (++tables.dwarf5 == 1) tables.dwarf5_unit = name;
    } else if (const auto attribute = unexpected_offset(unit)) {
      if (++tables.stumbling == 1) {
        tables.stumbling_unit = name;
        tables.stumbling_attribute = *attribute;
      }
    } else {
      ++tables.readable;
    }
  }
  return tables;
}

std::string how_to_build() {
  return fmt::format("build with {} (clang: {})", kCozFlagsOfGcc, kCozFlagsOfClang);
}

/// What can be said against a file in coz's scope.
struct ScopeFile {
  std::vector<std::string> problems;  ///< Whatever other files hold.
  std::string lines_missing;          ///< A problem unless another file has lines.
};

ScopeFile examine_lines(const CozInstallation& coz, OpenElf& open, const fs::path& path) {
  ScopeFile examined;
  if (!find_debug_info(open, path)) {
    examined.lines_missing =
        fmt::format("{} has no debug information, it may be stripped: {}", path.string(), how_to_build());
    return examined;
  }
  if (debug_info_of(open.elf.get()) == DebugInfo::compressed) {
    examined.problems.push_back(fmt::format(
        "{} has compressed debug information, over which coz ends the program: build without -gz", path.string()));
    return examined;
  }
  const std::unique_ptr<Dwarf, DwarfEnd> dwarf(dwarf_begin_elf(open.elf.get(), DWARF_C_READ, nullptr));
  const LineTables tables = dwarf ? read_line_tables(dwarf.get()) : LineTables{};
  if (coz.reads_dwarf5) {
    if (tables.units() == 0)
      examined.lines_missing = fmt::format("{} has no line table: {}", path.string(), how_to_build());
    return examined;
  }
  if (!tables.dwarf5_unit.empty()) {
    examined.problems.push_back(fmt::format("{} has DWARF 5 ({}), over which this coz ends the program: {}",
                                            path.string(), tables.dwarf5_unit, how_to_build()));
  } else if (tables.stumbling > 0) {
    examined.problems.push_back(fmt::format("{}: this coz leaves out {} of {} source files ({}: attribute {:#x}): {}",
                                            path.string(), tables.stumbling, tables.units(), tables.stumbling_unit,
                                            tables.stumbling_attribute, how_to_build()));
  } else if (tables.readable == 0) {
    examined.lines_missing = fmt::format("{} has no line table: {}", path.string(), how_to_build());
  }
  return examined;
}

void add_loading_problems(const OpenElf& open, const fs::path& program, std::vector<std::string>& problems) {
  if (!has_interpreter(open.elf.get())) {
    problems.push_back(fmt::format(
        "{} is linked statically, so that libcoz.so can't be loaded into it: link without -static", program.string()));
  }
  struct stat status {};
  if (fstat(open.file.get(), &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)) != 0) {
    problems.push_back(
        fmt::format("{} is set-user-ID, so that libcoz.so can't be loaded into it: profile a copy", program.string()));
  }
}

}  // namespace

Result<std::vector<std::string>> problems_for_coz(const CozInstallation& coz, const fs::path& program,
                                                  const std::vector<fs::path>& libraries) {
  std::vector<fs::path> files = {program};
  files.insert(files.end(), libraries.begin(), libraries.end());
  std::vector<std::string> problems;
  std::vector<std::string> line_problems;
  std::vector<std::string> lines_missing;
  bool has_progress_point = false;
  for (const fs::path& file : files) {
    Result<OpenElf> open = open_elf(file);
    if (!open) return open.error();
    if (file == program) add_loading_problems(*open, program, problems);
    if (holds_counter_name(open->elf.get())) {
      has_progress_point = true;
      if (has_interpreter(open->elf.get()) && !asks_for_dlsym(open->elf.get())) {
        problems.push_back(fmt::format("{} has a progress point, but is linked without dlsym: link with {}",
                                       file.string(), kCozLinkFlags));
      }
    }
    const ScopeFile examined = examine_lines(coz, *open, file);
    line_problems.insert(line_problems.end(), examined.problems.begin(), examined.problems.end());
    if (!examined.lines_missing.empty()) lines_missing.push_back(examined.lines_missing);
  }
  if (!has_progress_point) {
    problems.push_back(fmt::format(
        "{} has no progress point: include coz.h, and put COZ_PROGRESS_NAMED(\"op\") where an operation is done",
        program.string()));
  }
  problems.insert(problems.end(), line_problems.begin(), line_problems.end());
  if (lines_missing.size() == files.size()) problems.insert(problems.end(), lines_missing.begin(), lines_missing.end());
  return problems;
}

}  // namespace aiopt
