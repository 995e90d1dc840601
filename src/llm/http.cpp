/// The curl multi loop. How it goes round is told at Loop::run().

#include "llm/http.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <map>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <curl/curl.h>
#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "llm/retry_policy.hpp"

namespace aiopt {
namespace {

using std::chrono::milliseconds;
using TimePoint = std::chrono::steady_clock::time_point;

constexpr std::size_t kIdleHandles = 64;
constexpr milliseconds kLongestPoll{10'000};

struct CleanUpEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct CleanUpMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct CleanUpUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
/// Header lists hold the key.
struct WipeList {
  void operator()(curl_slist* list) const {
    for (const curl_slist* node = list; node != nullptr; node = node->next) {
      explicit_bzero(node->data, std::strlen(node->data));
    }
    curl_slist_free_all(list);
  }
};
using EasyHandle = std::unique_ptr<CURL, CleanUpEasy>;
using MultiHandle = std::unique_ptr<CURLM, CleanUpMulti>;
using UrlHandle = std::unique_ptr<CURLU, CleanUpUrl>;
using HeaderList = std::unique_ptr<curl_slist, WipeList>;

/// libcurl wants this once, before anything else, and on one thread.
void initialise_curl() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(done);
}

HeaderList request_headers(std::string_view bearer) {
  HeaderList headers;
  const auto append = [&](const char* line) {
    curl_slist* longer = curl_slist_append(headers.get(), line);
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(headers.release());  // The list kept its first node, or has got one.
    headers.reset(longer);
  };
  append("Content-Type: application/json");
  append("Expect:");  // No "100-continue" for large prompts: it costs a round trip, and some servers never answer it.
  if (bearer.empty()) return headers;
  constexpr std::string_view kPrefix = "Authorization: Bearer ";
  std::string line;
  line.reserve(kPrefix.size() + bearer.size());  // Once, so that no half of the key stays in a freed block.
  line.append(kPrefix).append(bearer);
  append(line.c_str());
  explicit_bzero(line.data(), line.size());
  return headers;
}

/// The value if the header line is that field.
std::optional<std::string_view> field_value(std::string_view line, std::string_view lower_case_name) {
  if (line.size() <= lower_case_name.size() || line[lower_case_name.size()] != ':') return std::nullopt;
  for (std::size_t i = 0; i < lower_case_name.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(line[i])) != lower_case_name[i]) return std::nullopt;
  }
  return trim(line.substr(lower_case_name.size() + 1));
}

/// Without " after 3 ms", which would make two attempts that fail alike look different.
std::string curl_reason(CURLcode code, const char* details) {
  std::string reason = *details != '\0' ? details : curl_easy_strerror(code);
  const std::size_t after = reason.find(" after ");
  if (after == std::string::npos) return reason;
  const std::size_t digits = after + std::strlen(" after ");
  const std::size_t unit = reason.find_first_not_of("0123456789", digits);
  if (unit != digits && unit != std::string::npos && reason.compare(unit, 3, " ms") == 0) {
    reason.erase(after, unit + 3 - after);
  }
  return reason;
}

/// Whether the same request may fare better in a moment.
bool is_broken_connection(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return true;
    default:
      return false;
  }
}

bool is_tls_refusal(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CACERT_BADFILE;
}

/// One request on its way. Lives on the loop's thread alone.
struct Transfer {
  const HttpOptions* options = nullptr;
  EasyHandle easy;
  HttpPost post;
  HttpReply reply;
  std::string retry_after;
  std::string date;
  std::size_t header_bytes = 0;
  TimePoint started;
  const char* refusal = nullptr;  ///< Why we broke it off.
  std::array<char, CURL_ERROR_SIZE> details{};

  void begin(HttpPost next, TimePoint now) {
    post = std::move(next);
    reply = {};
    retry_after.clear();
    date.clear();
    header_bytes = 0;
    started = now;
    refusal = nullptr;
    details[0] = '\0';
    curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, post.body.data());
    curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(post.body.size()));
  }

  bool is_late_to_begin(TimePoint now) const {
    return reply.body.empty() && now - started >= options->first_byte_timeout;
  }

  bool take_header(std::string_view line) {
    header_bytes += line.size();
    if (header_bytes > options->header_limit_bytes) {
      refusal = "sent more headers than any reply has";
      return false;
    }
    if (line.starts_with("HTTP/")) {  // A new reply begins: the one before was a 1xx.
      retry_after.clear();
      date.clear();
    } else if (const auto wait = field_value(line, "retry-after")) {
      retry_after = *wait;
    } else if (const auto sent = field_value(line, "date")) {
      date = *sent;
    }
    return true;
  }

  bool take_body(std::string_view bytes) {
    if (reply.body.size() + bytes.size() > options->reply_limit_bytes) {
      refusal = "sent a reply larger than any that is believed";
      return false;
    }
    reply.body.append(bytes);
    return true;
  }

  Result<HttpReply> outcome(CURLcode code) {
    if (code == CURLE_OK) {
      long status = 0;
      char* redirect = nullptr;
      curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(easy.get(), CURLINFO_REDIRECT_URL, &redirect);
      reply.status = static_cast<int>(status);
      if (redirect != nullptr) reply.redirect = redirect;
      if (!retry_after.empty()) reply.retry_after = parse_retry_after(retry_after, date);
      return std::move(reply);
    }
    if (refusal != nullptr) return Error{Error::Code::corruption, refusal};
    if (code == CURLE_OPERATION_TIMEDOUT) return late();
    const std::string reason = curl_reason(code, details.data());
    if (is_broken_connection(code)) {
      return Error{Error::Code::unavailable, fmt::format("broke the connection ({})", reason)};
    }
    if (is_tls_refusal(code)) {
      return Error{Error::Code::invalid_argument, fmt::format("could not be reached safely ({})", reason)};
    }
    return Error{Error::Code::corruption, fmt::format("did not answer as HTTP does ({})", reason)};
  }

  /// A connection that takes too long may come about the next time; a model that thinks too long will again.
  Error late() const {
    long sent_bytes = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_REQUEST_SIZE, &sent_bytes);
    if (sent_bytes > 0) {
      return {Error::Code::timed_out, fmt::format("did not end its reply within {} ms", options->timeout.count())};
    }
    return {Error::Code::unavailable,
            fmt::format("could not be connected to within {} ms", options->connect_timeout.count())};
  }
};

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* transfer) {
  const std::size_t total = size * count;
  return static_cast<Transfer*>(transfer)->take_header({bytes, total}) ? total : 0;
}

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* transfer) {
  const std::size_t total = size * count;
  return static_cast<Transfer*>(transfer)->take_body({bytes, total}) ? total : 0;
}

/// For sorting what is due by time, and by arrival among equals.
using Embargoed = std::multimap<TimePoint, HttpPost>;

Error cancelled() {
  return {Error::Code::cancelled, "the request was cancelled"};
}

}  // namespace

class HttpEndpoint::Loop {
 public:
  Loop(HttpOptions options, std::string_view bearer)
      : options_(std::move(options)), headers_(request_headers(bearer)), multi_(curl_multi_init()) {
    if (!multi_) throw std::bad_alloc();
    curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(kIdleHandles));
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

  ~Loop() {
    thread_.request_stop();
    curl_multi_wakeup(multi_.get());
    thread_.join();
  }

  void post(HttpPost post) {
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      first = inbox_.empty();
      inbox_.push_back(std::move(post));
    }
    // Whoever came before has woken it up already, and on its own thread it looks before it sleeps.
    if (first && std::this_thread::get_id() != thread_.get_id()) curl_multi_wakeup(multi_.get());
  }

 private:
  /// Takes in what was posted, starts what is due, lets curl move bytes, hands over what is done, and sleeps until a
  /// socket, an embargo, a time-out or another post is ready.
  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      take_inbox();
      start_due();
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      hand_over_finished();
      end_late();
      curl_multi_poll(multi_.get(), nullptr, 0, poll_milliseconds(), nullptr);
    }
    cancel_all();
  }

  void take_inbox() {
    std::vector<HttpPost> posts;
    {
      const std::lock_guard lock(mutex_);
      posts.swap(inbox_);
    }
    for (HttpPost& post : posts) {
      const TimePoint due = post.not_before;
      embargoed_.emplace(due, std::move(post));
    }
  }

  void start_due() {
    if (embargoed_.empty()) return;
    const TimePoint now = monotonic_now();
    while (!embargoed_.empty() && embargoed_.begin()->first <= now) {
      HttpPost post = std::move(embargoed_.begin()->second);
      embargoed_.erase(embargoed_.begin());
      begin(std::move(post), now);
    }
  }

  void begin(HttpPost post, TimePoint now) {
    std::unique_ptr<Transfer> transfer = idle_transfer();
    if (!transfer) {
      post.done(Error{Error::Code::unavailable, "could not be asked: no memory for another request"});
      return;
    }
    transfer->begin(std::move(post), now);
    curl_multi_add_handle(multi_.get(), transfer->easy.get());
    active_.push_back(std::move(transfer));
  }

  std::unique_ptr<Transfer> idle_transfer() {
    if (idle_.empty()) return new_transfer();
    std::unique_ptr<Transfer> transfer = std::move(idle_.back());
    idle_.pop_back();
    return transfer;
  }

  /// What is the same for all requests is set once: handles are used again and again.
  std::unique_ptr<Transfer> new_transfer() {
    auto transfer = std::make_unique<Transfer>();
    transfer->options = &options_;
    transfer->easy.reset(curl_easy_init());
    CURL* easy = transfer->easy.get();
    if (easy == nullptr) return nullptr;
    curl_easy_setopt(easy, CURLOPT_URL, options_.url.c_str());
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "aiopt");
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);  // The key is for this host alone.
    curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    if (!options_.use_proxies) curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->details.data());
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer.get());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer.get());
    return transfer;
  }

  void hand_over_finished() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      Transfer* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      end(*transfer, transfer->outcome(code));
    }
  }

  void end_late() {
    if (active_.empty()) return;
    const TimePoint now = monotonic_now();
    std::vector<Transfer*> late;
    for (const auto& transfer : active_) {
      if (transfer->is_late_to_begin(now)) late.push_back(transfer.get());
    }
    for (Transfer* transfer : late) {
      end(*transfer, Error{Error::Code::timed_out,
                           fmt::format("sent no first byte within {} ms", options_.first_byte_timeout.count())});
    }
  }

  void end(Transfer& transfer, Result<HttpReply> result) {
    curl_multi_remove_handle(multi_.get(), transfer.easy.get());
    const HttpPost::Done done = std::move(transfer.post.done);
    const auto place =
        std::find_if(active_.begin(), active_.end(), [&](const auto& other) { return other.get() == &transfer; });
    std::swap(*place, active_.back());
    if (idle_.size() < kIdleHandles) idle_.push_back(std::move(active_.back()));
    active_.pop_back();
    done(std::move(result));
  }

  int poll_milliseconds() {
    {
      const std::lock_guard lock(mutex_);
      if (!inbox_.empty()) return 0;
    }
    if (active_.empty() && embargoed_.empty()) return static_cast<int>(kLongestPoll.count());
    const TimePoint now = monotonic_now();
    TimePoint next = now + kLongestPoll;
    if (!embargoed_.empty()) next = std::min(next, embargoed_.begin()->first);
    for (const auto& transfer : active_) {
      if (transfer->reply.body.empty()) next = std::min(next, transfer->started + options_.first_byte_timeout);
    }
    const auto wait = std::chrono::ceil<milliseconds>(next - now);
    return static_cast<int>(std::max(wait, milliseconds(0)).count());
  }

  /// Until nothing is left: who hears of a cancellation may post again.
  void cancel_all() {
    do {
      while (!active_.empty()) end(*active_.back(), cancelled());
      while (!embargoed_.empty()) {
        const HttpPost post = std::move(embargoed_.begin()->second);
        embargoed_.erase(embargoed_.begin());
        post.done(cancelled());
      }
      take_inbox();
    } while (!embargoed_.empty());
  }

  const HttpOptions options_;
  const HeaderList headers_;
  const MultiHandle multi_;

  // The thread's own.
  Embargoed embargoed_;
  std::vector<std::unique_ptr<Transfer>> active_;
  std::vector<std::unique_ptr<Transfer>> idle_;

  std::mutex mutex_;
  std::vector<HttpPost> inbox_;

  std::jthread thread_;  // Last: it uses all of the above.
};

HttpEndpoint::HttpEndpoint(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
HttpEndpoint::~HttpEndpoint() = default;

Result<std::unique_ptr<HttpEndpoint>> HttpEndpoint::start(HttpOptions options, std::string_view bearer) {
  initialise_curl();
  try {
    return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(std::make_unique<Loop>(std::move(options), bearer)));
  } catch (const std::system_error& error) {
    return Error{Error::Code::unavailable, fmt::format("cannot start the thread for the endpoint: {}", error.what())};
  }
}

void HttpEndpoint::post(HttpPost post) {
  loop_->post(std::move(post));
}

namespace {

std::string url_part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  const std::unique_ptr<char, decltype(&curl_free)> owner(text, &curl_free);
  return text;
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost") || host == "[::1]") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::string without_trailing_slashes(std::string path) {
  while (path.ends_with('/')) path.pop_back();
  return path;
}

std::string display(CURLU* url) {
  for (const CURLUPart part :
       {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    curl_url_set(url, part, nullptr, 0);
  }
  return without_trailing_slashes(url_part(url, CURLUPART_URL));
}

}  // namespace

Result<EndpointUrl> parse_api_base(const std::string& api_base) {
  initialise_curl();
  const UrlHandle url(curl_url());
  // The text is not repeated here: it may hold a password.
  const Error no_url{Error::Code::invalid_argument,
                     "llm.api_base is no http:// or https:// URL, such as http://127.0.0.1:8080/v1"};
  if (curl_url_set(url.get(), CURLUPART_URL, api_base.c_str(), 0) != CURLUE_OK) return no_url;
  const std::string scheme = url_part(url.get(), CURLUPART_SCHEME);
  const std::string host = url_part(url.get(), CURLUPART_HOST);
  if ((scheme != "http" && scheme != "https") || host.empty()) return no_url;

  constexpr std::string_view kMethod = "/chat/completions";
  std::string path = without_trailing_slashes(url_part(url.get(), CURLUPART_PATH));
  if (path.ends_with(kMethod)) path.resize(path.size() - kMethod.size());
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  curl_url_set(url.get(), CURLUPART_PATH, (path + std::string(kMethod)).c_str(), 0);
  EndpointUrl parsed;
  parsed.chat_completions = url_part(url.get(), CURLUPART_URL);
  parsed.is_loopback = is_loopback(host);
  curl_url_set(url.get(), CURLUPART_PATH, path.empty() ? "/" : path.c_str(), 0);
  parsed.display = display(url.get());
  return parsed;
}

std::string display_url(const std::string& text) {
  const UrlHandle url(curl_url());
  if (curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) return {};
  return display(url.get());
}

}  // namespace aiopt
