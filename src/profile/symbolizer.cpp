/// From an address to the file's, from there to the linker's, and there to names.

#include "profile/symbolizer.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace aiopt {

namespace {

/// "/tmp/libfoo.so (deleted)" -> "libfoo.so+0x12f0". What has no file, "[heap]", is one place.
StackFrame frame_of_name(const Mapping& mapping, std::uint64_t file_offset) {
  std::string_view name = mapping.path;
  const bool is_anonymous = name.empty() || name.starts_with("//anon");
  if (is_anonymous) name = "[anonymous]";
  const bool is_file = name.starts_with('/');
  constexpr std::string_view kSuffix = " (deleted)";
  if (is_file && name.ends_with(kSuffix)) name.remove_suffix(kSuffix.size());
  name.remove_prefix(name.rfind('/') + 1);  // npos + 1 is 0.
  StackFrame frame;
  frame.place.function = is_file ? fmt::format("{}+{:#x}", name, file_offset) : std::string(name);
  frame.object = is_anonymous ? std::string(name) : mapping.path;
  return frame;
}

}  // namespace

Symbolizer::Symbolizer(std::span<const Mapping> mappings, std::shared_ptr<CodeObjects> objects)
    : objects_(std::move(objects)) {
  for (const Mapping& mapping : mappings) map_.add(mapping);
}

void Symbolizer::add(const Mapping& mapping) {
  map_.add(mapping);
  std::erase_if(known_, [&](const auto& known) { return known.first >= mapping.start && known.first < mapping.end; });
}

const std::vector<StackFrame>& Symbolizer::frames(std::uint64_t address) {
  const auto known = known_.find(address);
  if (known != known_.end()) return known->second;
  return known_.emplace(address, find_frames(address)).first->second;
}

std::vector<StackFrame> Symbolizer::find_frames(std::uint64_t address) {
  const Mapping* const mapping = map_.find(address);
  if (mapping == nullptr) return {{{"[unknown]", "", 0}, "", false}};
  const std::uint64_t file_offset = mapping->file_offset + (address - mapping->start);
  CodeObject* const object = objects_->find(*mapping);
  const std::optional<std::uint64_t> linked = object == nullptr ? std::nullopt : object->file().address_of(file_offset);
  if (!linked) return {frame_of_name(*mapping, file_offset)};
  return object->frames_at(*linked);
}

}  // namespace aiopt
