/// DwarfIndex: functions, inlined calls and lines of an object's debug information, by address.

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "profile/object_file.hpp"
#include "profile/sampled_stacks.hpp"

namespace aiopt {

/// Of DWARF 2 to 5. A compilation unit is read when the first address in it is asked for. The work that a file may
/// cause is bounded: beyond it, addresses that were not met before have no frames. Not thread-safe.
class DwarfIndex {
 public:
  /// nullptr: the file has no debug information, or such as only other files can complete (.gnu_debugaltlink).
  ///
  /// @param file     kept
  /// @param program  whose code it describes: what lies elsewhere was thrown away by the linker
  /// @param shift    the program's addresses minus the file's
  static std::unique_ptr<DwarfIndex> open(std::shared_ptr<const ObjectFile> file, const ObjectFile& program,
                                          std::uint64_t shift);
  ~DwarfIndex();

  /// Innermost first, all but the last inlined; `object` is left empty. Empty: nothing is known of the address. The
  /// last one's function is empty if only its line is known.
  ///
  /// @param address  the linker's, of the program
  std::vector<StackFrame> frames_at(std::uint64_t address);

  bool is_exhausted() const;  ///< The bound on its work was reached.

 private:
  class Reader;
  explicit DwarfIndex(std::unique_ptr<Reader> reader);

  std::unique_ptr<Reader> reader_;
};

}  // namespace aiopt
