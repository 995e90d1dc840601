/// Symbolizer: names the addresses of a process that has ended.

#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "profile/code_object.hpp"
#include "profile/mapping.hpp"
#include "profile/sampled_stacks.hpp"

namespace aiopt {

/// Of one process between two execve(2). Not thread-safe.
class Symbolizer {
 public:
  /// @param mappings  in the order of time: a later one replaces what was at its addresses
  /// @param objects   shared with other processes; what it lacks is opened when the first address in it is asked for
  explicit Symbolizer(std::span<const Mapping> mappings,
                      std::shared_ptr<CodeObjects> objects = std::make_shared<CodeObjects>());

  /// One more, dlopen(3)'s. What was asked for before is asked anew where it lies in it.
  void add(const Mapping& mapping);

  /// Innermost first, never empty: see CodeObject::frames_at. Where only the object's name is known, one frame
  /// "libfoo.so+0x12f0" (of the file), or "[heap]"; where nothing is mapped, "[unknown]".
  ///
  /// @param address  of an instruction; of a caller, one less than its return address
  /// @return Valid until the next add().
  const std::vector<StackFrame>& frames(std::uint64_t address);

  const CodeObjects& objects() const { return *objects_; }

 private:
  std::vector<StackFrame> find_frames(std::uint64_t address);

  AddressMap map_;
  std::shared_ptr<CodeObjects> objects_;
  std::unordered_map<std::uint64_t, std::vector<StackFrame>> known_;
};

}  // namespace aiopt
