/// BuildStamps: see build_stamps.hpp.

#include "source/build_stamps.hpp"

#include <algorithm>

namespace aiopt {

std::int64_t BuildStamps::next(std::int64_t natural_ns, std::chrono::steady_clock::time_point now) {
  const std::int64_t passed = last_asked_ ? std::chrono::nanoseconds(now - *last_asked_).count() : 0;
  latest_natural_ns_ = std::max(natural_ns, latest_natural_ns_ + passed);
  last_asked_ = now;
  last_ns_ = std::max(latest_natural_ns_, last_ns_) + 1;
  return last_ns_;
}

std::int64_t BuildStamps::next_even_second() {
  constexpr std::int64_t kTwoSeconds = 2'000'000'000;
  last_ns_ = (last_ns_ / kTwoSeconds + 1) * kTwoSeconds;
  return last_ns_;
}

}  // namespace aiopt
