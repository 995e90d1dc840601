/// RunLock: see run_lock.hpp.

#include "store/run_lock.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

namespace aiopt {
namespace {

constexpr auto kRetryPause = std::chrono::milliseconds(20);
constexpr int kRetries = 100;

Error cannot_lock(const std::filesystem::path& file, const char* why) {
  return {Error::Code::io, fmt::format("cannot lock {}: {}", file.string(), why)};
}

/// 0 if the file does not say.
pid_t owner(int descriptor) {
  std::array<char, 24> text{};
  const ssize_t size = pread(descriptor, text.data(), text.size(), 0);
  if (size <= 0) return 0;
  pid_t pid = 0;
  const auto read = std::from_chars(text.data(), text.data() + size, pid);
  return read.ec == std::errc() && pid > 0 ? pid : 0;
}

bool is_gone(pid_t pid) {
  return pid > 0 && kill(pid, 0) != 0 && errno == ESRCH;
}

/// Children that aiopt forked share its lock for the moment that they outlive a killed aiopt: worth a short wait.
bool try_lock(int descriptor) {
  for (int attempt = 0; attempt < kRetries; ++attempt) {
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK && errno != EINTR) return false;
    if (errno == EWOULDBLOCK && !is_gone(owner(descriptor))) return false;
    std::this_thread::sleep_for(kRetryPause);
  }
  errno = EWOULDBLOCK;
  return false;
}

Error locked_by_other(const std::filesystem::path& file, pid_t pid) {
  const std::string who = pid > 0 ? fmt::format("process {}", pid) : "another process";
  return {Error::Code::unavailable,
          fmt::format("cannot write to the run in {}: {} is writing to it; wait for its end or stop it",
                      file.parent_path().string(), who)};
}

bool write_owner(int descriptor) {
  const std::string text = fmt::format("{}\n", getpid());
  return ftruncate(descriptor, 0) == 0 &&
         pwrite(descriptor, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

bool is_regular_file(int descriptor) {
  struct stat status {};
  return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

bool is_still_named(const std::filesystem::path& file, int descriptor) {
  struct stat named {};
  struct stat opened {};
  return lstat(file.c_str(), &named) == 0 && fstat(descriptor, &opened) == 0 && named.st_ino == opened.st_ino &&
         named.st_dev == opened.st_dev;
}

}  // namespace

Result<RunLock> RunLock::take(const std::filesystem::path& file) {
  for (;;) {
    const int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (descriptor < 0) return cannot_lock(file, errno == ELOOP ? "it is a symbolic link" : std::strerror(errno));
    RunLock lock(descriptor, {});
    if (!is_regular_file(descriptor)) return cannot_lock(file, "it is no regular file");
    if (!try_lock(descriptor)) {
      if (errno != EWOULDBLOCK) return cannot_lock(file, std::strerror(errno));
      return locked_by_other(file, owner(descriptor));
    }
    // Its last owner may have removed the file between our open() and flock().
    if (!is_still_named(file, descriptor)) continue;
    // Of use for the message alone: on a full disk the lock holds without it.
    static_cast<void>(write_owner(descriptor));
    lock.file_ = file;
    return lock;
  }
}

RunLock::RunLock(RunLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), file_(std::exchange(other.file_, {})) {}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(file_, other.file_);
  return *this;
}

RunLock::~RunLock() {
  if (!file_.empty()) unlink(file_.c_str());
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace aiopt
