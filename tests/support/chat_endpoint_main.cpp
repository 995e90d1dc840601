/// chat_endpoint: the tests' endpoint as a program. Prints its port, and answers until it is told to end (SIGTERM) or
/// its parent ends.

#include <getopt.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/files.hpp"
#include "support/chat_endpoint.hpp"

#include <aiopt/rng.hpp>

using namespace aiopt;

namespace {

constexpr const char* kUsage = R"(usage: chat_endpoint [options]
  --port N         listen there; any free port without
  --reply FILE     what a good reply says; several are taken in turn
  --mix KIND=N,... of each N1 + N2 + ... requests so many get each kind, in an order that --seed gives; kinds:
                   good        the next --reply
                   slow        the same after --slow-ms
                   malformed   a reply without a patch
                   truncated   the first half of the next --reply, finish_reason "length"
                   429 500     that status; the client asks again, which counts as another request
                   cut         the connection breaks in the middle of the reply
                   garbage     status 200 and no JSON
  --seed N         1 without
  --latency-ms N   before each reply
  --slow-ms N      1000 without
  --retry-after S  what a 429 asks for; nothing without
GET /stats tells how many requests got what, as {"requests": 7, "good": 4, ...}.
)";

struct Options {
  int port = 0;
  std::vector<std::string> replies;
  std::vector<std::pair<std::string, int>> mix = {{"good", 1}};
  std::uint64_t seed = 1;
  std::chrono::milliseconds latency{0};
  std::chrono::milliseconds slow{1'000};
  std::string retry_after;
};

int number_of(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    throw std::invalid_argument(fmt::format("'{}' is no number", text));
  }
  return number;
}

std::vector<std::pair<std::string, int>> parse_mix(std::string_view text) {
  constexpr std::array<std::string_view, 8> kKinds = {"good", "slow", "malformed", "truncated",
                                                      "429",  "500",  "cut",       "garbage"};
  std::vector<std::pair<std::string, int>> mix;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    const std::string_view kind = part.substr(0, part.find('='));
    if (kind.size() == part.size() || std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end()) {
      throw std::invalid_argument(fmt::format("'{}' is no KIND=N", part));
    }
    mix.emplace_back(kind, number_of(part.substr(kind.size() + 1)));
  }
  return mix;
}

std::string text_of(const std::string& file) {
  Result<std::string> text = read_file(file);
  if (!text) throw std::invalid_argument(text.error().message);
  return *std::move(text);
}

Options parse_options(int count, char** arguments) {
  enum { port, reply, mix, seed, latency, slow, retry_after };
  const std::array<option, 8> known = {{{"port", required_argument, nullptr, port},
                                        {"reply", required_argument, nullptr, reply},
                                        {"mix", required_argument, nullptr, mix},
                                        {"seed", required_argument, nullptr, seed},
                                        {"latency-ms", required_argument, nullptr, latency},
                                        {"slow-ms", required_argument, nullptr, slow},
                                        {"retry-after", required_argument, nullptr, retry_after},
                                        {nullptr, 0, nullptr, 0}}};
  Options options;
  for (int found = 0; (found = getopt_long(count, arguments, "", known.data(), nullptr)) != -1;) {
    switch (found) {
      case port:
        options.port = number_of(optarg);
        break;
      case reply:
        options.replies.push_back(text_of(optarg));
        break;
      case mix:
        options.mix = parse_mix(optarg);
        break;
      case seed:
        options.seed = static_cast<std::uint64_t>(number_of(optarg));
        break;
      case latency:
        options.latency = std::chrono::milliseconds(number_of(optarg));
        break;
      case slow:
        options.slow = std::chrono::milliseconds(number_of(optarg));
        break;
      case retry_after:
        options.retry_after = optarg;
        break;
      default:
        throw std::invalid_argument("");
    }
  }
  if (optind != count) throw std::invalid_argument(fmt::format("what is '{}'?", arguments[optind]));
  if (options.replies.empty()) options.replies.emplace_back("A reply that nobody has scripted.");
  return options;
}

/// Deals the kinds like cards: each round of the deck has exactly the numbers of the mix.
class Deck {
 public:
  Deck(const std::vector<std::pair<std::string, int>>& mix, std::uint64_t seed) : rng_(seed) {
    for (const auto& [kind, number] : mix) cards_.insert(cards_.end(), static_cast<std::size_t>(number), kind);
    if (cards_.empty()) throw std::invalid_argument("the mix is empty");
    next_ = cards_.size();
  }

  const std::string& deal() {
    if (next_ == cards_.size()) shuffle();
    return cards_[next_++];
  }

 private:
  void shuffle() {
    for (std::size_t i = cards_.size(); i > 1; --i) std::swap(cards_[i - 1], cards_[rng_.index(i)]);
    next_ = 0;
  }

  Rng rng_;
  std::vector<std::string> cards_;
  std::size_t next_ = 0;
};

class MixedScript {
 public:
  explicit MixedScript(Options options) : options_(std::move(options)), deck_(options_.mix, options_.seed) {
    for (const std::string& text : options_.replies) {
      plain_.push_back(chat_reply(text));
      streamed_.push_back(streamed_chat_reply(text));
    }
  }

  EndpointReply operator()(const EndpointRequest& request) {
    if (request.line.starts_with("GET /stats ")) return stats();
    const auto [kind, turn] = deal();
    EndpointReply reply = reply_of(kind, turn, request.body.find("\"stream\":true") != std::string::npos);
    reply.delay_before += options_.latency;
    return reply;
  }

 private:
  std::pair<std::string, std::size_t> deal() {
    const std::lock_guard lock(mutex_);
    const std::string& kind = deck_.deal();
    ++dealt_[kind];
    const bool takes_reply = kind == "good" || kind == "slow" || kind == "truncated";
    return {kind, takes_reply ? turn_++ % plain_.size() : 0};
  }

  EndpointReply reply_of(const std::string& kind, std::size_t turn, bool stream) const {
    if (kind == "429") return too_many();
    if (kind == "500") return error_reply(500, "the scripted server has failed");
    if (kind == "malformed") return worded("I would look at the lock first, and then measure.", "stop", stream);
    const std::string& text = options_.replies[turn];
    if (kind == "truncated") return worded(text.substr(0, text.size() / 2), "length", stream);
    EndpointReply reply = stream ? streamed_[turn] : plain_[turn];
    if (kind == "slow") reply.delay_before = options_.slow;
    if (kind == "cut") reply.cut_after_bytes = reply.body.size() / 2;
    if (kind == "garbage") reply.body = "<html>Welcome</html>";
    return reply;
  }

  static EndpointReply worded(std::string_view text, std::string_view finish_reason, bool stream) {
    return stream ? streamed_chat_reply(text, finish_reason) : chat_reply(text, finish_reason);
  }

  EndpointReply too_many() const {
    EndpointReply reply = error_reply(429, "too many requests for the scripted server");
    if (!options_.retry_after.empty()) reply.headers.push_back("Retry-After: " + options_.retry_after);
    return reply;
  }

  EndpointReply stats() {
    const std::lock_guard lock(mutex_);
    nlohmann::ordered_json counts = {{"requests", 0}};
    std::uint64_t total = 0;
    for (const auto& [kind, number] : dealt_) {
      counts[kind] = number;
      total += number;
    }
    counts["requests"] = total;
    EndpointReply reply;
    reply.body = counts.dump() + '\n';
    return reply;
  }

  const Options options_;
  std::vector<EndpointReply> plain_;
  std::vector<EndpointReply> streamed_;
  std::mutex mutex_;
  Deck deck_;
  std::size_t turn_ = 0;
  std::map<std::string, std::uint64_t> dealt_;
};

void serve(Options options) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, nullptr);  // Before there are threads: they inherit it.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const int port = options.port;
  MixedScript script(std::move(options));
  const ChatEndpoint endpoint([&](const EndpointRequest& request) { return script(request); }, port, false);
  fmt::print("{}\n", endpoint.port());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&ends, &signal);
}

}  // namespace

int main(int count, char** arguments) {
  try {
    serve(parse_options(count, arguments));
    return 0;
  } catch (const std::invalid_argument& error) {
    fmt::print(stderr, "chat_endpoint: {}\n{}", error.what(), kUsage);
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "chat_endpoint: {}\n", error.what());
    return 1;
  }
}
