/// A small HTTP/1.1 server on blocking sockets.

#include "support/chat_endpoint.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace aiopt {
namespace {

using nlohmann::ordered_json;

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool receive_more(int socket, std::string& text) {
  std::array<char, 16'384> block{};
  const ssize_t got = recv(socket, block.data(), block.size(), 0);
  if (got <= 0) return false;
  text.append(block.data(), static_cast<std::size_t>(got));
  return true;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

EndpointRequest parse_head(std::string_view head) {
  EndpointRequest request;
  std::size_t end = head.find("\r\n");
  request.line = head.substr(0, end);
  while (end != std::string_view::npos) {
    head.remove_prefix(end + 2);
    end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::size_t value = std::min(line.find_first_not_of(' ', colon + 1), line.size());
    request.headers[lower_case(line.substr(0, colon))] = line.substr(value);
  }
  return request;
}

std::string head_of(const EndpointReply& reply) {
  std::string head = fmt::format("HTTP/1.1 {} Scripted\r\n", reply.status);
  for (const std::string& header : reply.headers) head += header + "\r\n";
  head += reply.chunk_bytes > 0 ? "Transfer-Encoding: chunked\r\n\r\n"
                                : fmt::format("Content-Length: {}\r\n\r\n", reply.body.size());
  return head;
}

}  // namespace

ChatEndpoint::ChatEndpoint(Script script, int port, bool remembers)
    : script_(std::move(script)), remembers_(remembers), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const int on = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener_, generic, size) != 0 || listen(listener_, SOMAXCONN) != 0 ||
      getsockname(listener_, generic, &size) != 0) {
    close(listener_);
    throw std::runtime_error(fmt::format("cannot listen on 127.0.0.1:{}", port));
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

ChatEndpoint::~ChatEndpoint() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(listener_);
  for (Connection& connection : connections_) {
    shutdown(connection.socket, SHUT_RDWR);
    connection.thread.join();
    close(connection.socket);
  }
}

std::string ChatEndpoint::api_base() const {
  return fmt::format("http://127.0.0.1:{}/v1", port_);
}

std::vector<EndpointRequest> ChatEndpoint::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::uint64_t ChatEndpoint::request_count() const {
  const std::lock_guard lock(mutex_);
  return request_count_;
}

std::uint64_t ChatEndpoint::connection_count() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

void ChatEndpoint::accept_all() {
  while (true) {
    const int socket = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (stopping_ || socket < 0) {
      if (socket >= 0) close(socket);
      return;
    }
    const int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Connection& connection = connections_.emplace_back();
    connection.number = connections_.size();
    connection.socket = socket;
    connection.thread = std::thread([this, &connection] { serve(connection); });
  }
}

void ChatEndpoint::serve(Connection& connection) {
  while (serve_one(connection)) {
  }
  // Closed in the destructor only, so that nobody else gets its number meanwhile.
  shutdown(connection.socket, SHUT_RDWR);
}

/// @return Whether the connection stays open.
bool ChatEndpoint::serve_one(Connection& connection) {
  std::optional<EndpointRequest> request = read_request(connection);
  if (!request) return false;
  request->connection = connection.number;
  {
    const std::lock_guard lock(mutex_);
    request->number = ++request_count_;
    if (remembers_) requests_.push_back(*request);
  }
  return answer(connection.socket, script_(*request));
}

std::optional<EndpointRequest> ChatEndpoint::read_request(Connection& connection) {
  std::string& unread = connection.unread;
  std::size_t head_size = unread.find("\r\n\r\n");
  while (head_size == std::string::npos) {
    if (!receive_more(connection.socket, unread)) return std::nullopt;
    head_size = unread.find("\r\n\r\n");
  }
  EndpointRequest request = parse_head(std::string_view(unread).substr(0, head_size));
  const auto length = request.headers.find("content-length");
  const std::size_t body_size = length == request.headers.end() ? 0 : std::stoul(length->second);
  while (unread.size() < head_size + 4 + body_size) {
    if (!receive_more(connection.socket, unread)) return std::nullopt;
  }
  request.body = unread.substr(head_size + 4, body_size);
  unread.erase(0, head_size + 4 + body_size);
  return request;
}

bool ChatEndpoint::answer(int socket, const EndpointReply& reply) {
  if (!pause(reply.delay_before)) return false;
  if (reply.raw) {
    bool read = send_all(socket, *reply.raw);
    while (reply.endless && read && pause(std::chrono::milliseconds(0))) read = send_all(socket, *reply.raw);
    return false;
  }
  std::string head = head_of(reply);
  if (reply.cut_after_bytes) {
    send_all(socket, (head + reply.body).substr(0, *reply.cut_after_bytes));
    return false;
  }
  if (reply.chunk_bytes > 0) return answer_in_chunks(socket, reply, std::move(head));
  return send_all(socket, head + reply.body);
}

bool ChatEndpoint::answer_in_chunks(int socket, const EndpointReply& reply, std::string head) {
  if (!send_all(socket, head)) return false;
  for (std::size_t at = 0; at < reply.body.size(); at += reply.chunk_bytes) {
    const std::string_view chunk = std::string_view(reply.body).substr(at, reply.chunk_bytes);
    if (!pause(reply.delay_between)) return false;
    if (!send_all(socket, fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk))) return false;
  }
  return send_all(socket, "0\r\n\r\n");
}

/// @return false if the endpoint is ending.
bool ChatEndpoint::pause(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return !stopped_.wait_for(lock, time, [&] { return stopping_; });
}

EndpointReply chat_reply(std::string_view text, std::string_view finish_reason) {
  ordered_json body;
  body["id"] = "chatcmpl-1";
  body["object"] = "chat.completion";
  body["choices"][0] = {
      {"index", 0}, {"message", {{"role", "assistant"}, {"content", text}}}, {"finish_reason", finish_reason}};
  body["usage"] = {{"prompt_tokens", 100}, {"completion_tokens", 10}, {"total_tokens", 110}};
  EndpointReply reply;
  reply.headers = {"Content-Type: application/json"};
  reply.body = body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  return reply;
}

EndpointReply streamed_chat_reply(std::string_view text, std::string_view finish_reason) {
  constexpr std::size_t kPiece = 16;
  EndpointReply reply;
  reply.headers = {"Content-Type: text/event-stream"};
  const auto add_event = [&](const ordered_json& event) { reply.body += "data: " + event.dump() + "\n\n"; };
  while (!text.empty()) {
    std::size_t size = std::min(kPiece, text.size());
    while (size < text.size() && (text[size] & 0xc0) == 0x80) ++size;  // UTF-8 is not cut apart.
    ordered_json event;
    event["choices"][0] = {{"index", 0}, {"delta", {{"content", text.substr(0, size)}}}, {"finish_reason", nullptr}};
    add_event(event);
    text.remove_prefix(size);
  }
  ordered_json last;
  last["choices"][0] = {{"index", 0}, {"delta", ordered_json::object()}, {"finish_reason", finish_reason}};
  add_event(last);
  ordered_json usage;
  usage["choices"] = ordered_json::array();
  usage["usage"] = {{"prompt_tokens", 100}, {"completion_tokens", 10}};
  add_event(usage);
  reply.body += "data: [DONE]\n\n";
  reply.chunk_bytes = 64;
  return reply;
}

EndpointReply error_reply(int status, std::string_view message) {
  ordered_json body;
  body["error"] = {{"message", message}, {"type", "scripted"}};
  EndpointReply reply;
  reply.status = status;
  reply.headers = {"Content-Type: application/json"};
  reply.body = body.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  return reply;
}

}  // namespace aiopt
