/// Fingerprint: see fingerprint.hpp.

#include "source/fingerprint.hpp"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <thread>

namespace aiopt {
namespace {

/// Twice the longest tick of Linux (CONFIG_HZ=100): file systems stamp with the time of the last tick.
constexpr std::chrono::milliseconds kTwoTicks(20);

/// File systems on which this machine's clock makes the time stamps.
constexpr std::array kLocal = std::to_array<std::uint32_t>(
    {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, F2FS_SUPER_MAGIC, TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC});

bool is_stamped_here(int folder) {
  struct statfs file_system {};
  return ::fstatfs(folder, &file_system) == 0 &&
         std::find(kLocal.begin(), kLocal.end(), static_cast<std::uint32_t>(file_system.f_type)) != kLocal.end();
}

/// When the clock that files are stamped with last ticked: ktime_get_coarse_real_ts64() of Linux. Since 6.13 a file
/// that was looked at may get a later stamp, but none after the next tick.
std::int64_t last_tick_ns() {
  struct timespec time {};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &time);
  return nanoseconds(time);
}

}  // namespace

std::int64_t nanoseconds(const struct timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Fingerprint fingerprint_of(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size, nanoseconds(status.st_mtim), nanoseconds(status.st_ctim),
          status.st_mode};
}

Fingerprint fingerprint_to_keep(const struct stat& status) {
  Fingerprint kept = fingerprint_of(status);
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME, &now);  // The clock that files are stamped with.
  if (kept.changed_ns > nanoseconds(now) - std::chrono::nanoseconds(kTwoTicks).count()) kept.size = -1;
  return kept;
}

void wait_for_next_tick(int folder) {
  if (!is_stamped_here(folder)) return std::this_thread::sleep_for(kTwoTicks);
  const std::int64_t before = last_tick_ns();
  while (last_tick_ns() == before) std::this_thread::sleep_for(std::chrono::microseconds(500));
}

}  // namespace aiopt
