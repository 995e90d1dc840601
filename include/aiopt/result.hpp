/// Result<T>: a value, or the Error that kept it from being made.

#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace aiopt {

/// Why an operation could not be done.
struct Error {
  enum class Code { not_found, invalid_argument, corruption, io, unavailable, timed_out, cancelled };

  Code code;
  std::string message;  ///< One line: what was tried, on what, why, and what to do. Never a secret.
};

/// Either a T or an Error. Its members are spelled as those of std::expected,
/// so that it can become an alias when the floor reaches C++23.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::move(value)) {}
  Result(Error error) : state_(std::move(error)) {}

  bool has_value() const noexcept { return std::holds_alternative<T>(state_); }
  explicit operator bool() const noexcept { return has_value(); }

  /// @pre has_value()
  T& operator*() & { return std::get<T>(state_); }
  const T& operator*() const& { return std::get<T>(state_); }
  T&& operator*() && { return std::get<T>(std::move(state_)); }
  T* operator->() { return &std::get<T>(state_); }
  const T* operator->() const { return &std::get<T>(state_); }

  /// @pre !has_value()
  const Error& error() const { return std::get<Error>(state_); }

 private:
  std::variant<T, Error> state_;
};

/// A Result that carries nothing but success.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace aiopt
