/// HttpEndpoint: POSTs to one URL from one thread of its own, over connections that are kept alive.

#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <aiopt/result.hpp>

namespace aiopt {

struct HttpOptions {
  std::string url;          ///< http:// or https://; see EndpointUrl.
  bool use_proxies = true;  ///< As the environment names them (http_proxy, no_proxy).
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds first_byte_timeout{120'000};  ///< Until the first byte of the body.
  std::chrono::milliseconds timeout{300'000};             ///< Until the last byte.
  std::size_t reply_limit_bytes = 16u << 20;
  std::size_t header_limit_bytes = 256u << 10;
};

struct HttpReply {
  int status = 0;
  std::string body;
  std::string redirect;                                  ///< Where a 3xx points to; it is not followed.
  std::optional<std::chrono::milliseconds> retry_after;  ///< What the server asked for.
};

struct HttpPost {
  /// Error::Code::unavailable: the connection could not be made or broke, so that asking again may help; timed_out,
  /// cancelled; invalid_argument, corruption: asking again is useless.
  using Done = std::function<void(Result<HttpReply>)>;

  std::string_view body;  ///< Lent: has to live until `done` is called.
  Done done;              ///< Called exactly once, on the endpoint's thread; may post again.
  std::chrono::steady_clock::time_point not_before{};  ///< Waits in a queue till then.
};

class HttpEndpoint {
 public:
  /// @param bearer  The key for the Authorization header; empty: none is sent. It is copied, and wiped in the end.
  static Result<std::unique_ptr<HttpEndpoint>> start(HttpOptions options, std::string_view bearer);

  /// Ends what is in flight or waits, each with Error::Code::cancelled.
  ~HttpEndpoint();

  /// Returns at once; safe from any thread.
  void post(HttpPost post);

 private:
  class Loop;
  explicit HttpEndpoint(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

/// An api_base, taken apart once.
struct EndpointUrl {
  std::string chat_completions;  ///< <api_base>/chat/completions, with its user, password and query if it has them.
  std::string display;           ///< The api_base for people: without user, password and query.
  bool is_loopback = false;      ///< localhost, 127.0.0.0/8 or ::1.
};

/// invalid_argument if it is no http:// or https:// URL with a host.
Result<EndpointUrl> parse_api_base(const std::string& api_base);

/// A URL for people: without user, password, query and fragment. Empty if it is none.
std::string display_url(const std::string& url);

}  // namespace aiopt
