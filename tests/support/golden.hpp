/// Reads files of tests/golden/.

#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace aiopt {

/// The golden file's bytes; `name` is its path below tests/golden/.
/// @throws std::runtime_error if it is not there or AIOPT_SOURCE_ROOT, which Meson sets, is not set.
inline std::string golden(const std::string& name) {
  const char* root = std::getenv("AIOPT_SOURCE_ROOT");
  if (root == nullptr) throw std::runtime_error("AIOPT_SOURCE_ROOT is not set: run the tests by `meson test`");
  const std::string path = std::string(root) + "/tests/golden/" + name;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw std::runtime_error("cannot read " + path);
  return text.str();
}

}  // namespace aiopt
