/// Head and tail of text that may be endless.

#include "base/bounded_text.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace aiopt {
namespace {

/// Room for the words about what was left out, with the longest number.
constexpr std::size_t kMarkBytes = 64;

}  // namespace

BoundedText::BoundedText(std::size_t limit_bytes)
    : limit_bytes_(limit_bytes),
      head_limit_(limit_bytes > kMarkBytes ? (limit_bytes - kMarkBytes) / 2 : limit_bytes),
      tail_limit_(limit_bytes - head_limit_) {}

void BoundedText::append(std::string_view bytes) {
  total_bytes_ += bytes.size();
  const std::size_t for_head = std::min(bytes.size(), head_limit_ - head_.size());
  head_ += bytes.substr(0, for_head);
  bytes.remove_prefix(for_head);
  bytes.remove_prefix(bytes.size() - std::min(bytes.size(), tail_limit_));
  // Moving the tail up once per tail_limit_ bytes costs each byte one copy.
  if (tail_.size() + bytes.size() > tail_limit_ + head_limit_) {
    tail_.erase(0, tail_.size() - std::min(tail_.size(), tail_limit_));
  }
  tail_ += bytes;
}

std::string BoundedText::text() const {
  if (total_bytes_ <= limit_bytes_) return head_ + tail_;
  if (tail_limit_ == 0) return head_;
  const std::string_view tail = std::string_view(tail_).substr(tail_.size() - head_limit_);
  return fmt::format("{}\n[... {} bytes left out ...]\n{}", head_, total_bytes_ - 2 * head_limit_, tail);
}

}  // namespace aiopt
