/// AddressSpaces: what was mapped to execute in which process, for addresses to be named once all have ended.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "profile/mapping.hpp"

namespace aiopt {

/// Processes that were forked share one until either maps something else. One that no kept stack needs goes with its
/// last process, so that a thousand short-lived ones leave nothing. Not thread-safe.
class AddressSpaces {
 public:
  void map(std::uint32_t pid, const Mapping& mapping);
  void fork(std::uint32_t parent, std::uint32_t child);
  void exec(std::uint32_t pid);  ///< From now on it has another, empty one; what is mapped there first is its program.
  void end(std::uint32_t pid);

  /// Of a process; it is made if there is none. Numbers are not used again.
  std::uint32_t of(std::uint32_t pid);
  /// Each program once that the process ran, or one that it was forked from, oldest first; of those that change their
  /// program for ever the first kMostPrograms. Empty: not known, or not yet, after an exec(). Valid until the next
  /// call.
  const std::vector<std::string>& programs_of(std::uint32_t pid);
  /// A stack needs this process's: it is kept. @return Its number.
  std::uint32_t keep(std::uint32_t pid);

  /// @param addresses  only those that can be executed in this process stay, in their order
  void keep_executable(std::uint32_t pid, std::vector<std::uint64_t>& addresses);

  /// The same of the callers in a chain as perf_event_open(2) has it. The kernel follows frame pointers, and in code
  /// that has none whatever else is in that register: numbers that differ each time, and would make each wait's stack
  /// another. The kernel's part and the user's first, where the thread was, stay.
  void keep_executable_callers(std::uint32_t pid, std::vector<std::uint64_t>& chain);

  /// Those that were kept, by number. Mappings ascend, and none is over another.
  std::map<std::uint32_t, std::vector<Mapping>> kept() const;
  static constexpr std::size_t kMostPrograms = 16;

 private:
  struct Space {
    std::uint32_t number = 0;
    bool is_kept = false;
    bool is_new_program = false;  ///< Since exec nothing was mapped.
    AddressMap mappings;
    std::vector<std::string> programs;
  };

  std::shared_ptr<Space>& space_of(std::uint32_t pid);
  std::shared_ptr<Space> make_space(AddressMap mappings = {}, std::vector<std::string> programs = {});

  std::unordered_map<std::uint32_t, std::shared_ptr<Space>> spaces_;  ///< Of processes that live.
  std::map<std::uint32_t, std::shared_ptr<Space>> kept_;
  std::uint32_t next_number_ = 0;
};

}  // namespace aiopt
