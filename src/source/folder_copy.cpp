/// Copies a folder in which something was built: see folder_copy.hpp.

#include "source/folder_copy.hpp"

#include <ar.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

#include <fmt/format.h>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "source/elf_sections.hpp"
#include "source/file_copy.hpp"
#include "source/text_lines.hpp"
#include "source/untrusted_folder.hpp"

namespace aiopt {
namespace {

Error copy_error(const std::string& path, int number) {
  return {Error::Code::io, fmt::format("cannot copy {} of a workspace: {}", in_backticks(path),
                                       std::generic_category().message(number))};
}

struct timespec time_of(std::int64_t nanoseconds) {
  return {nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
}

std::array<struct timespec, 2> times_of(const Fingerprint& file) {
  return {{{0, UTIME_OMIT}, time_of(file.modified_ns)}};
}

FileDescriptor open_regular(int parent, const std::string& name) {
  return FileDescriptor(::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
}

/// 0, or the errno.
int copy_file(int from, int to, const std::string& name, const Fingerprint& file) {
  const FileDescriptor in = open_regular(from, name);
  if (!in.is_open()) return errno;
  FileDescriptor out(::openat(to, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out.is_open()) return errno;
  if (const int number = copy_bytes(in.get(), out.get())) return number;
  const auto times = times_of(file);
  if (::fchmod(out.get(), file.mode & 0777) != 0 || ::futimens(out.get(), times.data()) != 0) return errno;
  return out.close() == 0 ? 0 : errno;
}

/// 0, or the errno.
int copy_link(int from, int to, const std::string& name, const Fingerprint& link) {
  std::string target(static_cast<std::size_t>(link.size) + 1, '\0');
  const ssize_t length = ::readlinkat(from, name.c_str(), target.data(), target.size());
  if (length < 0) return errno;
  target.resize(static_cast<std::size_t>(length));
  if (::symlinkat(target.c_str(), to, name.c_str()) != 0) return errno;
  const auto times = times_of(link);
  return ::utimensat(to, name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

bool has_words(std::string_view bytes, std::string_view words);

/// Of a static library (ar(5)): whether a member has the words in it.
bool archive_has(std::string_view bytes, std::string_view words) {
  bytes.remove_prefix(SARMAG);
  while (bytes.size() >= sizeof(struct ar_hdr)) {
    struct ar_hdr head {};
    std::memcpy(&head, bytes.data(), sizeof(head));
    bytes.remove_prefix(sizeof(head));
    std::size_t size = 0;
    const auto read = std::from_chars(head.ar_size, head.ar_size + sizeof(head.ar_size), size);
    if (read.ec != std::errc() || size > bytes.size()) return has_words(bytes, words);
    if (has_words(bytes.substr(0, size), words)) return true;
    bytes.remove_prefix(std::min(size + size % 2, bytes.size()));
  }
  return false;
}

bool has_words(std::string_view bytes, std::string_view words) {
  const auto elf = read_elf(bytes);
  if (!elf) return bytes.find(words) != std::string_view::npos;
  for (const LoadedSection& section : elf->sections) {
    if (section.bytes.find(words) != std::string_view::npos) return true;
  }
  return false;
}

bool enters_all(const std::string&, const Fingerprint&) {
  return true;
}

}  // namespace

Result<void> copy_built_folder(int from, int to, const std::string& left_out) {
  const auto listing = list_folder(from, enters_all);
  if (!listing) return listing.error();
  for (const auto& [path, file] : *listing) {
    if (path.empty() || path == left_out) continue;
    const FileDescriptor source = open_below(from, parent_of(path));
    const FileDescriptor target = open_below(to, parent_of(path));
    if (!source.is_open() || !target.is_open()) return copy_error(path, errno);
    const std::string name = name_of(path);
    int number = 0;
    if (S_ISDIR(file.mode)) number = ::mkdirat(target.get(), name.c_str(), 0700) == 0 ? 0 : errno;
    if (S_ISREG(file.mode)) number = copy_file(source.get(), target.get(), name, file);
    if (S_ISLNK(file.mode)) number = copy_link(source.get(), target.get(), name, file);
    if (number != 0) return copy_error(path, number);
  }
  // Last, for what comes into a folder changes its time.
  for (const auto& [path, file] : *listing) {
    if (!S_ISDIR(file.mode)) continue;
    const FileDescriptor parent = open_below(to, parent_of(path));
    const FileDescriptor folder = open_to_read(parent.get(), path.empty() ? "." : name_of(path));
    const auto times = times_of(file);
    if (!folder.is_open() || ::fchmod(folder.get(), file.mode & 0777) != 0 ||
        ::futimens(folder.get(), times.data()) != 0) {
      return copy_error(path, errno);
    }
  }
  return {};
}

Result<std::string> find_file_with(int folder, std::string_view words) {
  const auto listing = list_folder(folder, enters_all);
  if (!listing) return listing.error();
  for (const auto& [path, file] : *listing) {
    if (!S_ISREG(file.mode)) continue;
    const FileDescriptor parent = open_below(folder, parent_of(path));
    const FileDescriptor in = open_regular(parent.get(), name_of(path));
    if (!in.is_open()) return copy_error(path, errno);
    const auto bytes = read_file(fmt::format("/proc/self/fd/{}", in.get()));
    if (!bytes) return bytes.error();
    const bool found = bytes->starts_with(ARMAG) ? archive_has(*bytes, words) : has_words(*bytes, words);
    if (found) return path;
  }
  return std::string();
}

}  // namespace aiopt
