/// BoundedText: text that grows without an end, of which head and tail are kept.

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace aiopt {

class BoundedText {
 public:
  explicit BoundedText(std::size_t limit_bytes);

  /// Holds at most twice the limit, whatever comes.
  void append(std::string_view bytes);

  /// All of it within the limit; else head and tail, with "[... N bytes left out ...]" between.
  std::string text() const;

 private:
  std::size_t limit_bytes_;
  std::size_t head_limit_;
  std::size_t tail_limit_;
  std::string head_;
  std::string tail_;  ///< Its last tail_limit_ bytes count; older ones are dropped many at a time.
  std::uint64_t total_bytes_ = 0;
};

}  // namespace aiopt
