/// Whole files: reading with a limit, writing by rename, and folders that clean up after themselves.

#include "base/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include "base/file_descriptor.hpp"

namespace aiopt {
namespace {

namespace fs = std::filesystem;

Error file_error(std::string_view tried, const fs::path& file, int number) {
  const auto code = number == ENOENT || number == ENOTDIR ? Error::Code::not_found : Error::Code::io;
  return {code, fmt::format("cannot {} {}: {}", tried, file.string(), std::generic_category().message(number))};
}

/// 0, or the errno.
int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

/// A name beside `file` that no other call, thread or process uses.
fs::path temporary_name(const fs::path& file) {
  static std::atomic<std::uint64_t> calls{0};
  return file.parent_path() / fmt::format(".{}.{}.{}.tmp", file.filename().string().substr(0, 100), ::getpid(),
                                          calls.fetch_add(1, std::memory_order_relaxed));
}

/// 0, or the errno. A file that is replaced keeps its permissions.
int write_synced(const fs::path& temporary, const fs::path& replaced, std::string_view bytes) {
  FileDescriptor out(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!out.is_open()) return errno;
  struct stat old {};
  if (::lstat(replaced.c_str(), &old) == 0 && S_ISREG(old.st_mode)) {
    if (::fchmod(out.get(), old.st_mode & 07777) != 0) return errno;
  }
  if (const int number = write_all(out.get(), bytes)) return number;
  if (::fsync(out.get()) != 0) return errno;
  return out.close() != 0 ? errno : 0;
}

/// Makes the renaming itself last. A file system that cannot sync a folder is left in peace.
void sync_folder(const fs::path& folder) {
  const FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.is_open()) ::fsync(fd.get());
}

/// A build may leave folders without write permission: those are opened up first.
void make_removable(const fs::path& folder) {
  std::error_code ignored;
  fs::permissions(folder, fs::perms::owner_all, fs::perm_options::add, ignored);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.is_directory(ignored) && !entry.is_symlink(ignored)) make_removable(entry.path());
  }
}

}  // namespace

namespace {

Result<std::string> read_with(int more_flags, const fs::path& file, std::size_t limit_bytes) {
  // O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
  const FileDescriptor in(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | more_flags));
  if (!in.is_open()) return file_error("read", file, errno);
  struct stat status {};
  if (::fstat(in.get(), &status) != 0) return file_error("read", file, errno);
  if (!S_ISREG(status.st_mode)) {
    return Error{Error::Code::invalid_argument, fmt::format("cannot read {}: not a regular file", file.string())};
  }

  std::string bytes;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size <= limit_bytes) bytes.reserve(size);
  std::array<char, 65536> chunk;
  // Up to the end, not up to st_size: files of /proc say 0, and a file may grow meanwhile.
  while (size <= limit_bytes && bytes.size() <= limit_bytes) {
    const ssize_t got = ::read(in.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", file, errno);
    if (got == 0) return bytes;
    bytes.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return Error{Error::Code::invalid_argument,
               fmt::format("cannot read {}: larger than {} bytes", file.string(), limit_bytes)};
}

}  // namespace

Result<std::string> read_file(const fs::path& file, std::size_t limit_bytes) {
  return read_with(0, file, limit_bytes);
}

Result<std::string> read_file_of_stranger(const fs::path& file, std::size_t limit_bytes) {
  return read_with(O_NOFOLLOW, file, limit_bytes);
}

Result<void> write_file_atomic(const fs::path& file, std::string_view bytes) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) return Error{Error::Code::io, fmt::format("cannot make {}: {}", folder.string(), failed.message())};

  const fs::path temporary = temporary_name(file);
  int number = write_synced(temporary, file, bytes);
  if (number == 0 && ::rename(temporary.c_str(), file.c_str()) != 0) number = errno;
  if (number != 0) {
    ::unlink(temporary.c_str());
    return Error{Error::Code::io,
                 fmt::format("cannot write {}: {}", file.string(), std::generic_category().message(number))};
  }
  sync_folder(folder);
  return {};
}

std::string find_program(const std::string& name) {
  const auto is_program = [](const fs::path& file) {
    std::error_code error;
    return fs::is_regular_file(file, error) && ::access(file.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) return is_program(name) ? name : "";
  const char* variable = std::getenv("PATH");
  const std::string_view path = variable != nullptr ? variable : "/usr/bin:/bin";
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find(':', begin), path.size());
    const fs::path file = fs::path(path.substr(begin, end - begin)) / name;
    if (!name.empty() && is_program(file)) return file.string();
    begin = end + 1;
  }
  return "";
}

TemporaryFolder::TemporaryFolder(std::string_view prefix) {
  std::string path = (fs::temp_directory_path() / prefix).string() + "XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) {
    throw fs::filesystem_error("cannot make a temporary folder", path, std::error_code(errno, std::generic_category()));
  }
  path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code failed;
  fs::remove_all(path_, failed);
  if (!failed) return;
  make_removable(path_);
  fs::remove_all(path_, failed);
}

}  // namespace aiopt
