/// Folding of call stacks.

#include "profile/stack_table.hpp"

#include <linux/perf_event.h>

#include <cstring>

namespace aiopt {
namespace {

/// The finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), over what was and what comes.
std::uint64_t mix(std::uint64_t state, std::uint64_t word) {
  state = (state ^ word) + 0x9e3779b97f4a7c15;
  state = (state ^ (state >> 30U)) * 0xbf58476d1ce4e5b9;
  state = (state ^ (state >> 27U)) * 0x94d049bb133111eb;
  return state ^ (state >> 31U);
}

std::uint64_t mix(std::uint64_t state, std::span<const std::uint64_t> words) {
  for (const std::uint64_t word : words) state = mix(state, word);
  return mix(state, words.size());
}

bool is_context_mark(std::uint64_t address) {
  return address >= static_cast<std::uint64_t>(PERF_CONTEXT_MAX);
}

void split_chain(std::span<const std::uint64_t> chain, RawStack& stack) {
  bool is_user = false;
  for (const std::uint64_t address : chain) {
    if (is_context_mark(address)) {
      is_user = address == static_cast<std::uint64_t>(PERF_CONTEXT_USER);
    } else {
      (is_user ? stack.user_chain : stack.kernel_chain).push_back(address);
    }
  }
}

void copy_words(std::span<const std::byte> bytes, std::vector<std::uint64_t>& words) {
  words.resize(bytes.size() / sizeof(std::uint64_t));
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), words.size() * sizeof(std::uint64_t));
}

}  // namespace

std::uint64_t digest_of_chain(std::span<const std::uint64_t> chain) {
  return mix(0, chain);
}

StackTable::StackTable(const StackLimits& limits) : limits_(limits), stacks_(1) {}

std::uint64_t StackTable::digest_of(std::uint32_t pid, const StackView& stack, bool with_dump, AddressSpaces& spaces) {
  std::uint64_t digest = mix(spaces.of(pid), stack.chain);
  for (const char c : stack.kernel_function) digest = mix(digest, static_cast<unsigned char>(c));
  if (!with_dump) return digest;
  copy_words(stack.dump, words_);
  spaces.keep_executable(pid, words_);
  return mix(digest + 1, words_);
}

StackId StackTable::add(std::uint64_t digest, std::uint32_t pid, const StackView& stack, AddressSpaces& spaces) {
  const auto id = static_cast<StackId>(stacks_.size());
  RawStack& raw = stacks_.emplace_back();
  raw.address_space = spaces.keep(pid);
  split_chain(stack.chain, raw);
  raw.kernel_function = stack.kernel_function;
  raw.registers.assign(stack.registers.begin(), stack.registers.end());
  raw.dump.assign(stack.dump.begin(), stack.dump.end());
  ids_.emplace(digest, id);
  return id;
}

StackId StackTable::intern(std::uint32_t pid, const StackView& stack, AddressSpaces& spaces) {
  if (stack.chain.empty() && stack.kernel_function.empty()) return kNoStack;
  if (!stack.dump.empty()) {
    const std::uint64_t digest = digest_of(pid, stack, true, spaces);
    if (const auto known = ids_.find(digest); known != ids_.end()) return known->second;
    if (dumps_ < limits_.dumps) {
      ++dumps_;
      return add(digest, pid, stack, spaces);
    }
    ++folded_;
  }
  const StackView bare{stack.chain, {}, {}, stack.kernel_function};
  const std::uint64_t digest = digest_of(pid, bare, false, spaces);
  if (const auto known = ids_.find(digest); known != ids_.end()) return known->second;
  if (stacks_.size() - dumps_ <= limits_.chains) return add(digest, pid, bare, spaces);
  if (stack.dump.empty()) ++folded_;
  return kNoStack;
}

}  // namespace aiopt
