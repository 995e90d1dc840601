/// ObjectFile: a program, library or file of debug information, opened so that a hostile one does no harm.

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>

struct Elf;  // libelf

namespace aiopt {

/// It is read into memory as a whole: a mapped file that shrinks gives SIGBUS, and libdw 0.188 goes on behind sections
/// whose last string does not end; there it finds the rest of the file, or the zeros behind it. Not thread-safe.
class ObjectFile {
 public:
  /// What is loaded into memory (elf(5), PT_LOAD). Addresses are those that the linker gave.
  struct Segment {
    std::uint64_t address = 0;
    std::uint64_t memory_bytes = 0;
    std::uint64_t file_offset = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t alignment = 0;
    bool is_code = false;
  };

  struct DebugLink {
    std::string name;  ///< Of a file, without a folder.
    std::uint32_t crc = 0;
  };

  /// Errors: not_found, io, invalid_argument (no regular file, larger than the limit, no ELF of this byte order, or
  /// with compressed sections that are larger than the limit).
  static Result<std::shared_ptr<const ObjectFile>> open(const std::filesystem::path& file, std::uint64_t limit_bytes);

  /// The vdso that the kernel mapped into this process; it maps the same one into all of them. Error: unavailable.
  static Result<std::shared_ptr<const ObjectFile>> own_vdso();

  ~ObjectFile();
  ObjectFile(const ObjectFile&) = delete;
  ObjectFile& operator=(const ObjectFile&) = delete;

  Elf* elf() const { return elf_; }  ///< Lent. Never nullptr.
  const std::filesystem::path& path() const { return path_; }
  const std::string& build_id() const { return build_id_; }  ///< Lower-case hex; empty: it has none.
  const std::optional<DebugLink>& debug_link() const { return debug_link_; }
  const std::vector<Segment>& segments() const { return segments_; }

  /// The linker's address of a byte of the file. Empty: it is not loaded.
  std::optional<std::uint64_t> address_of(std::uint64_t file_offset) const;
  bool is_code(std::uint64_t address) const;
  /// Of the first segment; 0 if there is none.
  std::uint64_t first_address() const { return segments_.empty() ? 0 : segments_[0].address; }

  std::uint64_t size() const { return image_.size() - kPadding; }  ///< In bytes, when it was opened.
  /// Lent, at most `size` bytes; fewer where the file ends.
  std::string_view bytes_at(std::uint64_t file_offset, std::size_t size) const;

 private:
  static constexpr std::size_t kPadding = 16;  ///< Zeros behind the file.

  ObjectFile() = default;
  /// What is wrong with the image; empty: nothing.
  std::string load(std::uint64_t limit_bytes);
  void load_segments();
  void load_links();

  std::filesystem::path path_;
  std::string image_;  ///< With kPadding.
  Elf* elf_ = nullptr;
  std::string build_id_;
  std::optional<DebugLink> debug_link_;
  std::vector<Segment> segments_;
};

/// Of the whole file, as .gnu_debuglink has it: CRC-32 (IEEE 802.3).
std::uint32_t crc_of(const ObjectFile& file);

}  // namespace aiopt
