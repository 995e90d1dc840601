/// The key leaves the environment, and is never shown.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "llm/openai_chat.hpp"

using namespace aiopt;

namespace {

constexpr const char* kEnvironmentSecret = "sk-environment-secret-0123456789";

std::string environment_block() {
  std::ifstream file("/proc/self/environ", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Runs this program again for one test, with just these variables from its start. @return Its exit code.
int run_again(const char* test, std::string variable) {
  std::string select = std::string("--test-case=") + test;
  std::string program = "/proc/self/exe";
  std::string no_skip = "--no-skip";
  const std::array<char*, 4> arguments = {program.data(), select.data(), no_skip.data(), nullptr};
  const std::array<char*, 2> environment = {variable.data(), nullptr};
  const pid_t child = fork();
  if (child == 0) {
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    execve(program.c_str(), arguments.data(), environment.data());
    _exit(127);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

}  // namespace

TEST_CASE("inner: the key goes out of the environment block" * doctest::skip()) {
  REQUIRE(environment_block().find(kEnvironmentSecret) != std::string::npos);
  const ApiKey key = take_api_key("AIOPT_TEST_KEY");
  CHECK(key.reveal() == kEnvironmentSecret);
  CHECK(environment_block().find(kEnvironmentSecret) == std::string::npos);
  CHECK(std::getenv("AIOPT_TEST_KEY") == nullptr);
}

TEST_CASE("a key that was taken is in /proc/self/environ no more") {
  CHECK(run_again("inner: the key goes out of the environment block",
                  std::string("AIOPT_TEST_KEY=") + kEnvironmentSecret) == 0);
}

TEST_CASE("a variable that is not set gives no key") {
  CHECK(take_api_key("AIOPT_TEST_UNSET").empty());
  CHECK(take_api_key("").empty());
  CHECK(take_api_key("A=B").empty());
}

TEST_CASE("a key that was moved from is empty") {
  ApiKey one(std::string("short"));
  ApiKey other(std::move(one));
  CHECK(one.empty());  // NOLINT(bugprone-use-after-move): that is the point.
  CHECK(other.reveal() == "short");
  one = std::move(other);
  CHECK(other.empty());  // NOLINT(bugprone-use-after-move)
  CHECK(one.reveal() == "short");
}
