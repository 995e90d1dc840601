/// Builds the programs in fixtures/ and runs them.

#include "profile_programs.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "base/files.hpp"

namespace aiopt {

std::filesystem::path fixture_path(const std::string& name) {
  const char* root = std::getenv("AIOPT_SOURCE_ROOT");
  REQUIRE(root != nullptr);
  return std::filesystem::path(root) / "tests/profile/fixtures" / name;
}

std::string fixture_text(const std::string& name) {
  const Result<std::string> text = read_file(fixture_path(name));
  REQUIRE(text);
  return *text;
}

int line_with(const std::string& source, std::string_view text) {
  const std::size_t at = source.find(text);
  if (at == std::string::npos) return 0;
  return 1 + static_cast<int>(std::count(source.begin(), source.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

std::string run_tool(const std::vector<std::string>& arguments, const std::filesystem::path& folder) {
  Command command;
  command.directory = folder;
  const Result<CommandResult> result = run_program(arguments, command);
  REQUIRE(result);
  INFO(arguments[0], ": ", result->output);
  REQUIRE(result->succeeded());
  return result->out;
}

void build_fixture(const std::string& source, const std::vector<std::string>& options,
                   const std::filesystem::path& output, const std::string& compiler) {
  std::vector<std::string> arguments = {compiler.empty() ? "c++" : compiler, "-std=c++17"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.insert(arguments.end(), {fixture_path(source).string(), "-o", output.string(), "-pthread", "-ldl"});
  run_tool(arguments, output.parent_path());
}

bool is_installed(const std::string& name) {
  Command command;
  command.line = "command -v " + name;
  command.directory = "/";
  const Result<CommandResult> result = run_command(command);
  return result && result->succeeded();
}

}  // namespace aiopt
