/// FolderSeal: see folder_seal.hpp.

#include "source/folder_seal.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "source/cache_tag.hpp"
#include "source/file_copy.hpp"
#include "source/source_copy.hpp"
#include "source/text_lines.hpp"

namespace aiopt {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNamed = 20;
constexpr std::size_t kLongestName = 200;

Error seal_error(const std::string& path, int number) {
  return {Error::Code::io, fmt::format("cannot keep {} of a workspace as it is: {}", in_backticks(path),
                                       std::generic_category().message(number))};
}

bool is_or_lies_in(const std::string& path, const std::set<std::string>& paths) {
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (paths.contains(path.substr(0, slash))) return true;
  }
  return paths.contains(path);
}

void name_path(const std::string& path, std::vector<std::string>& names, std::size_t& count) {
  if (++count <= kMaxNamed) names.push_back(path.empty() ? "." : one_line(path, kLongestName));
}

/// Whether a folder is the one it was. Its times and permissions are put back.
bool is_same_folder(const Fingerprint& was, const Fingerprint& is) {
  return S_ISDIR(was.mode) && S_ISDIR(is.mode) && was.inode == is.inode && was.device == is.device;
}

/// Names and values of all extended attributes (xattr(7)), access control lists among them; "" for none.
std::string attributes_of(int fd) {
  if (::flistxattr(fd, nullptr, 0) <= 0) return "";
  std::string names(65536, '\0');  // XATTR_LIST_MAX
  const ssize_t length = ::flistxattr(fd, names.data(), names.size());
  if (length <= 0) return "";
  names.resize(static_cast<std::size_t>(length));
  std::string all;
  for (std::size_t begin = 0; begin < names.size();) {
    const std::string name = names.c_str() + begin;
    begin += name.size() + 1;
    std::string value(65536, '\0');  // XATTR_SIZE_MAX
    const ssize_t size = ::fgetxattr(fd, name.c_str(), value.data(), value.size());
    value.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    all += fmt::format("{}={}:{}\n", name, value.size(), value);
  }
  return all;
}

/// Opens a regular file, and lets its owner read it if he may not.
FileDescriptor open_file_to_read(int parent, const std::string& name) {
  const FileDescriptor found(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!found.is_open() || ::fstat(found.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  const std::string path = fmt::format("/proc/self/fd/{}", found.get());
  if ((status.st_mode & 0400) == 0 && ::chmod(path.c_str(), (status.st_mode & 07777) | 0400) != 0) return {};
  return FileDescriptor(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
}

std::array<struct timespec, 2> with_time(std::int64_t modified_ns) {
  return {{{0, UTIME_OMIT}, {modified_ns / 1'000'000'000, modified_ns % 1'000'000'000}}};
}

Result<std::set<std::string>> checked_data(const std::vector<std::string>& data) {
  std::set<std::string> checked;
  for (std::string path : data) {
    while (path.ends_with('/')) path.pop_back();
    bool good = !path.empty() && path.find('\0') == std::string::npos;
    for (std::size_t begin = 0; good && begin <= path.size();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      const std::string name = path.substr(begin, end - begin);
      good = !name.empty() && name != "." && name != "..";
      begin = end + 1;
    }
    if (!good) {
      return Error{Error::Code::invalid_argument,
                   fmt::format("data: cannot use the path {}; write it relative to the source, as build/bench.db",
                               in_backticks(path))};
    }
    checked.insert(std::move(path));
  }
  return checked;
}

}  // namespace

FolderSeal::FolderSeal(int root, fs::path snapshot, std::set<std::string> data)
    : root_(root), snapshot_(std::move(snapshot)), data_(std::move(data)) {}

FolderSeal::~FolderSeal() {
  const bool owns = copies_.is_open();  // False if moved from.
  copies_.close();
  if (owns) remove_folder(snapshot_);
}

bool FolderSeal::is_data(const std::string& path) const {
  return is_or_lies_in(path, data_);
}

Result<FolderSeal> FolderSeal::make(int root, fs::path snapshot, const std::vector<std::string>& data) {
  auto checked = checked_data(data);
  if (!checked) return checked.error();
  // What git keeps for itself is not the program's: `git status` alone may change it.
  checked->insert(".git");
  FolderSeal seal(root, std::move(snapshot), std::move(*checked));
  if (auto taken = seal.take_snapshot(); !taken) return taken.error();
  return seal;
}

Result<void> FolderSeal::take_snapshot() {
  remove_folder(snapshot_);
  const auto failed = [&](int number) {
    return Error{Error::Code::io, fmt::format("cannot make the folder {}: {}", snapshot_.string(),
                                              std::generic_category().message(number))};
  };
  if (::mkdir(snapshot_.c_str(), 0700) != 0) return failed(errno);
  copies_ = FileDescriptor(::open(snapshot_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!copies_.is_open()) return failed(errno);
  // It may lie within a source.
  if (auto tagged = write_cache_tag(snapshot_); !tagged) return tagged.error();

  auto listing = list_folder(root_, [](const std::string&, const Fingerprint&) { return true; });
  if (!listing) return listing.error();
  int copies = 0;
  for (const auto& [path, fingerprint] : *listing) {
    Sealed& sealed = sealed_[path];
    sealed.now = fingerprint;
    if (S_ISDIR(fingerprint.mode)) {
      const FileDescriptor folder = open_below(root_, path);
      if (!folder.is_open()) return seal_error(path, errno);
      // flistxattr(2) takes no O_PATH descriptor.
      sealed.text =
          attributes_of(FileDescriptor(::openat(folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)).get());
      continue;
    }
    if (!is_data(path)) continue;
    const FileDescriptor parent = open_below(root_, parent_of(path));
    if (!parent.is_open()) return seal_error(path, errno);
    const std::string name = name_of(path);
    if (S_ISLNK(fingerprint.mode)) {
      sealed.text.resize(static_cast<std::size_t>(fingerprint.size) + 1);
      const ssize_t length = ::readlinkat(parent.get(), name.c_str(), sealed.text.data(), sealed.text.size());
      if (length < 0) return seal_error(path, errno);
      sealed.text.resize(static_cast<std::size_t>(length));
    } else if (S_ISREG(fingerprint.mode)) {
      const FileDescriptor in = open_file_to_read(parent.get(), name);
      struct stat status {};
      // Once more: it may have been made readable.
      if (!in.is_open() || ::fstat(in.get(), &status) != 0) return seal_error(path, errno);
      sealed.now = fingerprint_of(status);
      const FileDescriptor out(
          ::openat(copies_.get(), std::to_string(copies).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      if (!out.is_open()) return seal_error(path, errno);
      if (const int number = copy_bytes(in.get(), out.get())) return seal_error(path, number);
      if (::fstat(out.get(), &status) != 0) return seal_error(path, errno);
      sealed.copy = copies++;
      sealed.copy_print = fingerprint_of(status);
    }
  }
  wait_for_next_tick(root_);
  return {};
}

/// 0, or the errno.
int FolderSeal::make_again(int parent, const std::string& name, const Sealed& sealed) const {
  const mode_t permissions = sealed.now.mode & 07777;
  if (S_ISDIR(sealed.now.mode)) return ::mkdirat(parent, name.c_str(), 0700) == 0 ? 0 : errno;
  if (S_ISLNK(sealed.now.mode)) return ::symlinkat(sealed.text.c_str(), parent, name.c_str()) == 0 ? 0 : errno;
  if (S_ISFIFO(sealed.now.mode)) return ::mkfifoat(parent, name.c_str(), permissions) == 0 ? 0 : errno;
  if (!S_ISREG(sealed.now.mode)) return 0;  // A socket is nothing without the program that listens.
  const FileDescriptor in(
      ::openat(copies_.get(), std::to_string(sealed.copy).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!in.is_open() || ::fstat(in.get(), &status) != 0) return errno;
  if (fingerprint_of(status) != sealed.copy_print) return ESTALE;  // Something wrote to the snapshot.
  FileDescriptor out(::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out.is_open()) return errno;
  if (const int number = copy_bytes(in.get(), out.get())) return number;
  const auto times = with_time(sealed.now.modified_ns);
  if (::fchmod(out.get(), permissions) != 0 || ::futimens(out.get(), times.data()) != 0) return errno;
  return out.close() == 0 ? 0 : errno;
}

Result<void> FolderSeal::put_back(const std::string& path, Sealed& sealed) {
  const FileDescriptor parent = open_below(root_, parent_of(path));
  if (!parent.is_open()) return {};  // The folder around the data is gone, and named.
  const std::string name = name_of(path);
  if (const int number = make_again(parent.get(), name, sealed)) return seal_error(path, number);
  struct stat status {};
  if (::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return S_ISSOCK(sealed.now.mode) ? Result<void>() : seal_error(path, errno);
  }
  const Fingerprint sealed_then = std::exchange(sealed.now, fingerprint_of(status));
  if (S_ISDIR(status.st_mode)) {  // Both are put back at the end, by settle_folder().
    sealed.now.mode = sealed_then.mode;
    sealed.now.modified_ns = sealed_then.modified_ns;
  }
  return {};
}

/// Gives a folder back the times and permissions that it had; `same` tells whether that makes it what it was.
Result<void> FolderSeal::settle_folder(const std::string& path, Sealed& sealed, bool& same) {
  const FileDescriptor parent = open_below(root_, parent_of(path));
  if (!parent.is_open()) return {};
  const FileDescriptor folder = open_to_read(parent.get(), path.empty() ? "." : name_of(path));
  struct stat status {};
  if (!folder.is_open() || ::fstat(folder.get(), &status) != 0) return seal_error(path, errno);
  same = attributes_of(folder.get()) == sealed.text;
  const auto times = with_time(sealed.now.modified_ns);
  if ((status.st_mode != sealed.now.mode && ::fchmod(folder.get(), sealed.now.mode & 07777) != 0) ||
      ::futimens(folder.get(), times.data()) != 0 || ::fstat(folder.get(), &status) != 0) {
    return seal_error(path, errno);
  }
  if (same) sealed.now.changed_ns = nanoseconds(status.st_ctim);  // Else it is named each time.
  return {};
}

Result<RunTraces> FolderSeal::restore() {
  // Only what was sealed is entered: what is new goes, whatever is in it.
  const auto is_sealed_folder = [&](const std::string& path, const Fingerprint& fingerprint) {
    const auto found = sealed_.find(path);
    return found != sealed_.end() && is_same_folder(found->second.now, fingerprint);
  };
  auto listing = list_folder(root_, is_sealed_folder);
  if (!listing) return listing.error();
  RunTraces traces;
  const auto remove = [&](const std::string& path) -> Result<void> {
    const FileDescriptor parent = open_below(root_, parent_of(path));
    if (!parent.is_open()) return seal_error(path, errno);
    if (const int number = remove_below(parent.get(), name_of(path))) return seal_error(path, number);
    return {};
  };

  std::set<std::string> missing;  // Of the data.
  std::set<std::string> lost;     // Of the rest; of a folder, only itself is named.
  for (const auto& [path, fingerprint] : *listing) {
    const auto found = sealed_.find(path);
    const bool is_new = found == sealed_.end();
    if (!is_new && (found->second.now == fingerprint || is_same_folder(found->second.now, fingerprint))) continue;
    if (is_new || is_data(path)) {
      if (auto removed = remove(path); !removed) return removed.error();
      if (!is_new) missing.insert(path);
      if (is_new && !is_data(path)) name_path(path, traces.left, traces.left_count);
    } else {
      lost.insert(path);
    }
  }
  for (const auto& [path, sealed] : sealed_) {
    if (listing->contains(path)) continue;
    if (is_data(path)) {
      missing.insert(path);
    } else if (!is_or_lies_in(path, lost)) {
      lost.insert(path);
    }
  }
  for (const std::string& path : missing) {
    if (auto put = put_back(path, sealed_.at(path)); !put) return put.error();
  }

  // Last, for all of the above changes the times of folders.
  for (auto& [path, sealed] : sealed_) {
    if (!S_ISDIR(sealed.now.mode)) continue;
    const FileDescriptor folder = open_below(root_, path);
    struct stat status {};
    if (!folder.is_open() || ::fstat(folder.get(), &status) != 0) continue;
    const Fingerprint fingerprint = fingerprint_of(status);
    if (!is_same_folder(sealed.now, fingerprint) || fingerprint.changed_ns == sealed.now.changed_ns) continue;
    bool same = true;
    if (auto settled = settle_folder(path, sealed, same); !settled) return settled.error();
    if (!same && !is_data(path)) lost.insert(path);
  }
  for (const std::string& path : lost) name_path(path, traces.changed, traces.changed_count);
  wait_for_next_tick(root_);
  return traces;
}

}  // namespace aiopt
