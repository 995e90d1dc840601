/// Walks DWARF with libdw. Its own look-ups by address need .debug_aranges, which clang does not write, and search all
/// of a unit for each address; here each unit's functions are sorted once.

#include "profile/dwarf_index.hpp"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <gelf.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "profile/function_name.hpp"

namespace aiopt {

namespace {

/// Of entries and ranges looked at, for one object. RocksDB with all its debug information has some 10 million.
constexpr std::int64_t kMostWork = 200'000'000;
constexpr int kDeepestScope = 64;
constexpr int kLongestReferenceChain = 16;
/// Ranges may overlap where a linker folded functions; so many before an address are looked at.
constexpr int kMostOverlaps = 16;
/// A line program makes at most a row of 50 bytes of each of its own: of one unit, and of all.
constexpr std::uint64_t kMostLineBytes = 8u << 20;
constexpr std::uint64_t kMostLineBytesOfAll = 64u << 20;
constexpr int kMostNestedNames = 16;

struct DwarfCloser {
  void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

template <typename Payload>
struct AddressRange {
  std::uint64_t low = 0;
  std::uint64_t high = 0;  ///< Behind the last.
  Payload payload{};
};

template <typename Payload>
void sort_ranges(std::vector<AddressRange<Payload>>& ranges) {
  std::stable_sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.low < b.low; });
}

/// The one with the highest start that covers the address.
template <typename Payload>
std::optional<Payload> find_range(const std::vector<AddressRange<Payload>>& ranges, std::uint64_t address) {
  auto next =
      std::partition_point(ranges.begin(), ranges.end(), [&](const auto& range) { return range.low <= address; });
  for (int i = 0; i < kMostOverlaps && next != ranges.begin(); ++i) {
    --next;
    if (address < next->high) return next->payload;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number_of(Dwarf_Die& die, unsigned name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  if (dwarf_attr(&die, name, &attribute) == nullptr || dwarf_formudata(&attribute, &value) != 0) return std::nullopt;
  return value;
}

bool is_type_scope(int tag) {
  return tag == DW_TAG_class_type || tag == DW_TAG_structure_type || tag == DW_TAG_union_type ||
         tag == DW_TAG_enumeration_type;
}

/// Mangled, of the function or of what it is an instance of. nullptr: C, or internal linkage.
const char* linkage_name(Dwarf_Die& die) {
  Dwarf_Attribute attribute;
  for (const unsigned name : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    if (dwarf_attr_integrate(&die, name, &attribute) != nullptr) return dwarf_formstring(&attribute);
  }
  return nullptr;
}

/// What an inlined or out-of-line instance was made from: the declaration within its class or namespace.
Dwarf_Die declaration_of(Dwarf_Die die) {
  for (int i = 0; i < kLongestReferenceChain; ++i) {
    Dwarf_Attribute attribute;
    Dwarf_Die next;
    if (dwarf_attr(&die, DW_AT_abstract_origin, &attribute) == nullptr &&
        dwarf_attr(&die, DW_AT_specification, &attribute) == nullptr) {
      break;
    }
    if (dwarf_formref_die(&attribute, &next) == nullptr) break;
    die = next;
  }
  return die;
}

std::string_view text_or_empty(const char* text) {
  return text == nullptr ? "" : text;
}

/// Bytes of the line program at this place of .debug_line; empty: there is none (DWARF 5, 6.2.4 and 7.4).
std::optional<std::uint64_t> line_program_bytes(Elf* elf, std::uint64_t offset) {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return std::nullopt;
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) return std::nullopt;
    if (text_or_empty(elf_strptr(elf, names, header.sh_name)) != ".debug_line") continue;
    const Elf_Data* const data = elf_getdata(section, nullptr);
    std::uint32_t length = 0;
    if (data == nullptr || data->d_buf == nullptr || data->d_size < sizeof length ||
        offset > data->d_size - sizeof length) {
      return std::nullopt;
    }
    std::memcpy(&length, static_cast<const char*>(data->d_buf) + offset, sizeof length);
    // Of the 64-bit form, all ones here; it can be no longer than what is left.
    return std::min<std::uint64_t>(length, data->d_size - offset);
  }
  return std::nullopt;
}

}  // namespace

class DwarfIndex::Reader {
 public:
  Reader(std::shared_ptr<const ObjectFile> file, std::unique_ptr<Dwarf, DwarfCloser> dwarf, const ObjectFile& program,
         std::uint64_t shift)
      : file_(std::move(file)), dwarf_(std::move(dwarf)), shift_(shift) {
    index_units(program);
  }

  std::vector<StackFrame> frames_at(std::uint64_t address) {
    address -= shift_;
    const std::optional<std::size_t> number = find_range(unit_ranges_, address);
    if (!number || work_left_ <= 0) return {};
    Unit& unit = units_[*number];
    const std::vector<Dwarf_Die> scopes = scopes_at(unit, address);
    std::vector<StackFrame> frames(1);
    set_line(unit, address, frames[0].place);
    for (std::size_t i = scopes.size(); i-- > 0;) {
      Dwarf_Die scope = scopes[i];
      frames.back().place.function = name_of(scope);
      if (i == 0) break;
      frames.back().is_inlined = true;
      frames.push_back({call_place(unit, scope), "", false});
    }
    return frames;
  }

  bool is_exhausted() const { return work_left_ <= 0; }

 private:
  enum class Depth { nothing, functions, everything };

  struct Unit {
    Dwarf_Die die{};
    Depth indexed = Depth::nothing;
    std::vector<AddressRange<Dwarf_Off>> functions;
    std::optional<bool> has_lines;
  };

  bool spend() { return --work_left_ > 0; }

  /// Calls `use` with each range of the entry that holds code of the program.
  template <typename Use>
  void for_each_range(Dwarf_Die& die, Use use) {
    Dwarf_Addr base = 0;
    Dwarf_Addr low = 0;
    Dwarf_Addr high = 0;
    std::ptrdiff_t next = 0;
    while (spend() && (next = dwarf_ranges(&die, next, &base, &low, &high)) > 0) {
      if (low < high && is_code(low)) use(low, high);
    }
  }

  bool is_code(std::uint64_t address) const {
    return std::any_of(code_.begin(), code_.end(),
                       [&](const auto& range) { return address >= range.low && address < range.high; });
  }

  void index_units(const ObjectFile& program) {
    for (const ObjectFile::Segment& segment : program.segments()) {
      const std::uint64_t low = segment.address - shift_;
      if (segment.is_code) code_.push_back({low, low + segment.memory_bytes, 0});
    }
    Dwarf_CU* unit = nullptr;
    Dwarf_CU* next = nullptr;
    std::uint8_t type = 0;
    Dwarf_Die die;
    // Without the last argument: libdw would open the .dwo file of a split unit, wherever a hostile name leads to.
    while (spend() && dwarf_get_units(dwarf_.get(), unit, &next, nullptr, &type, &die, nullptr) == 0) {
      unit = next;
      if (type != DW_UT_compile && type != DW_UT_skeleton) continue;
      const std::size_t number = units_.size();
      for_each_range(die, [&](std::uint64_t low, std::uint64_t high) { unit_ranges_.push_back({low, high, number}); });
      if (!unit_ranges_.empty() && unit_ranges_.back().payload == number) units_.emplace_back().die = die;
    }
    sort_ranges(unit_ranges_);
  }

  /// Functions are children of units and namespaces. Some compilers put them within classes and other functions: to
  /// look there too takes ten times as long, so it is done for units where an address was not found without.
  void index_functions(Unit& unit, Depth depth) {
    unit.indexed = depth;
    unit.functions.clear();
    collect_functions(unit, unit.die, kDeepestScope);
    sort_ranges(unit.functions);
  }

  void collect_functions(Unit& unit, Dwarf_Die& parent, int depth_left) {
    Dwarf_Die die;
    if (depth_left == 0 || dwarf_child(&parent, &die) != 0) return;
    do {
      const int tag = dwarf_tag(&die);
      if (tag == DW_TAG_subprogram) {
        const Dwarf_Off offset = dwarf_dieoffset(&die);
        for_each_range(die, [&](std::uint64_t low, std::uint64_t high) {
          unit.functions.push_back({low, high, offset});
        });
      }
      const bool is_nested = tag == DW_TAG_subprogram || tag == DW_TAG_lexical_block || is_type_scope(tag);
      if (tag == DW_TAG_namespace || tag == DW_TAG_module || (is_nested && unit.indexed == Depth::everything)) {
        collect_functions(unit, die, depth_left - 1);
      }
    } while (spend() && dwarf_siblingof(&die, &die) == 0);
  }

  /// The function at the address, then what is inlined there, each into the one before it.
  std::vector<Dwarf_Die> scopes_at(Unit& unit, std::uint64_t address) {
    if (unit.indexed == Depth::nothing) index_functions(unit, Depth::functions);
    std::optional<Dwarf_Off> function = find_range(unit.functions, address);
    if (!function && unit.indexed == Depth::functions) {
      index_functions(unit, Depth::everything);
      function = find_range(unit.functions, address);
    }
    std::vector<Dwarf_Die> scopes(1);
    if (!function || dwarf_offdie(dwarf_.get(), *function, scopes.data()) == nullptr) return {};
    Dwarf_Die scope = scopes[0];
    for (int depth = 0; depth < kDeepestScope; ++depth) {
      const std::optional<Dwarf_Die> inner = inner_scope(scope, address);
      if (!inner) break;
      scope = *inner;
      if (dwarf_tag(&scope) == DW_TAG_inlined_subroutine) scopes.push_back(scope);
    }
    return scopes;
  }

  std::optional<Dwarf_Die> inner_scope(Dwarf_Die& scope, std::uint64_t address) {
    Dwarf_Die die;
    if (dwarf_child(&scope, &die) != 0) return std::nullopt;
    do {
      const int tag = dwarf_tag(&die);
      const bool is_scope = tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
                            tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
      if (!is_scope) continue;
      bool covers = false;
      for_each_range(
          die, [&](std::uint64_t low, std::uint64_t high) { covers = covers || (low <= address && address < high); });
      if (covers) return die;
    } while (spend() && dwarf_siblingof(&die, &die) == 0);
    return std::nullopt;
  }

  // ---- lines --------------------------------------------------------------------------------------------------------

  bool has_lines(Unit& unit) {
    if (!unit.has_lines) {
      const std::optional<std::uint64_t> offset = number_of(unit.die, DW_AT_stmt_list);
      const std::optional<std::uint64_t> bytes = offset ? line_program_bytes(file_->elf(), *offset) : std::nullopt;
      unit.has_lines = bytes && *bytes <= std::min(kMostLineBytes, line_bytes_left_);
      if (*unit.has_lines) line_bytes_left_ -= *bytes;
    }
    return *unit.has_lines;
  }

  void set_line(Unit& unit, std::uint64_t address, CodePlace& place) {
    if (!has_lines(unit)) return;
    Dwarf_Line* const line = dwarf_getsrc_die(&unit.die, address);
    if (line == nullptr) return;
    place.file = absolute(unit, dwarf_linesrc(line, nullptr, nullptr));
    dwarf_lineno(line, &place.line);
  }

  /// In DWARF 5, libdw leaves names relative to where the compiler ran.
  static std::string absolute(Unit& unit, const char* file) {
    const std::string_view name = text_or_empty(file);
    Dwarf_Attribute attribute;
    if (name.empty() || name[0] == '/' || dwarf_attr(&unit.die, DW_AT_comp_dir, &attribute) == nullptr) {
      return std::string(name);
    }
    const std::string folder(text_or_empty(dwarf_formstring(&attribute)));
    return folder.empty() ? std::string(name) : folder + "/" + std::string(name);
  }

  CodePlace call_place(Unit& unit, Dwarf_Die& inlined) {
    CodePlace place;
    const std::optional<std::uint64_t> line = number_of(inlined, DW_AT_call_line);
    const std::optional<std::uint64_t> file = number_of(inlined, DW_AT_call_file);
    if (line && *line <= INT32_MAX) place.line = static_cast<int>(*line);
    Dwarf_Files* files = nullptr;
    std::size_t count = 0;
    if (file && has_lines(unit) && dwarf_getsrcfiles(&unit.die, &files, &count) == 0 && *file < count) {
      place.file = absolute(unit, dwarf_filesrc(files, static_cast<std::size_t>(*file), nullptr, nullptr));
    }
    return place;
  }

  // ---- names --------------------------------------------------------------------------------------------------------

  std::string name_of(Dwarf_Die& die) {
    Dwarf_Die declaration = declaration_of(die);
    const Dwarf_Off offset = dwarf_dieoffset(&declaration);
    const auto [known, is_new] = names_.try_emplace(offset);  // Empty so far: a hostile file's scopes may go in a ring.
    if (!is_new || naming_depth_ == kMostNestedNames) return known->second;
    ++naming_depth_;
    const char* mangled = linkage_name(die);
    std::string name = mangled != nullptr ? function_name_of(mangled) : qualified_name(declaration);
    --naming_depth_;
    return names_[offset] = std::move(name);
  }

  /// "walkv::(anonymous namespace)::sync", from the scopes around a function that has no linkage name.
  std::string qualified_name(Dwarf_Die& declaration) {
    std::string name = scope_prefix(declaration);
    const std::string_view own = text_or_empty(dwarf_diename(&declaration));
    if (name.ends_with("}::") && own.starts_with("operator()")) {  // As in function_name_of().
      name.resize(name.size() - 2);
      return name;
    }
    if (own.empty()) return "";
    return name + shorten_function_name(own);
  }

  /// Goes down from the unit to the entry; each scope on the way adds its name and "::".
  std::string scope_prefix(Dwarf_Die& target) {
    Dwarf_Die scope;
    if (dwarf_diecu(&target, &scope, nullptr, nullptr) == nullptr) return "";
    std::string prefix;
    const Dwarf_Off offset = dwarf_dieoffset(&target);
    for (int depth = 0; depth < kDeepestScope; ++depth) {
      int lambdas = 0;
      std::optional<Dwarf_Die> child = child_around(scope, offset, lambdas);
      if (!child || dwarf_dieoffset(&*child) == offset) break;
      scope = *child;
      add_scope(scope, lambdas, prefix);
    }
    return prefix;
  }

  /// The child that is the entry at `offset` or has it within. Counts the lambdas up to there.
  std::optional<Dwarf_Die> child_around(Dwarf_Die& parent, Dwarf_Off offset, int& lambdas) {
    Dwarf_Die die;
    if (dwarf_child(&parent, &die) != 0) return std::nullopt;
    std::optional<Dwarf_Die> around;
    do {
      if (dwarf_dieoffset(&die) > offset) break;
      around = die;
      if (is_lambda(die)) ++lambdas;
    } while (spend() && dwarf_siblingof(&die, &die) == 0);
    return around;
  }

  static bool is_lambda(Dwarf_Die& die) {
    const int tag = dwarf_tag(&die);
    if (tag != DW_TAG_class_type && tag != DW_TAG_structure_type) return false;
    const std::string_view name = text_or_empty(dwarf_diename(&die));
    return name.empty() || name.starts_with("<lambda");
  }

  void add_scope(Dwarf_Die& scope, int lambdas, std::string& prefix) {
    const int tag = dwarf_tag(&scope);
    const std::string_view name = text_or_empty(dwarf_diename(&scope));
    if (tag == DW_TAG_subprogram) {  // A class or lambda within a function: that one's name has all that is around it.
      prefix = name_of(scope) + "::";
    } else if (is_lambda(scope)) {
      prefix += "{lambda#" + std::to_string(lambdas) + "}::";
    } else if (tag == DW_TAG_namespace) {
      prefix += name.empty() ? "(anonymous namespace)::" : std::string(name) + "::";
    } else if (is_type_scope(tag) && !name.empty()) {
      prefix += shorten_function_name(name) + "::";
    }
  }

  std::shared_ptr<const ObjectFile> file_;  ///< Outlives dwarf_, which reads it.
  std::unique_ptr<Dwarf, DwarfCloser> dwarf_;
  std::uint64_t shift_ = 0;
  std::int64_t work_left_ = kMostWork;
  std::uint64_t line_bytes_left_ = kMostLineBytesOfAll;
  int naming_depth_ = 0;
  std::vector<AddressRange<int>> code_;
  std::vector<Unit> units_;
  std::vector<AddressRange<std::size_t>> unit_ranges_;
  std::unordered_map<Dwarf_Off, std::string> names_;  ///< By declaration.
};

DwarfIndex::DwarfIndex(std::unique_ptr<Reader> reader) : reader_(std::move(reader)) {}
DwarfIndex::~DwarfIndex() = default;

std::unique_ptr<DwarfIndex> DwarfIndex::open(std::shared_ptr<const ObjectFile> file, const ObjectFile& program,
                                             std::uint64_t shift) {
  std::unique_ptr<Dwarf, DwarfCloser> dwarf(dwarf_begin_elf(file->elf(), DWARF_C_READ, nullptr));
  if (dwarf == nullptr) return nullptr;
  // libdw would open the file that the link names, be it a FIFO.
  const char* name = nullptr;
  const void* id = nullptr;
  if (dwelf_dwarf_gnu_debugaltlink(dwarf.get(), &name, &id) > 0) return nullptr;
  auto reader = std::make_unique<Reader>(std::move(file), std::move(dwarf), program, shift);
  return std::unique_ptr<DwarfIndex>(new DwarfIndex(std::move(reader)));
}

std::vector<StackFrame> DwarfIndex::frames_at(std::uint64_t address) {
  return reader_->frames_at(address);
}

bool DwarfIndex::is_exhausted() const {
  return reader_->is_exhausted();
}

}  // namespace aiopt
