/// CodeObject: a program or library whose addresses can be named. CodeObjects: those of all processes, each opened
/// once.

#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <aiopt/result.hpp>

#include "profile/dwarf_index.hpp"
#include "profile/function_symbols.hpp"
#include "profile/mapping.hpp"
#include "profile/object_file.hpp"
#include "profile/sampled_stacks.hpp"

namespace aiopt {

struct CodeObjectOptions {
  std::filesystem::path debug_folder = "/usr/lib/debug";   ///< Where packages put separate debug information.
  std::uint64_t most_file_bytes = std::uint64_t{2} << 30;  ///< Larger files are known by name only.
};

/// Not thread-safe.
class CodeObject {
 public:
  /// Its symbols and debug information are read when the first address is asked for.
  CodeObject(std::shared_ptr<const ObjectFile> file, CodeObjectOptions options)
      : file_(std::move(file)), options_(std::move(options)) {}

  const ObjectFile& file() const { return *file_; }

  /// Innermost first, never empty; `object` is the file's path. Without debug information one frame of a symbol's name,
  /// without a symbol "libfoo.so+0x12f0": where the function begins, so that it has one name, or else the address
  /// itself.
  ///
  /// @param address  the linker's
  std::vector<StackFrame> frames_at(std::uint64_t address);

  bool is_exhausted() const { return dwarf_ != nullptr && dwarf_->is_exhausted(); }  ///< See DwarfIndex.

 private:
  void index();
  std::string symbol_at(std::uint64_t address) const;

  std::shared_ptr<const ObjectFile> file_;
  CodeObjectOptions options_;
  bool is_indexed_ = false;
  FunctionSymbols symbols_;
  std::unique_ptr<DwarfIndex> dwarf_;
};

/// Not thread-safe. Never asks a debuginfod server.
class CodeObjects {
 public:
  explicit CodeObjects(CodeObjectOptions options = {}) : options_(std::move(options)) {}

  /// What the mapping holds, as long as this lives. nullptr: only its name is known, be it no file, deleted, changed
  /// since it was mapped or not readable.
  CodeObject* find(const Mapping& mapping);

  /// What a reader should know: "/tmp/db_bench has changed since it ran: its functions have no names". One a file.
  std::vector<std::string> notes() const;

 private:
  std::unique_ptr<CodeObject> open(const Mapping& mapping);

  CodeObjectOptions options_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<CodeObject>> objects_;  ///< By path and build id.
  std::vector<std::string> notes_;
};

}  // namespace aiopt
