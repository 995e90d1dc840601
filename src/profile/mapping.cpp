/// Cuts what a new mapping covers out of the old ones; reads /proc/PID/maps.

#include "profile/mapping.hpp"

#include <charconv>
#include <optional>
#include <utility>

#include "base/text.hpp"

namespace aiopt {

namespace {

/// The number at the front of `text`, which loses it and one character behind it.
std::optional<std::uint64_t> take_hex(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [behind, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(behind - text.data()));
  if (!text.empty()) text.remove_prefix(1);
  return number;
}

std::string_view take_word(std::string_view& text) {
  const std::size_t length = std::min(text.find(' '), text.size());
  const std::string_view word = text.substr(0, length);
  text.remove_prefix(std::min(length + 1, text.size()));
  return word;
}

/// "7f12a000-7f12b000 r-xp 00001000 fd:01 1234   /usr/lib/x.so"
std::optional<Mapping> parse_maps_line(std::string_view line) {
  const std::optional<std::uint64_t> start = take_hex(line);
  const std::optional<std::uint64_t> end = take_hex(line);
  if (!start || !end || *end <= *start || take_word(line).find('x') == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint64_t> file_offset = take_hex(line);
  if (!file_offset) return std::nullopt;
  take_word(line);  // device
  take_word(line);  // inode
  return Mapping{*start, *end, *file_offset, std::string(trim(line)), ""};
}

}  // namespace

void AddressMap::add(Mapping mapping) {
  if (mapping.end <= mapping.start) return;
  auto next = by_start_.lower_bound(mapping.start);
  if (next != by_start_.begin() && std::prev(next)->second.end > mapping.start) --next;
  while (next != by_start_.end() && next->second.start < mapping.end) {
    const Mapping old = std::move(next->second);
    next = by_start_.erase(next);
    if (old.end > mapping.end) {
      Mapping behind = old;
      behind.start = mapping.end;
      behind.file_offset += mapping.end - old.start;
      by_start_.insert_or_assign(behind.start, std::move(behind));
    }
    if (old.start < mapping.start) {
      Mapping before = old;
      before.end = mapping.start;
      by_start_.insert_or_assign(before.start, std::move(before));
    }
  }
  by_start_.insert_or_assign(mapping.start, std::move(mapping));
}

const Mapping* AddressMap::find(std::uint64_t address) const {
  auto next = by_start_.upper_bound(address);
  if (next == by_start_.begin()) return nullptr;
  const Mapping& before = std::prev(next)->second;
  return address < before.end ? &before : nullptr;
}

std::vector<Mapping> parse_maps(std::string_view text) {
  std::vector<Mapping> mappings;
  for (const std::string_view line : split_lines(text)) {
    if (std::optional<Mapping> mapping = parse_maps_line(line)) mappings.push_back(*std::move(mapping));
  }
  return mappings;
}

}  // namespace aiopt
