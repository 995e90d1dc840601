/// StackTable: each distinct call stack once, however often a thread was found in it.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "profile/address_spaces.hpp"

namespace aiopt {

/// As the kernel gave it: addresses without names. Innermost first.
struct RawStack {
  std::uint32_t address_space = 0;
  std::vector<std::uint64_t> kernel_chain;
  std::vector<std::uint64_t> user_chain;  ///< By frame pointers: callers of functions without them are missing.
  std::string kernel_function;            ///< In which it slept, if only that is known; no chain then.
  /// The user's registers (see kUserRegisters) and stack from the stack pointer upwards, of one of the times; its chain
  /// begins with the same address. Empty: none was taken.
  std::vector<std::uint64_t> registers;
  std::vector<std::byte> dump;

  bool operator==(const RawStack&) const = default;
};

/// What a stack is made from; lent.
struct StackView {
  std::span<const std::uint64_t> chain;  ///< With PERF_CONTEXT_* marks.
  std::span<const std::uint64_t> registers;
  std::span<const std::byte> dump;
  std::string_view kernel_function;
};

using StackId = std::uint32_t;
inline constexpr StackId kNoStack = 0;  ///< Nothing is known of it: the table's first.

struct StackLimits {
  std::size_t dumps = 16'384;   ///< Stacks with a dump: some 1.5 KiB each.
  std::size_t chains = 65'536;  ///< Stacks without: some 300 bytes each.
};

/// Two are the same if their chains are, and the words of their dumps that may be return addresses. Their 64-bit
/// digests are compared: that two of 2^17 stacks share one by chance is one in 2^31. Not thread-safe.
class StackTable {
 public:
  explicit StackTable(const StackLimits& limits);

  /// @param spaces  those of `pid` is kept
  StackId intern(std::uint32_t pid, const StackView& stack, AddressSpaces& spaces);

  const std::vector<RawStack>& stacks() const { return stacks_; }
  std::vector<RawStack> take() { return std::move(stacks_); }
  /// How often there was no more room: such a stack lost its dump, or became kNoStack.
  std::uint64_t folded() const { return folded_; }

 private:
  std::uint64_t digest_of(std::uint32_t pid, const StackView& stack, bool with_dump, AddressSpaces& spaces);
  StackId add(std::uint64_t digest, std::uint32_t pid, const StackView& stack, AddressSpaces& spaces);

  StackLimits limits_;
  std::vector<RawStack> stacks_;
  std::unordered_map<std::uint64_t, StackId> ids_;  ///< By digest.
  std::size_t dumps_ = 0;
  std::uint64_t folded_ = 0;
  std::vector<std::uint64_t> words_;  ///< Of the dump at hand: kept for its room.
};

/// For telling whether a thread sleeps where it slept before. The same chain gives the same, at all times.
std::uint64_t digest_of_chain(std::span<const std::uint64_t> chain);

}  // namespace aiopt
