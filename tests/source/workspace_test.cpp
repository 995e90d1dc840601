/// Tests of workspaces: what is copied, what is put right, what is never written to.

#include "source/workspace.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "workspace_place.hpp"

using namespace aiopt;
using namespace aiopt::test;

TEST_CASE("a plain folder is copied with permissions and time stamps, and left as it is") {
  const Place place;
  const auto before = state_of(place.source);
  {
    const Workspace workspace = place.workspace();
    CHECK(workspace.folder() == place.work);
    CHECK(read(place.work / "src/sub/b.cc") == "b\n");
    CHECK(stamp_of(place.work / "Makefile") == stamp_of(place.source / "Makefile"));
    CHECK((fs::status(place.work / "run.sh").permissions() & fs::perms::owner_exec) != fs::perms::none);
    CHECK(state_of(place.source) == before);
  }
  CHECK_FALSE(fs::exists(place.work));
}

TEST_CASE("links stay links: inwards to the copy, outwards to where they led") {
  const Place place;
  write(place.folder.path() / "outside.txt", "outside\n");
  fs::create_symlink("a.cc", place.source / "src/inside");
  fs::create_symlink(place.source / "Makefile", place.source / "src/absolute");
  fs::create_symlink("../../outside.txt", place.source / "src/outwards");
  fs::create_symlink("nowhere", place.source / "dangling");
  const Workspace workspace = place.workspace();
  CHECK(fs::read_symlink(place.work / "src/inside") == "a.cc");
  CHECK(fs::read_symlink(place.work / "src/absolute") == "../Makefile");
  CHECK(read(place.work / "src/outwards") == "outside\n");
  CHECK(fs::read_symlink(place.work / "dangling") == "nowhere");
}

TEST_CASE("a workspace within its source is not copied into itself, nor are its neighbours") {
  Place place;
  place.work = place.source / "runs/2";
  const SourceTree baseline = place.baseline();
  auto first = Workspace::create(place.source, place.source / "runs/1", baseline);
  REQUIRE(first);
  const Workspace second = place.workspace();
  CHECK(fs::exists(place.work / "src/a.cc"));
  CHECK_FALSE(fs::exists(place.work / "runs/1"));
  CHECK_FALSE(fs::exists(place.work / "runs/2"));
  CHECK(place.baseline().size() == baseline.size());
}

TEST_CASE("a git work tree comes as it stands: with what is changed or new, without what is ignored or gone") {
  const Place place;
  write(place.source / ".gitignore", "build/\n");
  shell(place.source, "git init -q . && git add -A && git commit -qm one && git tag v1");
  write(place.source / "src/a.cc", "changed\n");
  write(place.source / "src/new.cc", "new\n");
  write(place.source / "build/old.o", "o\n");
  fs::remove(place.source / "Makefile");
  write(place.source / ".git/hooks/post-checkout",
        "#!/bin/sh\ntouch " + (place.folder.path() / "hooked").string() + "\n");
  fs::permissions(place.source / ".git/hooks/post-checkout", fs::perms::owner_all);
  shell(place.source, "git config core.fsmonitor 'touch " + (place.folder.path() / "hooked").string() + "; false'");
  const auto before = state_of(place.source);

  const Workspace workspace = place.workspace();
  CHECK(read(place.work / "src/a.cc") == "changed\n");
  CHECK(read(place.work / "src/new.cc") == "new\n");
  CHECK_FALSE(fs::exists(place.work / "build"));
  CHECK_FALSE(fs::exists(place.work / "Makefile"));
  CHECK(shell(place.work, "git describe --tags") == "v1\n");
  CHECK(shell(place.work, "git status --porcelain") == " D Makefile\n M src/a.cc\n?? src/new.cc\n");
  CHECK(shell(place.work, "git remote") == "");
  CHECK(state_of(place.source) == before);
  CHECK_FALSE(fs::exists(place.folder.path() / "hooked"));
}

TEST_CASE("a folder within a git work tree is copied without what git ignores") {
  Place place;
  shell(place.source, "git init -q . && echo '*.o' > .gitignore && git add -A && git commit -qm one");
  write(place.source / "src/x.o", "o\n");
  auto tree = load_source_tree(place.source / "src", {"*.cc"});
  REQUIRE(tree);
  const auto workspace = Workspace::create(place.source / "src", place.work, *tree);
  REQUIRE(workspace);
  CHECK(fs::exists(place.work / "sub/b.cc"));
  CHECK_FALSE(fs::exists(place.work / "x.o"));
  CHECK_FALSE(fs::exists(place.work / ".git"));
}

TEST_CASE("repositories that are new, bare, broken, linked or ignored by another are copied all the same") {
  Place place;
  SUBCASE("without commits") {
    shell(place.source, "git init -q .");
  }
  SUBCASE("bare by its settings") {
    shell(place.source, "git init -q . && git config core.bare true");
  }
  SUBCASE("broken") {
    shell(place.source,
          "git init -q . && git add -A && git commit -qm one && rm -r .git/objects && echo x > .git/HEAD");
  }
  SUBCASE("a file that only looks like one") {
    write(place.source / ".git", "gitdir: /nowhere\n");
  }
  SUBCASE("a linked work tree") {
    shell(place.source, "git init -q . && git add -A && git commit -qm one && git worktree add -q ../linked");
    place.source = place.folder.path() / "linked";
  }
  SUBCASE("ignored by the repository around it") {
    shell(place.folder.path(), "git init -q . && echo source/ > .gitignore && git add -A && git commit -qm one");
  }
  const auto before = state_of(place.source);
  const Workspace workspace = place.workspace();
  CHECK(read(place.work / "src/a.cc") == "a\n");
  CHECK(read(place.work / "Makefile") == "all:\n");
  CHECK(state_of(place.source) == before);
}

TEST_CASE("a repository of another owner is read as well") {
  if (::geteuid() != 0) return;
  const Place place;
  shell(place.source, "git init -q . && echo build/ > .gitignore && git add -A && git commit -qm one && git tag v1");
  write(place.source / "build/old.o", "o\n");
  shell(place.source, "chown -R 12345:12345 .");
  const Workspace workspace = place.workspace();
  CHECK_FALSE(fs::exists(place.work / "build"));
  CHECK(shell(place.work, "git describe --tags") == "v1\n");
}

TEST_CASE("submodules are copied as plain files") {
  const Place place;
  write(place.folder.path() / "library/l.c", "l\n");
  shell(place.folder.path() / "library", "git init -q . && git add -A && git commit -qm one");
  shell(place.source,
        "git init -q . && git -c protocol.file.allow=always submodule --quiet add ../library third_party/library && "
        "git add -A && git commit -qm one");
  const Workspace workspace = place.workspace();
  CHECK(read(place.work / "third_party/library/l.c") == "l\n");
  CHECK_FALSE(fs::exists(place.work / "third_party/library/.git"));
}

TEST_CASE("checking out writes the files that differ and no others") {
  const Place place;
  const SourceTree baseline = place.baseline();
  Workspace workspace = place.workspace();
  const auto untouched = stamp_of(place.work / "src/sub/b.cc");
  const auto old_stamp = stamp_of(place.work / "src/a.cc");
  REQUIRE(workspace.check_out(with(with(baseline, "src/a.cc", "A\n"), "src/deep/er/n.cc", "n\n")));
  CHECK(read(place.work / "src/a.cc") == "A\n");
  CHECK(read(place.work / "src/deep/er/n.cc") == "n\n");
  CHECK(stamp_of(place.work / "src/a.cc") > old_stamp);
  CHECK(stamp_of(place.work / "src/sub/b.cc") == untouched);
  REQUIRE(workspace.check_out(baseline));
  CHECK(read(place.work / "src/a.cc") == "a\n");
  CHECK_FALSE(fs::exists(place.work / "src/deep/er/n.cc"));
  const auto settled = state_of(place.work);
  REQUIRE(workspace.check_out(baseline));
  CHECK(state_of(place.work) == settled);
}

TEST_CASE("a file's new stamp is later than anything built before, within one tick too") {
  const Place place;
  const SourceTree baseline = place.baseline();
  Workspace workspace = place.workspace();
  std::int64_t last = 0;
  for (int i = 0; i < 200; ++i) {
    REQUIRE(workspace.check_out(with(baseline, "src/a.cc", i % 2 == 0 ? "A\n" : "B\n")));
    const std::int64_t stamp = stamp_of(place.work / "src/a.cc");
    CHECK(stamp > last);
    write(place.work / "a.o", "object\n");
    last = std::max(stamp, stamp_of(place.work / "a.o"));
  }
}

TEST_CASE("what a build or a test did to the files is put right, and nothing outside is touched") {
  const Place place;
  const SourceTree baseline = place.baseline();
  Workspace workspace = place.workspace();
  const fs::path outside = place.folder.path() / "outside";
  write(outside / "a.cc", "outside\n");
  write(outside / "b.cc", "outside\n");
  const auto before = state_of(outside);
  const fs::path file = place.work / "src/a.cc";

  SUBCASE("changed") {
    write(file, "tampered\n");
  }
  SUBCASE("changed, with size and stamp as before") {
    const auto stamp = fs::last_write_time(file);
    write(file, "x\n");
    fs::last_write_time(file, stamp);
  }
  SUBCASE("deleted") {
    fs::remove(file);
  }
  SUBCASE("replaced by a link outwards") {
    fs::remove(file);
    fs::create_symlink(outside / "a.cc", file);
  }
  SUBCASE("replaced by a hard link outwards") {
    fs::remove(file);
    fs::create_hard_link(outside / "a.cc", file);
  }
  SUBCASE("replaced by a folder") {
    fs::remove(file);
    write(file / "x/y", "z\n");
    fs::permissions(file / "x", fs::perms::none);
  }
  SUBCASE("made unwritable, and its folder too") {
    write(file, "tampered\n");
    fs::permissions(file, fs::perms::none);
    fs::permissions(file.parent_path(), fs::perms::none);
  }
  SUBCASE("its folder replaced by a link outwards") {
    fs::remove_all(place.work / "src");
    fs::create_directory_symlink(outside, place.work / "src");
  }
  SUBCASE("its folder's folder replaced by a file") {
    fs::remove_all(place.work / "src");
    write(place.work / "src", "file\n");
  }
  SUBCASE("a trap where the temporary file goes") {
    write(file, "tampered\n");
    fs::create_symlink(outside / "a.cc", place.work / "src/.aiopt-new");
  }
  REQUIRE(workspace.check_out(baseline));
  CHECK(read(file) == "a\n");
  CHECK(read(place.work / "src/sub/b.cc") == "b\n");
  CHECK_FALSE(fs::is_symlink(place.work / "src"));
  CHECK_FALSE(fs::is_symlink(file));
  CHECK(read(outside / "a.cc") == "outside\n");
  REQUIRE(workspace.check_out(with(baseline, "src/a.cc", "next\n")));
  CHECK(read(file) == "next\n");
  CHECK(state_of(outside) == before);
}

TEST_CASE("a file cannot be put through or over a link of the source") {
  const Place place;
  write(place.folder.path() / "outside/x.cc", "outside\n");
  fs::create_directory_symlink("../../outside", place.source / "src/linked");
  fs::create_symlink("../Makefile", place.source / "src/make.cc");
  const SourceTree baseline = place.baseline();
  Workspace workspace = place.workspace();
  for (const std::string path : {"src/linked/x.cc", "src/make.cc"}) {
    const auto put = workspace.check_out(with(baseline, path, "x\n"));
    REQUIRE_FALSE(put);
    CHECK(put.error().code == Error::Code::invalid_argument);
    CHECK(put.error().message.find("symbolic link") != std::string::npos);
  }
  CHECK(read(place.folder.path() / "outside/x.cc") == "outside\n");
  CHECK(read(place.work / "Makefile") == "all:\n");
  CHECK(workspace.check_out(baseline));
}

TEST_CASE("a workspace that was moved away is an error, and one that exists is not taken") {
  const Place place;
  const SourceTree baseline = place.baseline();
  Workspace workspace = place.workspace();
  CHECK_FALSE(Workspace::create(place.source, place.work, baseline));
  CHECK(fs::exists(place.work / "src/a.cc"));
  fs::rename(place.work, place.folder.path() / "moved");
  fs::create_directory(place.work);
  const auto checked_out = workspace.check_out(baseline);
  REQUIRE_FALSE(checked_out);
  CHECK(checked_out.error().code == Error::Code::unavailable);
  CHECK_FALSE(Workspace::create(place.folder.path() / "missing", place.folder.path() / "w", baseline));
}
