/// Walks what strangers' programs left in a folder: see untrusted_folder.hpp.

#include "source/untrusted_folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <system_error>

#include <fmt/format.h>

#include "source/text_lines.hpp"

namespace aiopt {
namespace {

constexpr std::size_t kMaxEntries = 2'000'000;
constexpr std::size_t kMaxPathBytes = 4096;
constexpr std::size_t kMaxAllPathsBytes = std::size_t{1} << 30;
constexpr int kMaxOpenFolders = 32;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

bool is_dot(const std::string& name) {
  return name == "." || name == "..";
}

bool is_folder(int parent, const std::string& name) {
  struct stat status {};
  return ::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

/// Removes one tree. What lies deeper than the descriptors reach is moved up to its top, which is emptied until nothing
/// is left.
class Removal {
 public:
  /// 0, or the errno.
  int remove_folder(int parent, const std::string& name, int depth = 0) {
    const FileDescriptor folder = open_to_read(parent, name);
    if (!folder.is_open()) return errno == ENOENT ? 0 : errno;
    if (depth == 0) top_ = folder.get();
    for (;;) {
      std::vector<std::string> names;
      if (const int number = read_names(folder.get(), names)) return number;
      for (const std::string& inner : names) {
        if (const int number = remove_entry(folder.get(), inner, depth)) return number;
      }
      if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return 0;
      // Another round if something was moved up into it: at most one for each 32 levels.
      if ((errno != ENOTEMPTY && errno != EEXIST) || names.empty()) return errno;
    }
  }

 private:
  int remove_entry(int parent, const std::string& name, int depth) {
    if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return 0;
    if (errno != EISDIR && errno != EPERM) return errno;
    if (!is_folder(parent, name)) return EPERM;  // Immutable.
    return depth < kMaxOpenFolders ? remove_folder(parent, name, depth + 1) : move_up(parent, name);
  }

  /// Moves a folder up to the top, under a name that is free there.
  int move_up(int parent, const std::string& name) {
    open_to_read(parent, name);  // It can be moved only if it can be written: its ".." changes.
    for (;;) {
      const std::string free_name = fmt::format(".aiopt-gone-{}", next_++);
      if (::renameat2(parent, name.c_str(), top_, free_name.c_str(), RENAME_NOREPLACE) == 0) return 0;
      if (errno == EINVAL && ::renameat(parent, name.c_str(), top_, free_name.c_str()) == 0) return 0;
      if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) return errno;
    }
  }

  int top_ = -1;
  std::uint64_t next_ = 0;
};

}  // namespace

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

FileDescriptor open_below(int root, const std::string& path) {
  constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  FileDescriptor folder(::openat(root, ".", kFlags));
  for (std::size_t begin = 0; folder.is_open() && begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    folder = FileDescriptor(::openat(folder.get(), path.substr(begin, end - begin).c_str(), kFlags));
    begin = end + 1;
  }
  return folder;
}

FileDescriptor open_to_read(int parent, const std::string& name) {
  const FileDescriptor found(::openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!found.is_open() || ::fstat(found.get(), &status) != 0) return {};
  if ((status.st_mode & 0700) != 0700) {
    // By /proc: fchmod(2) takes no O_PATH descriptor, and a path could lead elsewhere by now.
    if (::chmod(fmt::format("/proc/self/fd/{}", found.get()).c_str(), (status.st_mode & 07777) | 0700) != 0) return {};
  }
  return FileDescriptor(::openat(found.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

int read_names(int folder, std::vector<std::string>& names) {
  const int again = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return errno;
  const std::unique_ptr<DIR, CloseFolder> entries(::fdopendir(again));  // Takes the descriptor over.
  if (!entries) {
    const int number = errno;
    ::close(again);
    return number;
  }
  for (;;) {
    errno = 0;
    const struct dirent* entry = ::readdir(entries.get());
    if (entry == nullptr) return errno;
    std::string name(entry->d_name);
    if (!is_dot(name)) names.push_back(std::move(name));
  }
}

int remove_below(int parent, const std::string& name) {
  if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM) return errno;
  if (!is_folder(parent, name)) return EPERM;
  return Removal().remove_folder(parent, name);
}

Result<FolderListing> list_folder(int root, const std::function<bool(const std::string&, const Fingerprint&)>& enters) {
  const auto failed = [](const std::string& path, int number) {
    return Error{Error::Code::io, fmt::format("cannot read the folder {} of a workspace: {}", in_backticks(path),
                                              std::generic_category().message(number))};
  };
  FolderListing listing;
  std::size_t bytes = 0;
  std::vector<std::string> open_folders = {""};
  while (!open_folders.empty()) {
    const std::string path = std::move(open_folders.back());
    open_folders.pop_back();
    const FileDescriptor parent = open_below(root, parent_of(path));
    if (!parent.is_open()) return failed(path, errno);
    const FileDescriptor folder = open_to_read(parent.get(), path.empty() ? "." : name_of(path));
    struct stat status {};
    if (!folder.is_open() || ::fstat(folder.get(), &status) != 0) return failed(path, errno);
    listing[path] = fingerprint_of(status);
    std::vector<std::string> names;
    if (const int number = read_names(folder.get(), names)) return failed(path, number);
    for (const std::string& name : names) {
      if (::fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) continue;
        return failed(path, errno);
      }
      std::string inner = path.empty() ? name : path + '/' + name;
      bytes += inner.size();
      if (inner.size() > kMaxPathBytes || bytes > kMaxAllPathsBytes || listing.size() >= kMaxEntries) {
        return Error{Error::Code::unavailable,
                     fmt::format("too much lies in a workspace: more than {} files, or paths longer than {} bytes",
                                 kMaxEntries, kMaxPathBytes)};
      }
      const Fingerprint fingerprint = fingerprint_of(status);
      if (S_ISDIR(status.st_mode) && enters(inner, fingerprint)) open_folders.push_back(inner);
      listing.emplace(std::move(inner), fingerprint);
    }
  }
  return listing;
}

}  // namespace aiopt
