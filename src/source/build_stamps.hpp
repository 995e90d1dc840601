/// BuildStamps: time stamps that make a build see which files are new.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace aiopt {

/// Each stamp is later than the one before and than those of anything built before it was asked for, also if the
/// system's clock was set back meanwhile, or two candidates follow each other within the clock's tick.
class BuildStamps {
 public:
  /// @param natural_ns  The stamp that the file system gave a file written just now: it may have a clock of its own.
  /// @param now         monotonic_now(), which nobody sets back.
  std::int64_t next(std::int64_t natural_ns, std::chrono::steady_clock::time_point now);

  /// For file systems that keep seconds, or every second one: the next stamp that all of them can keep.
  std::int64_t next_even_second();

 private:
  std::optional<std::chrono::steady_clock::time_point> last_asked_;
  std::int64_t latest_natural_ns_ = 0;
  std::int64_t last_ns_ = 0;
};

}  // namespace aiopt
