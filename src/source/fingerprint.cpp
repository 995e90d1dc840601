/// Fingerprint: see fingerprint.hpp.

#include "source/fingerprint.hpp"

#include <chrono>
#include <ctime>
#include <thread>

namespace aiopt {
namespace {

/// Twice the longest tick of Linux (CONFIG_HZ=100): file systems stamp with the time of the last tick.
constexpr std::chrono::milliseconds kTwoTicks(20);

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

void wait_for_next_tick() {
  std::this_thread::sleep_for(kTwoTicks);
}

}  // namespace aiopt
