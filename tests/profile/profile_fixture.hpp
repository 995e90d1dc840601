/// Files of tests/profile/fixtures.

#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "base/files.hpp"

namespace aiopt {

inline std::string profile_fixture(const std::string& name) {
  const char* root = std::getenv("AIOPT_SOURCE_ROOT");
  REQUIRE_MESSAGE(root != nullptr, "AIOPT_SOURCE_ROOT is not set");
  Result<std::string> text = read_file(std::filesystem::path(root) / "tests/profile/fixtures" / name, 16u << 20);
  REQUIRE_MESSAGE(text.has_value(), name);
  return *std::move(text);
}

}  // namespace aiopt
