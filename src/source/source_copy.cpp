/// Copies a source into a workspace: see source_copy.hpp.

#include "source/source_copy.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <system_error>

#include <fmt/format.h>

#include "base/file_descriptor.hpp"
#include "source/cache_tag.hpp"

namespace aiopt {
namespace {

namespace fs = std::filesystem;

Error copy_error(const fs::path& from, int number) {
  return {Error::Code::io,
          fmt::format("cannot copy {} into the workspace: {}", from.string(), std::generic_category().message(number))};
}

/// 0, or the errno. For file systems between which the kernel does not copy.
int copy_by_hand(int in, int out) {
  std::array<char, 65536> chunk;
  for (;;) {
    const ssize_t got = ::read(in, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;
    for (ssize_t done = 0; done < got;) {
      const ssize_t written = ::write(out, chunk.data() + done, static_cast<std::size_t>(got - done));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return errno;
      done += written;
    }
  }
}

/// 0, or the errno. Shares the blocks (Btrfs, XFS), else lets the kernel copy, else copies.
int copy_bytes(int in, int out) {
  if (::ioctl(out, FICLONE, in) == 0) return 0;
  constexpr std::size_t kChunk = std::size_t{1} << 30;
  for (bool first = true;; first = false) {
    const ssize_t copied = ::copy_file_range(in, nullptr, out, nullptr, kChunk, 0);
    if (copied > 0) continue;
    // Some file systems say 0 at once for files that have bytes: reading decides.
    if (copied == 0) return first ? copy_by_hand(in, out) : 0;
    if (errno == EINTR) continue;
    return first ? copy_by_hand(in, out) : errno;
  }
}

Result<void> copy_regular_file(const fs::path& from, const fs::path& to) {
  // O_NONBLOCK: should a FIFO stand there by now, opening it must not wait.
  const FileDescriptor in(::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
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

class Copier {
 public:
  Copier(const fs::path& source, const fs::path& folder) : source_(source.lexically_normal()), folder_(folder) {}

  /// `path` is relative to the source; "" is all of it.
  Result<void> copy_folder(const std::string& path) {
    std::error_code failure;
    fs::directory_iterator entries(source_ / path, failure);
    if (failure) return copy_error(source_ / path, failure.value());
    for (; entries != fs::directory_iterator(); entries.increment(failure)) {
      const std::string name = entries->path().filename().string();
      if (name == ".git" || (path.empty() && name == kCacheTagName)) continue;  // The copy has a tag of its own.
      if (auto copied = copy_entry(path.empty() ? name : path + '/' + name); !copied) return copied;
    }
    if (failure) return copy_error(source_ / path, failure.value());
    return {};
  }

  Result<void> copy_entry(const std::string& path) {
    struct stat status {};
    if (::lstat((source_ / path).c_str(), &status) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return {};
      return copy_error(source_ / path, errno);
    }
    if (S_ISDIR(status.st_mode)) {
      if (leaves_out(path)) return {};
      if (::mkdir((folder_ / path).c_str(), (status.st_mode & 0777) | 0700) != 0 && errno != EEXIST) {
        return copy_error(source_ / path, errno);
      }
      return copy_folder(path);
    }
    if (S_ISLNK(status.st_mode)) return copy_link(path);
    if (S_ISREG(status.st_mode)) return copy_regular_file(source_ / path, folder_ / path);
    return {};
  }

  Result<void> copy_listed(const std::string& path) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      if (leaves_out(parent)) return {};
      if (!made_.insert(parent).second) continue;
      if (::mkdir((folder_ / parent).c_str(), 0755) != 0 && errno != EEXIST) return copy_error(source_ / parent, errno);
    }
    return copy_entry(path);
  }

  SourceCopy take_result() { return std::move(copy_); }

 private:
  bool leaves_out(const std::string& path) {
    const auto [entry, is_new] = left_out_.try_emplace(path, false);
    if (is_new) entry->second = is_left_out(source_ / path);
    return entry->second;
  }

  Result<void> copy_link(const std::string& path) {
    std::error_code failure;
    const fs::path target = fs::read_symlink(source_ / path, failure);
    if (failure) return copy_error(source_ / path, failure.value());
    const fs::path parent = fs::path(path).parent_path();
    const fs::path meant = (target.is_absolute() ? target : source_ / parent / target).lexically_normal();
    const fs::path inside = meant.lexically_relative(source_);
    const bool leads_out = inside.empty() || *inside.begin() == "..";
    fs::path copied = target;
    if (leads_out) {
      copied = meant;
    } else if (target.is_absolute()) {
      copied = inside.lexically_relative(parent.empty() ? fs::path(".") : parent);
    }
    fs::create_symlink(copied, folder_ / path, failure);
    if (failure) return copy_error(source_ / path, failure.value());
    copy_.links.insert(path);
    return {};
  }

  const fs::path source_;
  const fs::path folder_;
  SourceCopy copy_;
  std::set<std::string> made_;
  std::map<std::string, bool> left_out_;
};

void open_permissions(const fs::path& folder) {
  std::error_code ignored;
  fs::permissions(folder, fs::perms::owner_all, fs::perm_options::add | fs::perm_options::nofollow, ignored);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (fs::is_directory(entry.symlink_status(ignored))) open_permissions(entry.path());
  }
}

}  // namespace

Result<SourceCopy> copy_source(const fs::path& source, const fs::path& folder) {
  Copier copier(source, folder);
  if (auto copied = copier.copy_folder(""); !copied) return copied.error();
  return copier.take_result();
}

Result<SourceCopy> copy_source(const fs::path& source, const fs::path& folder, const std::vector<std::string>& paths) {
  Copier copier(source, folder);
  for (const std::string& path : paths) {
    if (auto copied = copier.copy_listed(path); !copied) return copied.error();
  }
  return copier.take_result();
}

void remove_folder(const fs::path& folder) {
  std::error_code failure;
  fs::remove_all(folder, failure);
  if (!failure) return;
  open_permissions(folder);
  fs::remove_all(folder, failure);
}

}  // namespace aiopt
