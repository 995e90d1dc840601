/// ChatEndpoint: an OpenAI-compatible server on 127.0.0.1 that answers, and misbehaves, as it is told.

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace aiopt {

struct EndpointRequest {
  std::uint64_t number = 0;                    ///< 1, 2, ... over all connections, in the order of arrival.
  std::uint64_t connection = 0;                ///< 1, 2, ...: which of the accepted ones it came over.
  std::string line;                            ///< "POST /v1/chat/completions HTTP/1.1"
  std::map<std::string, std::string> headers;  ///< Names in lower case.
  std::string body;
};

struct EndpointReply {
  int status = 200;
  std::vector<std::string> headers;  ///< "Retry-After: 1"
  std::string body;
  std::size_t chunk_bytes = 0;  ///< 0: Content-Length and all at once; else sent chunked, so many bytes each.
  std::chrono::milliseconds delay_before{0};   ///< Before the first byte.
  std::chrono::milliseconds delay_between{0};  ///< Before each chunk, the headers gone already.
  std::optional<std::size_t> cut_after_bytes;  ///< Of all that is sent; then the connection is closed.
  std::optional<std::string> raw;  ///< Sent as it is, instead of all of the above; then the connection is closed.
  bool endless = false;            ///< Sends `raw` again and again, as long as somebody reads.
};

/// A thread a connection, connections kept alive. Raw sockets rather than a library's server: no library sends broken
/// HTTP, and this one costs the other side's benchmark 20 microseconds a request.
class ChatEndpoint {
 public:
  /// Called on the connections' threads, several at a time.
  using Script = std::function<EndpointReply(const EndpointRequest&)>;

  /// @param port  0: any that is free.
  /// @param remembers  Whether requests() is kept.
  explicit ChatEndpoint(Script script, int port = 0, bool remembers = true);
  ~ChatEndpoint();
  ChatEndpoint(const ChatEndpoint&) = delete;
  ChatEndpoint& operator=(const ChatEndpoint&) = delete;

  int port() const { return port_; }
  std::string api_base() const;  ///< "http://127.0.0.1:PORT/v1"
  std::vector<EndpointRequest> requests() const;
  std::uint64_t request_count() const;
  std::uint64_t connection_count() const;

 private:
  struct Connection {
    std::uint64_t number = 0;
    int socket = -1;
    std::string unread;
    std::thread thread;
  };

  void accept_all();
  void serve(Connection& connection);
  bool serve_one(Connection& connection);
  std::optional<EndpointRequest> read_request(Connection& connection);
  bool answer(int socket, const EndpointReply& reply);
  bool answer_in_chunks(int socket, const EndpointReply& reply, std::string head);
  bool pause(std::chrono::milliseconds time);

  const Script script_;
  const bool remembers_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ = false;
  std::uint64_t request_count_ = 0;
  std::vector<EndpointRequest> requests_;
  std::list<Connection> connections_;  ///< Until the end: a test has few.
  std::thread acceptor_;
};

/// A good reply: {"choices": [{"message": {"content": text}, ...}], "usage": ...}
EndpointReply chat_reply(std::string_view text, std::string_view finish_reason = "stop");

/// The same as server-sent events, some words each.
EndpointReply streamed_chat_reply(std::string_view text, std::string_view finish_reason = "stop");

/// {"error": {"message": ...}}
EndpointReply error_reply(int status, std::string_view message);

}  // namespace aiopt
