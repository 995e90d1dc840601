/// The names of a database's numbered files.

#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

namespace walkv {

/// "000007.log" -> 7, ".log"; false for other names.
inline bool parse_file_name(const std::string& name, uint64_t* number, std::string* suffix) {
  char* end = nullptr;
  *number = std::strtoull(name.c_str(), &end, 10);
  *suffix = end;
  return end != name.c_str() && (*suffix == ".log" || *suffix == ".run");
}

}  // namespace walkv
