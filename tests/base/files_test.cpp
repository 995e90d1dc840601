/// Tests of reading and writing whole files.

#include "base/files.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace aiopt;
namespace fs = std::filesystem;

namespace {

std::size_t count_files(const fs::path& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a file is read as it was written, zero bytes too, and its folder is made") {
  const TemporaryFolder folder;
  const std::string bytes("a\0b\n\xff", 5);
  const fs::path file = folder.path() / "x" / "y" / "file";
  REQUIRE(write_file_atomic(file, bytes));
  const auto read = read_file(file);
  REQUIRE(read);
  CHECK(*read == bytes);
  CHECK(count_files(file.parent_path()) == 1);
}

TEST_CASE("a file that is not there is not_found, and the message names it") {
  const TemporaryFolder folder;
  const auto read = read_file(folder.path() / "none");
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Error::Code::not_found);
  CHECK(read.error().message == "cannot read " + (folder.path() / "none").string() + ": No such file or directory");
}

TEST_CASE("a file beyond the limit, a folder and a pipe are refused") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "file";
  REQUIRE(write_file_atomic(file, "12345"));
  CHECK(read_file(file, 5));
  REQUIRE_FALSE(read_file(file, 4));
  CHECK(read_file(file, 4).error().code == Error::Code::invalid_argument);
  CHECK(read_file(folder.path()).error().code == Error::Code::invalid_argument);
  const fs::path pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(read_file(pipe).error().code == Error::Code::invalid_argument);
}

TEST_CASE("a stranger's file is read, and what a link of his leads to is not") {
  const TemporaryFolder folder;
  REQUIRE(write_file_atomic(folder.path() / "secret", "key"));
  std::filesystem::create_symlink("secret", folder.path() / "left");
  CHECK(*read_file(folder.path() / "left") == "key");
  CHECK_FALSE(read_file_of_stranger(folder.path() / "left", 100));
  CHECK(*read_file_of_stranger(folder.path() / "secret", 100) == "key");
  CHECK_FALSE(read_file_of_stranger(folder.path() / "secret", 2));
}

TEST_CASE("a file of /proc is read though it says that it has no bytes") {
  const auto read = read_file("/proc/self/status");
  REQUIRE(read);
  CHECK(read->starts_with("Name:"));
}

TEST_CASE("a failed write leaves the old file and nothing beside it") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "file";
  REQUIRE(write_file_atomic(file, "old"));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{1000, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto written = write_file_atomic(file, std::string(100'000, 'n'));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  REQUIRE_FALSE(written);
  CHECK(written.error().message == "cannot write " + file.string() + ": File too large");
  CHECK(*read_file(file) == "old");
  CHECK(count_files(folder.path()) == 1);
}

TEST_CASE("a reader sees one writer's bytes whole, never half of them") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "file";
  REQUIRE(write_file_atomic(file, std::string(50'000, 'a')));
  std::vector<std::jthread> writers;
  for (const char letter : {'a', 'b'}) {
    writers.emplace_back([&file, letter] {
      for (int i = 0; i < 20; ++i) (void)write_file_atomic(file, std::string(50'000, letter));
    });
  }
  for (int i = 0; i < 100; ++i) {
    const auto read = read_file(file);
    REQUIRE(read);
    REQUIRE(*read == std::string(50'000, read->front()));
  }
}

TEST_CASE("a replaced file keeps its permissions") {
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "script";
  REQUIRE(write_file_atomic(file, "old"));
  fs::permissions(file, fs::perms(0750));
  REQUIRE(write_file_atomic(file, "new"));
  CHECK(fs::status(file).permissions() == fs::perms(0750));
}

TEST_CASE("a temporary folder goes with all it holds, read-only folders too") {
  fs::path path;
  {
    const TemporaryFolder folder("aiopt-test-");
    path = folder.path();
    CHECK(path.filename().string().starts_with("aiopt-test-"));
    REQUIRE(write_file_atomic(path / "sub" / "file", "x"));
    fs::permissions(path / "sub", fs::perms(0500));
  }
  CHECK_FALSE(fs::exists(path));
}
