/// Status: what became of an operation.

#pragma once

#include <string>
#include <utility>

namespace walkv {

class Status {
 public:
  enum class Code { ok, not_found, corruption, io_error };

  Status() = default;
  static Status not_found() { return Status(Code::not_found, "not found"); }
  static Status corruption(std::string what) { return Status(Code::corruption, "corruption: " + std::move(what)); }
  static Status io_error(std::string what) { return Status(Code::io_error, "I/O error: " + std::move(what)); }

  bool ok() const { return code_ == Code::ok; }
  bool is_not_found() const { return code_ == Code::not_found; }
  const std::string& message() const { return message_; }

 private:
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code_ = Code::ok;
  std::string message_;
};

}  // namespace walkv
