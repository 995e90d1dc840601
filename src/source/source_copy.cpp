/// Copies a source into a workspace: see source_copy.hpp.

#include "source/source_copy.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "base/file_descriptor.hpp"
#include "source/file_copy.hpp"
#include "source/untrusted_folder.hpp"

namespace aiopt {
namespace {

namespace fs = std::filesystem;

Error copy_error(const fs::path& from, int number) {
  return {Error::Code::io,
          fmt::format("cannot copy {} into the workspace: {}", from.string(), std::generic_category().message(number))};
}

Result<void> copy_regular_file(const fs::path& from, const fs::path& to) {
  // O_NONBLOCK: should a FIFO stand there by now, opening it must not wait.
  const FileDescriptor in(::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!in.is_open() && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) return {};
  struct stat status {};
  if (!in.is_open() || ::fstat(in.get(), &status) != 0) return copy_error(from, errno);
  if (!S_ISREG(status.st_mode)) return {};
  FileDescriptor out(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out.is_open()) return copy_error(from, errno);
  if (const int number = copy_bytes(in.get(), out.get())) return copy_error(from, number);
  const std::array<struct timespec, 2> times = {status.st_atim, status.st_mtim};
  if (::fchmod(out.get(), status.st_mode & 0777) != 0 || ::futimens(out.get(), times.data()) != 0 || out.close() != 0) {
    return copy_error(from, errno);
  }
  return {};
}

}  // namespace

Result<void> copy_source(const fs::path& source, const fs::path& folder, const std::vector<SourceEntry>& entries) {
  std::set<std::string> made;
  const auto make_folder = [&](const std::string& path, mode_t mode) -> Result<void> {
    if (!made.insert(path).second) return {};
    if (::mkdir((folder / path).c_str(), mode) != 0 && errno != EEXIST) return copy_error(source / path, errno);
    return {};
  };
  for (const SourceEntry& entry : entries) {
    // Git does not list folders.
    for (std::size_t slash = entry.path.find('/'); slash != std::string::npos;
         slash = entry.path.find('/', slash + 1)) {
      if (auto there = make_folder(entry.path.substr(0, slash), 0755); !there) return there;
    }
    Result<void> copied;
    if (S_ISDIR(entry.mode)) {
      copied = make_folder(entry.path, (entry.mode & 0777) | 0700);
    } else if (S_ISREG(entry.mode)) {
      copied = copy_regular_file(source / entry.path, folder / entry.path);
    } else if (::symlink(entry.link_target.c_str(), (folder / entry.path).c_str()) != 0) {
      copied = copy_error(source / entry.path, errno);
    }
    if (!copied) return copied;
  }
  return {};
}

void remove_folder(const fs::path& folder) {
  fs::path absolute = fs::absolute(folder).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  const FileDescriptor parent(::open(absolute.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (parent.is_open()) remove_below(parent.get(), absolute.filename().string());
}

}  // namespace aiopt
