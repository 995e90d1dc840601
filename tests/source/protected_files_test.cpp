/// Tests of the files that no patch may change: what changes them is noticed.

#include "source/protected_files.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "workspace_place.hpp"

using namespace aiopt;
using namespace aiopt::test;

namespace {

using Paths = std::vector<std::string>;

ProtectedFiles protected_of(const Place& place) {
  auto read = read_protected(place.source, place.baseline());
  REQUIRE(read);
  return *read;
}

}  // namespace

TEST_CASE("everything but the editable files is protected") {
  const Place place;
  fs::create_symlink("Makefile", place.source / "link");
  fs::create_directory(place.source / "empty");
  const ProtectedFiles files = protected_of(place);
  Paths paths;
  for (const auto& [path, file] : files.files) paths.push_back(path);
  CHECK(paths == Paths{"Makefile", "empty", "link", "run.sh", "src", "src/sub"});
  CHECK(files.files.at("Makefile").sha256 == make_source_file("all:\n").sha256);
  CHECK(files.files.at("link").link_target == "Makefile");
  CHECK(files.commit.empty());
}

TEST_CASE("the digest tells content, permissions, links and names apart, and does not see time stamps") {
  const Place place;
  fs::create_symlink("Makefile", place.source / "link");
  const std::string before = protected_of(place).sha256();
  fs::last_write_time(place.source / "Makefile", fs::file_time_type::clock::now());
  write(place.source / "src/a.cc", "editable\n");
  CHECK(protected_of(place).sha256() == before);
  SUBCASE("content") {
    write(place.source / "Makefile", "All:\n");
  }
  SUBCASE("permissions") {
    fs::permissions(place.source / "Makefile", fs::perms::owner_all);
  }
  SUBCASE("a link") {
    fs::remove(place.source / "link");
    fs::create_symlink("run.sh", place.source / "link");
  }
  SUBCASE("a name") {
    fs::rename(place.source / "Makefile", place.source / "makefile");
  }
  SUBCASE("one more") {
    write(place.source / "more", "");
  }
  CHECK(protected_of(place).sha256() != before);
}

TEST_CASE("git decides what is protected, and its commit is kept for later workspaces") {
  const Place place;
  write(place.source / ".gitignore", "build/\n");
  shell(place.source, "git init -q . && git add -A && git commit -qm one && git tag v1");
  write(place.source / "build/old.o", "o\n");
  const ProtectedFiles files = protected_of(place);
  CHECK_FALSE(files.files.contains("build/old.o"));
  CHECK(files.files.contains(".gitignore"));
  CHECK(files.commit + "\n" == shell(place.source, "git rev-parse HEAD"));

  shell(place.source, "git commit -q --allow-empty -m two && git tag v2");
  const auto workspace = Workspace::create(place.source, place.work, place.baseline(), files);
  REQUIRE(workspace);
  CHECK(shell(place.work, "git describe --tags HEAD") == "v1\n");
  CHECK(shell(place.work, "git status --porcelain") == "");
}

TEST_CASE("a workspace made later is refused if a protected file of the source changed, and names it") {
  const Place place;
  fs::create_symlink("Makefile", place.source / "link");
  const SourceTree baseline = place.baseline();
  const ProtectedFiles files = protected_of(place);
  std::string named = "Makefile";
  SUBCASE("content") {
    write(place.source / "Makefile", "ALL:\n");
  }
  SUBCASE("content with the old time stamp") {
    const auto stamp = fs::last_write_time(place.source / "Makefile");
    write(place.source / "Makefile", "ALL:\n");
    fs::last_write_time(place.source / "Makefile", stamp);
  }
  SUBCASE("permissions") {
    named = "run.sh";
    fs::permissions(place.source / "run.sh", fs::perms::owner_read);
  }
  SUBCASE("gone") {
    fs::remove(place.source / "Makefile");
  }
  SUBCASE("became a folder") {
    fs::remove(place.source / "Makefile");
    write(place.source / "Makefile/x", "x\n");
  }
  SUBCASE("became a link to the same bytes") {
    fs::rename(place.source / "Makefile", place.source / "other");
    fs::create_symlink("other", place.source / "Makefile");
  }
  const auto made = Workspace::create(place.source, place.work, baseline, files);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == Error::Code::unavailable);
  CHECK(made.error().message.find('`' + named + "` of the source") != std::string::npos);
  CHECK(made.error().message.find("changed since the run began") != std::string::npos);
  CHECK_FALSE(fs::exists(place.work));
}

TEST_CASE(
    "what came to the source since the run began is no part of later workspaces; editable files are the baseline's") {
  const Place place;
  const SourceTree baseline = place.baseline();
  const ProtectedFiles files = protected_of(place);
  write(place.source / "src/a.h", "#define FAST\n");
  write(place.source / "src/a.cc", "other\n");
  auto workspace = Workspace::create(place.source, place.work, baseline, files);
  REQUIRE(workspace);
  CHECK_FALSE(fs::exists(place.work / "src/a.h"));
  CHECK(read(place.work / "src/a.cc") == "a\n");
  CHECK(workspace->changed_protected().empty());
}

TEST_CASE("a program that changes a protected file is noticed, whatever it does to hide it") {
  const Place place;
  write(place.source / "tests/check.sh", "exit 1\n");
  write(place.source / "tests/sub/x", "x\n");
  fs::create_symlink("tests", place.source / "link");
  Workspace workspace = place.workspace();
  CHECK(workspace.changed_protected().empty());
  const fs::path file = place.work / "tests/check.sh";
  const auto stamp = fs::last_write_time(file);
  Paths expected = {"tests/check.sh"};
  SUBCASE("content, with size and stamp as before") {
    write(file, "exit 0\n");
    fs::last_write_time(file, stamp);
  }
  SUBCASE("permissions") {
    fs::permissions(file, fs::perms::owner_all);
  }
  SUBCASE("gone") {
    fs::remove(file);
  }
  SUBCASE("a link to the same bytes") {
    fs::copy_file(file, place.folder.path() / "outside");
    fs::remove(file);
    fs::create_symlink(place.folder.path() / "outside", file);
  }
  SUBCASE("a FIFO") {
    fs::remove(file);
    REQUIRE(::mkfifo(file.c_str(), 0644) == 0);
  }
  SUBCASE("a folder") {
    fs::remove(file);
    fs::create_directory(file);
  }
  SUBCASE("its folder a link to the same files elsewhere") {
    expected = {"tests", "tests/check.sh", "tests/sub", "tests/sub/x"};
    fs::rename(place.work / "tests", place.folder.path() / "elsewhere");
    fs::create_symlink(place.folder.path() / "elsewhere", place.work / "tests");
  }
  SUBCASE("a link that leads elsewhere") {
    expected = {"link"};
    fs::remove(place.work / "link");
    fs::create_symlink("src", place.work / "link");
  }
  CHECK(workspace.changed_protected() == expected);
  const auto checked_out = workspace.check_out(place.baseline());
  REQUIRE_FALSE(checked_out);
  CHECK(checked_out.error().code == Error::Code::unavailable);
  CHECK(checked_out.error().message.find("was changed by a program") != std::string::npos);
  CHECK_FALSE(workspace.seal({}));
}

TEST_CASE("a protected file that was only touched, or written anew with the same bytes, is intact") {
  const Place place;
  Workspace workspace = place.workspace();
  fs::last_write_time(place.work / "Makefile", fs::file_time_type::clock::now());
  fs::remove(place.work / "run.sh");
  write(place.work / "run.sh", "#!/bin/sh\n");
  fs::permissions(place.work / "run.sh", fs::status(place.source / "run.sh").permissions());
  CHECK(workspace.changed_protected().empty());
  CHECK(workspace.check_out(place.baseline()));
}

TEST_CASE("a file that the task's own build changes may change, but not between workspaces") {
  const Place place;
  ProtectedFiles files = protected_of(place);
  files.files.at("Makefile").may_change = true;
  const SourceTree baseline = place.baseline();
  auto workspace = Workspace::create(place.source, place.work, baseline, files);
  REQUIRE(workspace);
  write(place.work / "Makefile", "made anew\n");
  CHECK(workspace->changed_protected().empty());
}

TEST_CASE("a patch cannot put a file in the place of a protected one") {
  const Place place;
  write(place.source / "src/binary", std::string("\0", 1));
  write(place.source / "data/x/y", "y\n");
  const SourceTree baseline = place.baseline();
  CHECK_FALSE(baseline.contains("src/binary"));
  Workspace workspace = place.workspace();
  for (const std::string path : {"src/binary", "src/binary/x", "data", "data/x", "Makefile"}) {
    const auto put = workspace.check_out(with(baseline, path, "x\n"));
    REQUIRE_FALSE(put);
    CHECK(put.error().code == Error::Code::invalid_argument);
    CHECK(put.error().message.find("not editable") != std::string::npos);
  }
  REQUIRE(workspace.check_out(with(baseline, "data/x/z", "z\n")));
  CHECK(workspace.changed_protected().empty());
}
