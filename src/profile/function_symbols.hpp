/// FunctionSymbols: the functions of an object by address, from its symbol tables or, stripped, from its unwind table.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "profile/object_file.hpp"

namespace aiopt {

/// Addresses are the linker's.
class FunctionSymbols {
 public:
  /// Of .symtab and .dynsym.
  ///
  /// @param shift  added to each address: a file of debug information may have been linked elsewhere (prelink(8))
  void add_symbols_of(const ObjectFile& file, std::uint64_t shift = 0);
  /// Where functions start by .eh_frame_hdr (LSB 5.0, 10.6.2), which strip(1) leaves.
  void add_starts_of(const ObjectFile& file);
  /// After the last add; before the first look-up.
  void index();

  /// As the linker has it, mangled. Empty: none covers the address.
  std::string_view name_at(std::uint64_t address) const;
  /// Where the function there begins; the address itself if that is not known.
  std::uint64_t start_of(std::uint64_t address) const;

  std::size_t size() const { return symbols_.size(); }

 private:
  struct Symbol {
    std::uint64_t address = 0;
    std::uint64_t size = 0;  ///< 0: up to the next one.
    std::uint32_t name = 0;  ///< Into names_, which ends each with a NUL.
    std::uint8_t rank = 0;   ///< Of several at an address the lowest gives the name; of those, the shortest.
  };

  std::vector<Symbol> symbols_;
  std::string names_;
  std::vector<std::uint64_t> starts_;
};

}  // namespace aiopt
