/// Finds an object's debug information as GDB does ("Debugging Information in Separate Files"), in local files alone.

#include "profile/code_object.hpp"

#include <fmt/format.h>

#include <string_view>

#include "profile/function_name.hpp"

namespace aiopt {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDeleted = " (deleted)";

bool is_of_same_build(const ObjectFile& file, const ObjectFile& debug_file) {
  return !file.build_id().empty() && file.build_id() == debug_file.build_id();
}

/// /usr/lib/debug/.build-id/ab/cdef.debug
std::shared_ptr<const ObjectFile> debug_file_by_build_id(const ObjectFile& file, const CodeObjectOptions& options) {
  if (file.build_id().size() < 3) return nullptr;
  const fs::path place =
      options.debug_folder / ".build-id" / file.build_id().substr(0, 2) / (file.build_id().substr(2) + ".debug");
  const auto opened = ObjectFile::open(place, options.most_file_bytes);
  return opened && is_of_same_build(file, **opened) ? *opened : nullptr;
}

/// By .gnu_debuglink: beside the object, in .debug there, or in the same folder below the debug folder.
std::shared_ptr<const ObjectFile> debug_file_by_link(const ObjectFile& file, const CodeObjectOptions& options) {
  if (!file.debug_link() || file.debug_link()->name.find('/') != std::string::npos) return nullptr;
  const std::string& name = file.debug_link()->name;
  const fs::path folder = file.path().parent_path();
  for (const fs::path& place :
       {folder / name, folder / ".debug" / name, options.debug_folder / folder.relative_path() / name}) {
    if (place == file.path()) continue;
    const auto opened = ObjectFile::open(place, options.most_file_bytes);
    if (!opened) continue;
    // The checksum costs a look at every byte: it is for objects without a build id.
    const bool fits =
        file.build_id().empty() ? crc_of(**opened) == file.debug_link()->crc : is_of_same_build(file, **opened);
    if (fits) return *opened;
  }
  return nullptr;
}

std::shared_ptr<const ObjectFile> debug_file_of(const ObjectFile& file, const CodeObjectOptions& options) {
  std::shared_ptr<const ObjectFile> found = debug_file_by_build_id(file, options);
  return found != nullptr ? found : debug_file_by_link(file, options);
}

}  // namespace

void CodeObject::index() {
  is_indexed_ = true;
  symbols_.add_symbols_of(*file_);
  symbols_.add_starts_of(*file_);
  dwarf_ = DwarfIndex::open(file_, *file_, 0);
  const std::shared_ptr<const ObjectFile> debug_file = dwarf_ == nullptr ? debug_file_of(*file_, options_) : nullptr;
  if (debug_file != nullptr) {
    const std::uint64_t shift = file_->first_address() - debug_file->first_address();
    symbols_.add_symbols_of(*debug_file, shift);
    dwarf_ = DwarfIndex::open(debug_file, *file_, shift);
  }
  symbols_.index();
}

std::vector<StackFrame> CodeObject::frames_at(std::uint64_t address) {
  if (!is_indexed_) index();
  std::vector<StackFrame> frames;
  if (dwarf_ != nullptr) frames = dwarf_->frames_at(address);
  if (frames.empty()) frames.emplace_back();
  std::string& outermost = frames.back().place.function;
  const std::string_view symbol = symbols_.name_at(address);
  // A C function has several: debug information tells "__GI_fsync", the symbols that it is "fsync" too.
  if (outermost.empty() || (!symbol.empty() && !symbol.starts_with("_Z"))) outermost = symbol_at(address);
  for (StackFrame& frame : frames) {
    if (frame.place.function.empty()) frame.place.function = "[unknown]";  // Inlined, of no name.
    frame.object = file_->path().string();
  }
  return frames;
}

std::string CodeObject::symbol_at(std::uint64_t address) const {
  const std::string_view symbol = symbols_.name_at(address);
  if (!symbol.empty()) return function_name_of(symbol);
  return fmt::format("{}+{:#x}", file_->path().filename().string(), symbols_.start_of(address));
}

CodeObject* CodeObjects::find(const Mapping& mapping) {
  const auto [object, is_new] = objects_.try_emplace({mapping.path, mapping.build_id});
  if (is_new) object->second = open(mapping);
  return object->second.get();
}

std::unique_ptr<CodeObject> CodeObjects::open(const Mapping& mapping) {
  const std::string& path = mapping.path;
  const bool is_vdso = path == "[vdso]";
  if (!is_vdso && !path.starts_with('/')) return nullptr;  // "[heap]", "//anon" without its first
  if (path.starts_with("//anon") || path.starts_with("/memfd:") || path.starts_with("/dev/")) return nullptr;
  if (path.ends_with(kDeleted)) {
    notes_.push_back(fmt::format("{}: its functions have no names", path));
    return nullptr;
  }
  const auto file = is_vdso ? ObjectFile::own_vdso() : ObjectFile::open(path, options_.most_file_bytes);
  if (!file) {
    notes_.push_back(fmt::format("{}: its functions have no names", file.error().message));
    return nullptr;
  }
  if (!mapping.build_id.empty() && mapping.build_id != (*file)->build_id()) {
    notes_.push_back(fmt::format("{} has changed since it ran: its functions have no names", path));
    return nullptr;
  }
  return std::make_unique<CodeObject>(*file, options_);
}

std::vector<std::string> CodeObjects::notes() const {
  std::vector<std::string> notes = notes_;
  for (const auto& [key, object] : objects_) {
    if (object == nullptr || !object->is_exhausted()) continue;
    notes.push_back(fmt::format("{} has more debug information than is read: some functions have no lines", key.first));
  }
  return notes;
}

}  // namespace aiopt
