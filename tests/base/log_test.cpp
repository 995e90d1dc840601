/// Tests of the log, from outside: a process of its own writes, and its stderr is read.

#include "base/log.hpp"

#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "base/subprocess.hpp"

using namespace aiopt;

namespace {

CommandResult run_child(const std::string& name) {
  Command command;
  command.line = std::filesystem::read_symlink("/proc/self/exe").string() + " --no-skip=1 --test-case='" + name +
                 "' 2>&1 >/dev/null";
  auto result = run_command(command);
  REQUIRE(result);
  REQUIRE(result->succeeded());
  return *result;
}

}  // namespace

TEST_CASE("child: logs at each level, debug not wanted" * doctest::skip()) {
  set_log_level(LogLevel::info);
  log_debug("a debug line");
  log_info("braces {} and\na line, \x1b[31mred, \xff");
}

TEST_CASE("child: logs without having set a level" * doctest::skip()) {
  log_info("an info line");
}

TEST_CASE("the log goes to stderr from its level on, a line each, and cannot act on a terminal") {
  const std::string text = run_child("child: logs at each level*").out;
  CHECK(text.find("debug") == std::string::npos);
  CHECK(text.ends_with(" info: braces {} and a line,  [31mred, \ufffd\n"));
}

TEST_CASE("the log is silent until a level is set") {
  CHECK(run_child("child: logs without*").out.empty());
}
