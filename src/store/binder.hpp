/// Binder: fills a statement's parameters one after the other, and keeps packed bytes alive until it is stepped.

#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "store/packed_text.hpp"
#include "store/row.hpp"
#include "store/sqlite.hpp"

namespace aiopt {

class Binder {
 public:
  Binder(Statement& statement, TextPacker& packer) : statement_(statement), packer_(packer) {}

  /// What is above SQLite's integers (a count that an endpoint made up) becomes the highest.
  Binder& number(std::uint64_t value) { return integer(static_cast<std::int64_t>(std::min(value, kHighestNumber))); }
  Binder& integer(std::int64_t value) {
    statement_.bind(++parameter_, value);
    return *this;
  }
  Binder& real(double value) {
    statement_.bind(++parameter_, value);
    return *this;
  }
  Binder& null() {
    statement_.bind_null(++parameter_);
    return *this;
  }
  /// Borrowed.
  Binder& text(std::string_view value) {
    statement_.bind_text(++parameter_, value);
    return *this;
  }
  Binder& blob(std::string_view bytes) {
    statement_.bind_blob(++parameter_, bytes);
    return *this;
  }
  Binder& packed(std::string_view value) {
    const PackedText& text = kept_.emplace_back(packer_.pack(value));
    return text.is_frame ? blob(text.bytes) : this->text(text.bytes);
  }

 private:
  Statement& statement_;
  TextPacker& packer_;
  int parameter_ = 0;
  std::deque<PackedText> kept_;
};

}  // namespace aiopt
