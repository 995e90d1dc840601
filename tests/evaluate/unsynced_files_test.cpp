/// Tests of what is said to be on the disk: real files, a real kernel.

#include "evaluate/unsynced_files.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"

namespace aiopt {
namespace {

TEST_CASE("what was written is unsynced until fsync, and pipes and links are no files") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "db/deeper");
  const std::string page(4096, 'x');
  const FileDescriptor log(::open((folder.path() / "db/deeper/1.log").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  REQUIRE(::write(log.get(), page.data(), page.size()) == static_cast<ssize_t>(page.size()));
  REQUIRE(::mkfifo((folder.path() / "db/pipe").c_str(), 0600) == 0);
  std::filesystem::create_symlink("deeper/1.log", folder.path() / "db/link");

  const auto written = unsynced_bytes(folder.path(), {"db", "not-there"});
  if (written.empty() || written.begin()->second == 0) {
    MESSAGE("not tested: before Linux 6.5 and on file systems in memory the kernel does not tell");
    return;
  }
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  CHECK(written == std::map<std::string, std::uint64_t>{{"db/deeper/1.log", page_bytes}});
  CHECK(unsynced_bytes(folder.path(), {"db/deeper/1.log"}) == written);
  REQUIRE(::fsync(log.get()) == 0);
  CHECK(unsynced_bytes(folder.path(), {"db"}) == std::map<std::string, std::uint64_t>{{"db/deeper/1.log", 0}});
}

}  // namespace
}  // namespace aiopt
