/// When a request that failed is asked again, and how long that waits.

#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include <aiopt/rng.hpp>

namespace aiopt {

struct RetryPolicy {
  int retries = 3;                                  ///< After the first attempt; 0: never ask again.
  std::chrono::milliseconds first_delay{500};       ///< Upper bound of the first wait; doubled for each further one.
  std::chrono::milliseconds ceiling{60'000};        ///< That bound never exceeds this.
  std::chrono::milliseconds longest_wait{600'000};  ///< A server that asks for more is not asked again.
};

/// 408, 409, 429 and 5xx: trouble that may pass.
bool is_transient(int http_status);

/// How long the `attempt`th retry (1, 2, ...) waits: at least as long as the server asked (RFC 9110, 10.2.3), as
/// sooner only burns an attempt, and "full jitter" on top, so that requests refused together do not come back together
/// (Brooker, "Exponential Backoff and Jitter", AWS 2015).
std::chrono::milliseconds retry_delay(const RetryPolicy& policy, int attempt,
                                      std::optional<std::chrono::milliseconds> retry_after, Rng& rng);

/// The value of a Retry-After field: seconds, or an HTTP-date, which counts from the reply's own `date` field, so that
/// clocks that differ do no harm. Nothing if it can't be read.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value, std::string_view date);

}  // namespace aiopt
