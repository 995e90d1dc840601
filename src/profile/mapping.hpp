/// Mapping: a part of a process' address space that holds a file's code. AddressMap: those that are there.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace aiopt {

struct Mapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;  ///< Behind the last byte.
  std::uint64_t file_offset = 0;
  std::string path;      ///< As the kernel spells it: absolute, "[vdso]", "//anon", "/lib/x.so (deleted)".
  std::string build_id;  ///< Of the file while it was mapped, in lower-case hex; empty: not known.

  bool operator==(const Mapping&) const = default;
};

/// Mappings by address, none over another.
class AddressMap {
 public:
  /// What lay at the same addresses is gone, as with mmap(2) and MAP_FIXED. An empty one changes nothing.
  void add(Mapping mapping);

  /// nullptr: nothing lies there. Valid until the next add().
  const Mapping* find(std::uint64_t address) const;

  /// By address.
  const std::map<std::uint64_t, Mapping>& mappings() const { return by_start_; }

 private:
  std::map<std::uint64_t, Mapping> by_start_;
};

/// The mappings that can be executed, of a text as /proc/PID/maps has it (proc(5)). Lines that are none are passed
/// over.
std::vector<Mapping> parse_maps(std::string_view text);

}  // namespace aiopt
