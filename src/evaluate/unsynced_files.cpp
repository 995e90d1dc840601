/// A look at the page cache.

#include "evaluate/unsynced_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>
#include <system_error>

#include "base/file_descriptor.hpp"

namespace aiopt {

namespace {

namespace fs = std::filesystem;

/// The same on all architectures, like all system calls of that age; not in Debian 12's headers.
constexpr long kCachestat = 451;

/// uapi/linux/mman.h
struct CachestatRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< 0: to the end.
};
struct Cachestat {
  std::uint64_t cached = 0;
  std::uint64_t dirty = 0;
  std::uint64_t under_writeback = 0;
  std::uint64_t evicted = 0;
  std::uint64_t recently_evicted = 0;
};

std::optional<std::uint64_t> unsynced_bytes_of(const fs::path& file) {
  // Without O_NONBLOCK a pipe that was put in the file's place would never open.
  const FileDescriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!descriptor.is_open() || ::fstat(descriptor.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  CachestatRange all;
  Cachestat pages;
  if (::syscall(kCachestat, descriptor.get(), &all, &pages, 0U) != 0) return std::nullopt;
  return (pages.dirty + pages.under_writeback) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::map<std::string, std::uint64_t> unsynced_bytes(const fs::path& folder, const std::vector<std::string>& paths) {
  std::map<std::string, std::uint64_t> bytes;
  const auto look = [&](const fs::path& file) {
    if (const auto unsynced = unsynced_bytes_of(file))
      bytes[file.lexically_relative(folder).generic_string()] = *unsynced;
  };
  for (const std::string& path : paths) {
    std::error_code failure;
    const fs::file_status status = fs::symlink_status(folder / path, failure);
    if (fs::is_regular_file(status)) look(folder / path);
    if (!fs::is_directory(status)) continue;
    for (fs::recursive_directory_iterator entry(folder / path, failure), end; !failure && entry != end;
         entry.increment(failure)) {
      look(entry->path());
    }
  }
  return bytes;
}

}  // namespace aiopt
