/// Transient statuses, backoff with full jitter, and the Retry-After field.

#include "llm/retry_policy.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <string>
#include <system_error>

#include <curl/curl.h>

#include "base/text.hpp"

namespace aiopt {
namespace {

using std::chrono::milliseconds;

/// A year: beyond it the number says only "not soon", and milliseconds can't overflow.
constexpr double kLongestSeconds = 365.0 * 86'400;

milliseconds from_seconds(double seconds) {
  return milliseconds(static_cast<milliseconds::rep>(std::ceil(std::clamp(seconds, 0.0, kLongestSeconds) * 1'000)));
}

std::optional<std::time_t> parse_http_date(std::string_view text) {
  const std::time_t time = curl_getdate(std::string(text).c_str(), nullptr);
  if (time == -1) return std::nullopt;
  return time;
}

milliseconds backoff_bound(const RetryPolicy& policy, int attempt) {
  milliseconds bound = std::min(policy.first_delay, policy.ceiling);
  for (int i = 1; i < attempt && bound < policy.ceiling; ++i) bound = std::min(bound * 2, policy.ceiling);
  return bound;
}

}  // namespace

bool is_transient(int http_status) {
  return http_status == 408 || http_status == 409 || http_status == 429 || (http_status >= 500 && http_status <= 599);
}

milliseconds retry_delay(const RetryPolicy& policy, int attempt, std::optional<milliseconds> retry_after, Rng& rng) {
  const auto bound = static_cast<double>(backoff_bound(policy, attempt).count());
  const milliseconds jitter(static_cast<milliseconds::rep>(rng.uniform() * (bound + 1)));
  return std::max(retry_after.value_or(milliseconds(0)), milliseconds(0)) + jitter;
}

std::optional<milliseconds> parse_retry_after(std::string_view value, std::string_view date) {
  value = trim(value);
  double seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc() && end == value.data() + value.size()) {
    if (!std::isfinite(seconds) || seconds < 0) return std::nullopt;
    return from_seconds(seconds);
  }
  const auto until = parse_http_date(value);
  const auto now = parse_http_date(trim(date));
  if (!until || !now) return std::nullopt;
  return from_seconds(std::difftime(*until, *now));
}

}  // namespace aiopt
