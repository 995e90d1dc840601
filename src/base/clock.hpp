/// The only place where the time is asked.

#pragma once

#include <chrono>
#include <string>

namespace aiopt {

/// Tests put a fake here.
class Clock {
 public:
  virtual ~Clock();
  virtual std::chrono::steady_clock::time_point now() const;
};

/// For durations where no test needs to turn the hands.
inline std::chrono::steady_clock::time_point monotonic_now() {
  return std::chrono::steady_clock::now();
}

/// "2026-11-22T07:50:14Z": for run.db and logs.
std::string utc_timestamp();

/// CPU time of this process, all threads (getrusage(2)); children are not in it.
std::chrono::microseconds process_cpu_time();

}  // namespace aiopt
