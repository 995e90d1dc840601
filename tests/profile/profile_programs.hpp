/// Builds the programs in fixtures/ and runs them.

#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/subprocess.hpp"

namespace aiopt {

/// The text of tests/profile/fixtures/NAME.
std::string fixture_text(const std::string& name);
std::filesystem::path fixture_path(const std::string& name);

/// The line, from 1, on which `text` is found first; 0: on none.
int line_with(const std::string& source, std::string_view text);

/// Runs a program in a folder. Fails the test if it fails.
/// @return Its stdout.
std::string run_tool(const std::vector<std::string>& arguments, const std::filesystem::path& folder);

/// "g++ OPTIONS SOURCE -o OUTPUT", in that folder. `compiler`: c++ if empty.
void build_fixture(const std::string& source, const std::vector<std::string>& options,
                   const std::filesystem::path& output, const std::string& compiler = "");

bool is_installed(const std::string& name);

}  // namespace aiopt
