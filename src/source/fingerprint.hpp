/// Fingerprint: what lstat(2) says of a file, to know later without reading it that nobody changed it.

#pragma once

#include <sys/stat.h>

#include <cstdint>

namespace aiopt {

/// The time of the last status change is in it: no program can set that one back.
struct Fingerprint {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = -1;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;
  mode_t mode = 0;

  bool operator==(const Fingerprint&) const = default;
};

std::int64_t nanoseconds(const struct timespec& time);

Fingerprint fingerprint_of(const struct stat& status);

/// The fingerprint to compare with later. A file changed just now could be changed once more within the same tick of
/// the clock, and look the same: what is returned for such a file equals no fingerprint, so that it is read again.
Fingerprint fingerprint_to_keep(const struct stat& status);

/// Sleeps until whatever is changed below the open `folder` from now on gets a later time than what was changed so far:
/// a tick at most (4 ms on most machines). 20 ms on a file system whose clock may be another machine's (NFS), whose
/// ticks must be no longer than 10 ms.
void wait_for_next_tick(int folder);

}  // namespace aiopt
