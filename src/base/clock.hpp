/// The time.

#pragma once

#include <chrono>
#include <string>

namespace aiopt {

/// For durations. Code whose tests turn the hands takes the time as an argument.
inline std::chrono::steady_clock::time_point monotonic_now() {
  return std::chrono::steady_clock::now();
}

/// "2026-11-22T07:50:14Z": for run.db and logs.
std::string utc_timestamp();

/// CPU time of this process, all threads (getrusage(2)); children are not in it.
std::chrono::microseconds process_cpu_time();

}  // namespace aiopt
