/// Copies and hashes open files: see file_copy.hpp.

#include "source/file_copy.hpp"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "base/sha256.hpp"

namespace aiopt {
namespace {

constexpr std::size_t kChunkBytes = 65536;

/// 0, or the errno. For file systems between which the kernel does not copy.
int copy_range_by_hand(int in, int out, off_t from, off_t end) {
  std::array<char, kChunkBytes> chunk;
  while (from < end) {
    const std::size_t wanted = static_cast<std::size_t>(std::min<off_t>(end - from, kChunkBytes));
    const ssize_t got = ::pread(in, chunk.data(), wanted, from);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return 0;  // Someone cut it meanwhile.
    for (ssize_t done = 0; done < got;) {
      const ssize_t written = ::pwrite(out, chunk.data() + done, static_cast<std::size_t>(got - done), from + done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return errno;
      done += written;
    }
    from += got;
  }
  return 0;
}

int copy_range(int in, int out, off_t from, off_t end) {
  while (from < end) {
    off_t to = from;
    const ssize_t copied = ::copy_file_range(in, &from, out, &to, static_cast<std::size_t>(end - from), 0);
    if (copied > 0 || (copied < 0 && errno == EINTR)) continue;
    // Some file systems say 0 at once for files that have bytes: reading decides.
    return copy_range_by_hand(in, out, from, end);
  }
  return 0;
}

}  // namespace

int copy_bytes(int in, int out) {
  if (::ioctl(out, FICLONE, in) == 0) return 0;
  struct stat status {};
  if (::fstat(in, &status) != 0) return errno;
  const off_t size = status.st_size;
  // Files of procfs and its like say that they are empty.
  if (size == 0) return copy_range_by_hand(in, out, 0, off_t{1} << 40);
  if (::ftruncate(out, size) != 0) return errno;
  for (off_t at = 0; at < size;) {
    off_t begin = ::lseek(in, at, SEEK_DATA);
    if (begin < 0 && errno == ENXIO) return 0;  // Nothing but a hole to the end.
    if (begin < 0) begin = at;
    off_t end = ::lseek(in, begin, SEEK_HOLE);
    if (end <= begin) end = size;
    if (const int number = copy_range(in, out, begin, std::min(end, size))) return number;
    at = end;
  }
  return 0;
}

std::string sha256_of_file(int in) {
  Sha256 digest;
  std::array<char, kChunkBytes> chunk;
  for (;;) {
    const ssize_t got = ::read(in, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return "";
    if (got == 0) return digest.hex_digest();
    digest.update(std::string_view(chunk.data(), static_cast<std::size_t>(got)));
  }
}

}  // namespace aiopt
