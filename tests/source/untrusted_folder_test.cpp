/// Tests of removing and listing what strangers' programs left.

#include "source/untrusted_folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "workspace_place.hpp"

#include "source/source_copy.hpp"

using namespace aiopt;
using namespace aiopt::test;

namespace {

/// `levels` folders one in the other, made by descriptor: the path is longer than any path can be.
void make_deep(const fs::path& folder, int levels, mode_t mode) {
  fs::create_directories(folder);
  FileDescriptor at(::open(folder.c_str(), O_RDONLY | O_DIRECTORY));
  for (int i = 0; i < levels; ++i) {
    REQUIRE(::mkdirat(at.get(), "deep", 0700) == 0);
    FileDescriptor next(::openat(at.get(), "deep", O_RDONLY | O_DIRECTORY));
    REQUIRE(::fchmod(at.get(), mode) == 0);
    at = std::move(next);
  }
}

FolderListing list(const fs::path& folder) {
  const FileDescriptor root(::open(folder.c_str(), O_RDONLY | O_DIRECTORY));
  auto listed = list_folder(root.get(), [](const std::string&, const Fingerprint&) { return true; });
  REQUIRE(listed);
  return *listed;
}

/// Runs the rest of the scope as another user, if it is root that runs the tests.
class AsNobody {
 public:
  AsNobody() { is_set_ = ::geteuid() == 0 && ::seteuid(65534) == 0; }
  ~AsNobody() {
    if (is_set_) REQUIRE(::seteuid(0) == 0);
  }

 private:
  bool is_set_ = false;
};

}  // namespace

TEST_CASE("a folder is removed however deep it is, and whatever its permissions") {
  const TemporaryFolder folder;
  fs::permissions(folder.path(), fs::perms::all);
  const AsNobody nobody;
  const fs::path tree = folder.path() / "tree";
  make_deep(tree, 1000, 0);
  fs::permissions(tree, fs::perms::owner_all);
  write(tree / "line\nbreak", "x\n");
  fs::create_symlink(tree / "loop", tree / "loop");
  fs::create_symlink(folder.path(), tree / "up");
  REQUIRE(::mkfifo((tree / "fifo").c_str(), 0) == 0);
  remove_folder(tree);
  CHECK_FALSE(fs::exists(fs::symlink_status(tree)));
  CHECK(fs::exists(folder.path()));
}

TEST_CASE("many folders below the depth that is walked are removed in little time") {
  const TemporaryFolder folder;
  fs::path at = folder.path() / "tree";
  for (int i = 0; i < 40; ++i) at /= "d";
  for (int i = 0; i < 300; ++i) write(at / std::to_string(i) / "x" / "y", "");
  remove_folder(folder.path() / "tree");
  CHECK_FALSE(fs::exists(folder.path() / "tree"));
}

TEST_CASE("links in a folder that is removed are not followed") {
  const TemporaryFolder folder;
  write(folder.path() / "outside/x", "x\n");
  fs::create_directory(folder.path() / "tree");
  fs::create_directory_symlink(folder.path() / "outside", folder.path() / "tree/link");
  remove_folder(folder.path() / "tree");
  CHECK(read(folder.path() / "outside/x") == "x\n");
  fs::create_directory_symlink(folder.path() / "outside", folder.path() / "tree");
  remove_folder(folder.path() / "tree");
  CHECK(read(folder.path() / "outside/x") == "x\n");
}

TEST_CASE("a listing names everything, links as links") {
  const TemporaryFolder folder;
  write(folder.path() / "a/b/c\nd", "x\n");
  fs::create_directory_symlink("/", folder.path() / "a/root");
  const FolderListing listing = list(folder.path());
  REQUIRE(listing.size() == 5);
  CHECK(listing.contains(""));
  CHECK(S_ISREG(listing.at("a/b/c\nd").mode));
  CHECK(S_ISLNK(listing.at("a/root").mode));
}

TEST_CASE("a tree too deep to be listed is an error, not a crash") {
  const TemporaryFolder folder;
  make_deep(folder.path() / "tree", 900, 0700);
  const FileDescriptor root(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY));
  const auto listed = list_folder(root.get(), [](const std::string&, const Fingerprint&) { return true; });
  REQUIRE_FALSE(listed);
  CHECK(listed.error().code == Error::Code::unavailable);
  remove_folder(folder.path() / "tree");
}

TEST_CASE("a link to a folder is not opened as one") {
  const TemporaryFolder folder;
  write(folder.path() / "a/b/c", "c\n");
  fs::create_directory_symlink("a", folder.path() / "link");
  const FileDescriptor root(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY));
  CHECK(open_to_read(root.get(), "a").is_open());
  CHECK_FALSE(open_to_read(root.get(), "link").is_open());
  CHECK(open_below(root.get(), "a/b").is_open());
  CHECK_FALSE(open_below(root.get(), "link/b").is_open());
  CHECK_FALSE(open_below(root.get(), "link").is_open());
}

TEST_CASE("a fingerprint is kept only of a file that was not changed within this tick") {
  const TemporaryFolder folder;
  write(folder.path() / "file", "x\n");
  struct stat status {};
  REQUIRE(::lstat((folder.path() / "file").c_str(), &status) == 0);
  CHECK(fingerprint_to_keep(status) != fingerprint_of(status));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  CHECK(fingerprint_to_keep(status) == fingerprint_of(status));
}

TEST_CASE("what changes after the next tick gets a later time") {
  const TemporaryFolder folder;
  const FileDescriptor root(::open(folder.path().c_str(), O_RDONLY | O_DIRECTORY));
  const auto changed = [&] {
    write(folder.path() / "file", "x\n");
    struct stat status {};
    REQUIRE(::lstat((folder.path() / "file").c_str(), &status) == 0);
    return fingerprint_of(status).changed_ns;
  };
  for (int i = 0; i < 20; ++i) {
    const std::int64_t before = changed();
    wait_for_next_tick(root.get());
    CHECK(changed() > before);
  }
}
