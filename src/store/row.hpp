/// Row: one row of a query, every value checked, because the file may be anybody's.

#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "store/packed_text.hpp"
#include "store/sqlite.hpp"

namespace aiopt {

inline constexpr std::uint64_t kHighestNumber = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

/// Reads never fail at once: they give an empty value and remember the first mistake, so that a row is read in one go
/// and mistake() asked at the end.
class Row {
 public:
  Row(const Statement& statement, TextPacker& packer) : statement_(statement), packer_(packer) {}

  bool is_null(int column) const { return statement_.type(column) == SQLITE_NULL; }
  std::int64_t integer(int column);
  std::uint64_t natural(int column, std::uint64_t highest = kHighestNumber);
  std::optional<std::uint64_t> natural_or_null(int column);
  double real(int column);         ///< Finite.
  std::string name(int column);    ///< A short text without NULs.
  std::string packed(int column);  ///< A packed text.
  std::string blob(int column);

  /// A value whose column is right but whose content is not.
  void refuse(const std::string& what);
  /// Takes the value of a Result, or its error as the mistake.
  template <typename T>
  T take(Result<T> result) {
    if (result) return std::move(*result);
    refuse(result.error().message);
    return T{};
  }

  const std::optional<std::string>& mistake() const { return mistake_; }

 private:
  bool expect(int column, int type);

  const Statement& statement_;
  TextPacker& packer_;
  std::optional<std::string> mistake_;
};

}  // namespace aiopt
