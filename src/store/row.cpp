/// Row: see row.hpp.

#include "store/row.hpp"

#include <cmath>

#include <fmt/format.h>

namespace aiopt {
namespace {

constexpr std::size_t kMaxNameBytes = 64u << 10;

}  // namespace

void Row::refuse(const std::string& what) {
  if (!mistake_) mistake_ = what;
}

bool Row::expect(int column, int type) {
  if (statement_.type(column) == type) return true;
  refuse(fmt::format("column {} has a value of the wrong type", statement_.column_name(column)));
  return false;
}

std::int64_t Row::integer(int column) {
  return expect(column, SQLITE_INTEGER) ? statement_.integer(column) : 0;
}

std::uint64_t Row::natural(int column, std::uint64_t highest) {
  const std::int64_t value = integer(column);
  if (value >= 0 && static_cast<std::uint64_t>(value) <= highest) return static_cast<std::uint64_t>(value);
  refuse(fmt::format("column {} is out of range: {}", statement_.column_name(column), value));
  return 0;
}

std::optional<std::uint64_t> Row::natural_or_null(int column) {
  if (is_null(column)) return std::nullopt;
  return natural(column);
}

double Row::real(int column) {
  if (!expect(column, SQLITE_FLOAT)) return 0.0;
  const double value = statement_.real(column);
  if (std::isfinite(value)) return value;
  refuse(fmt::format("column {} is not finite", statement_.column_name(column)));
  return 0.0;
}

std::string Row::name(int column) {
  if (!expect(column, SQLITE_TEXT)) return {};
  const std::string_view text = statement_.bytes(column);
  if (text.size() <= kMaxNameBytes && text.find('\0') == std::string_view::npos) return std::string(text);
  refuse(fmt::format("column {} is no name", statement_.column_name(column)));
  return {};
}

std::string Row::packed(int column) {
  const int type = statement_.type(column);
  if (type != SQLITE_TEXT && type != SQLITE_BLOB) {
    expect(column, SQLITE_TEXT);
    return {};
  }
  return take(packer_.unpack(type == SQLITE_BLOB, statement_.bytes(column)));
}

std::string Row::blob(int column) {
  return expect(column, SQLITE_BLOB) ? std::string(statement_.bytes(column)) : std::string();
}

}  // namespace aiopt
