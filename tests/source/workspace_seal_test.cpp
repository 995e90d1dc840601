/// Tests of sealed workspaces: what a run leaves is removed, its data comes back, and what it changed is named.

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "base/file_descriptor.hpp"

#include "workspace_place.hpp"

using namespace aiopt;
using namespace aiopt::test;

namespace {

using Paths = std::vector<std::string>;

/// A workspace as a build left it.
struct Built : Place {
  Workspace workspace = made();
  fs::path build = work / "build";

  Workspace made() {
    Workspace made = workspace_of_place();
    write(work / "build/a.o", "object\n");
    write(work / "build/gen/table.h", "table\n");
    write(work / "build/bench.db/1.sst", "one\n");
    write(work / "build/bench.db/sub/2.sst", "two\n");
    fs::create_symlink("1.sst", work / "build/bench.db/CURRENT");
    return made;
  }

  Workspace workspace_of_place() const { return Place::workspace(); }

  void seal(const Paths& data = {"build/bench.db"}) {
    const auto sealed = workspace.seal(data);
    if (!sealed) FAIL(sealed.error().message);
  }

  RunTraces restore() {
    const auto traces = workspace.restore();
    if (!traces) FAIL(traces.error().message);
    return *traces;
  }
};

/// As state_of(), of what outlives a copy: no inodes.
std::map<std::string, std::string> contents_of(const fs::path& folder) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat status {};
    REQUIRE(::lstat(entry.path().c_str(), &status) == 0);
    contents[entry.path().string()] = std::to_string(status.st_mode) + " " + std::to_string(stamp_of(entry.path())) +
                                      " " + (S_ISREG(status.st_mode) ? read(entry.path()) : "") +
                                      (S_ISLNK(status.st_mode) ? fs::read_symlink(entry.path()).string() : "");
    if (S_ISLNK(status.st_mode)) contents[entry.path().string()] = fs::read_symlink(entry.path()).string();
  }
  return contents;
}

}  // namespace

TEST_CASE("a run that does nothing leaves no trace") {
  Built place;
  place.seal();
  const auto before = state_of(place.work);
  const RunTraces traces = place.restore();
  CHECK(traces.left.empty());
  CHECK(traces.changed.empty());
  CHECK(state_of(place.work) == before);
}

TEST_CASE("what a run leaves is removed and named, whatever it is") {
  Built place;
  write(place.folder.path() / "outside/x", "x\n");
  place.seal();
  const auto before = contents_of(place.work);
  write(place.work / "cache", "answers\n");
  write(place.work / "build/gen/.hidden/deep/er", "x\n");
  write(place.work / "line\nbreak", "x\n");
  write(place.work / ".git/anything", "x\n");  // Of git's own: removed without a word.
  fs::create_directory_symlink(place.folder.path() / "outside", place.work / "src/outside");
  fs::create_symlink("loop", place.work / "loop");
  REQUIRE(::mkfifo((place.work / "fifo").c_str(), 0) == 0);
  write(place.work / "locked/x/y", "y\n");
  fs::permissions(place.work / "locked/x", fs::perms::none);
  fs::permissions(place.work / "locked", fs::perms::none);
  struct sockaddr_un address {};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, "socket", sizeof(address.sun_path) - 1);
  {
    const FileDescriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const fs::path here = fs::current_path();
    fs::current_path(place.work);
    REQUIRE(::bind(listener.get(), reinterpret_cast<struct sockaddr*>(&address), sizeof(address)) == 0);
    fs::current_path(here);
  }
  const RunTraces traces = place.restore();
  CHECK(traces.left ==
        Paths{"build/gen/.hidden", "cache", "fifo", "line break", "locked", "loop", "socket", "src/outside"});
  CHECK(traces.left_count == 8);
  CHECK(traces.changed.empty());
  CHECK(contents_of(place.work) == before);
  CHECK(read(place.folder.path() / "outside/x") == "x\n");
}

TEST_CASE("any number of files is removed; twenty are named, and how many there were") {
  Built place;
  place.seal();
  const auto before = contents_of(place.work);
  for (int i = 0; i < 50; ++i) write(place.work / ("f" + std::to_string(i)), "");
  shell(place.work, "mkdir many && cd many && seq 20000 | xargs touch");
  const RunTraces traces = place.restore();
  CHECK(traces.left.size() == 20);
  CHECK(traces.left_count == 51);
  CHECK(contents_of(place.work) == before);
}

TEST_CASE("the data is as it was before each run") {
  Built place;
  place.seal({"build/bench.db", "build/not/yet/"});
  const auto before = contents_of(place.work);
  for (int run = 0; run < 2; ++run) {
    SUBCASE("changed, with size and stamp as before") {
      const auto stamp = fs::last_write_time(place.build / "bench.db/1.sst");
      write(place.build / "bench.db/1.sst", "ONE\n");
      fs::last_write_time(place.build / "bench.db/1.sst", stamp);
    }
    SUBCASE("more of it") {
      write(place.build / "bench.db/3.sst", "three\n");
      write(place.build / "bench.db/sub/sub/4.sst", "four\n");
    }
    SUBCASE("removed whole") {
      fs::remove_all(place.build / "bench.db");
    }
    SUBCASE("a folder replaced by a link to elsewhere") {
      fs::remove_all(place.build / "bench.db/sub");
      write(place.folder.path() / "elsewhere/2.sst", "other\n");
      fs::create_directory_symlink(place.folder.path() / "elsewhere", place.build / "bench.db/sub");
    }
    SUBCASE("a file replaced by a folder, a folder by a file, a link by another") {
      fs::remove(place.build / "bench.db/1.sst");
      write(place.build / "bench.db/1.sst/x", "x\n");
      fs::remove_all(place.build / "bench.db/sub");
      write(place.build / "bench.db/sub", "x\n");
      fs::remove(place.build / "bench.db/CURRENT");
      fs::create_symlink("2.sst", place.build / "bench.db/CURRENT");
    }
    SUBCASE("permissions taken away") {
      fs::permissions(place.build / "bench.db/1.sst", fs::perms::none);
      fs::permissions(place.build / "bench.db/sub", fs::perms::none);
      fs::permissions(place.build / "bench.db", fs::perms::none);
    }
    SUBCASE("times of folders") {
      fs::last_write_time(place.build / "bench.db/sub", fs::file_time_type::min());
    }
    const RunTraces traces = place.restore();
    CHECK(traces.left.empty());
    CHECK(traces.changed.empty());
    CHECK(contents_of(place.work) == before);
  }
  CHECK_FALSE(fs::exists(place.folder.path() / "elsewhere/1.sst"));
}

TEST_CASE("data that was not there is removed; around it, what is new is named") {
  Built place;
  place.seal({"build/bench.db", "build/not/yet.db"});
  write(place.build / "not/yet.db/1", "1\n");
  const RunTraces traces = place.restore();
  CHECK(traces.left == Paths{"build/not"});
  CHECK_FALSE(fs::exists(place.build / "not"));

  place.seal({"build/yet.db"});
  write(place.build / "yet.db/1", "1\n");
  CHECK(place.restore().left.empty());
  CHECK_FALSE(fs::exists(place.build / "yet.db"));
}

TEST_CASE("what a run did to sealed files is named, however it hid it") {
  Built place;
  write(place.work / "build/b.o", "same\n");
  write(place.work / "build/c.o", "same\n");
  place.seal();
  const fs::path object = place.build / "a.o";
  const auto stamp = fs::last_write_time(object);
  Paths expected = {"build/a.o"};
  SUBCASE("changed, with size and stamp as before") {
    write(object, "OBJECT\n");
    fs::last_write_time(object, stamp);
  }
  SUBCASE("gone") {
    fs::remove(object);
  }
  SUBCASE("permissions") {
    fs::permissions(object, fs::perms::owner_all);
  }
  SUBCASE("replaced by a file with the same bytes and stamp") {
    fs::remove(object);
    write(object, "object\n");
    fs::last_write_time(object, stamp);
  }
  SUBCASE("changed through a hard link") {
    fs::create_hard_link(object, place.build / "bench.db/link");
    write(place.build / "bench.db/link", "OBJECT\n");
    fs::remove(place.build / "bench.db/link");
    fs::last_write_time(object, stamp);
  }
  SUBCASE("two that changed places") {
    expected = {"build/b.o", "build/c.o"};
    fs::rename(place.build / "b.o", place.build / "x");
    fs::rename(place.build / "c.o", place.build / "b.o");
    fs::rename(place.build / "x", place.build / "c.o");
  }
  SUBCASE("its folder replaced by a link to elsewhere") {
    expected = {"build"};
    fs::rename(place.build, place.folder.path() / "elsewhere");
    fs::create_directory_symlink(place.folder.path() / "elsewhere", place.build);
  }
  SUBCASE("its folder replaced by another") {
    expected = {"build/gen"};
    write(place.build / "other/table.h", "table\n");
    fs::remove_all(place.build / "gen");
    fs::rename(place.build / "other", place.build / "gen");
  }
  SUBCASE("a source file") {
    expected = {"src/a.cc"};
    write(place.work / "src/a.cc", "A\n");
  }
  SUBCASE("an attribute of a folder, in which a word could be kept") {
    expected = {"build/gen"};
    if (::setxattr((place.build / "gen").c_str(), "user.word", "42", 2, 0) != 0) return;  // tmpfs of old kernels.
  }
  const RunTraces traces = place.restore();
  CHECK(traces.left.empty());
  CHECK(traces.changed == expected);
  CHECK(traces.changed_count == expected.size());
  CHECK(place.restore().changed == expected);  // It stays so.
}

TEST_CASE("times and permissions of folders are put back: no run reads what the last one wrote there") {
  Built place;
  place.seal();
  const auto before = contents_of(place.work);
  const auto root_stamp = stamp_of(place.work);
  fs::last_write_time(place.build / "gen", fs::file_time_type::min());
  fs::permissions(place.build / "gen", fs::perms::owner_all);
  fs::permissions(place.build, fs::perms::none);
  fs::last_write_time(place.work, fs::file_time_type::min());
  fs::permissions(place.work, fs::perms::owner_all);
  const RunTraces traces = place.restore();
  CHECK(traces.changed.empty());
  CHECK(contents_of(place.work) == before);
  CHECK(stamp_of(place.work) == root_stamp);
}

TEST_CASE("a link among the data is kept as a link, and what it points to is not touched") {
  Built place;
  write(place.folder.path() / "outside/db", "1\n");
  fs::create_directory_symlink(place.folder.path() / "outside", place.build / "linked.db");
  place.seal({"build/linked.db", "build/linked.db/db"});
  write(place.folder.path() / "outside/db", "2\n");
  fs::remove(place.build / "linked.db");
  CHECK(place.restore().changed.empty());
  CHECK(fs::read_symlink(place.build / "linked.db") == place.folder.path() / "outside");
  CHECK(read(place.folder.path() / "outside/db") == "2\n");
}

TEST_CASE("large sparse data stays sparse") {
  Built place;
  write(place.build / "big.db", "begin\n");
  fs::resize_file(place.build / "big.db", std::uintmax_t{1} << 30);
  place.seal({"build/big.db"});
  fs::resize_file(place.build / "big.db", 3);
  CHECK(place.restore().changed.empty());
  struct stat status {};
  REQUIRE(::lstat((place.build / "big.db").c_str(), &status) == 0);
  CHECK(status.st_size == off_t{1} << 30);
  CHECK(status.st_blocks < 1000);
  CHECK(shell(place.build, "head -c 6 big.db") == "begin\n");
}

TEST_CASE("a snapshot that a program wrote to is not put back") {
  Built place;
  place.seal();
  const fs::path snapshot = place.work.string() + ".data";
  REQUIRE(fs::exists(snapshot));
  fs::remove_all(place.build / "bench.db");
  SUBCASE("changed") {
    write(snapshot / "0", "ONE\n");
  }
  SUBCASE("removed") {
    fs::remove_all(snapshot);
  }
  SUBCASE("replaced by links") {
    write(place.folder.path() / "outside", "one\n");
    fs::remove(snapshot / "0");
    fs::create_symlink(place.folder.path() / "outside", snapshot / "0");
  }
  CHECK_FALSE(place.workspace.restore());
  CHECK_FALSE(place.workspace.check_out(place.baseline()));
}

TEST_CASE("data paths that lead out of the workspace, or are all of it, are refused") {
  Built place;
  for (const std::string path : {"", "/", "/tmp/db", "../db", "build/../../db", ".", "./build", "a//b"}) {
    const auto sealed = place.workspace.seal({path});
    REQUIRE_FALSE(sealed);
    CHECK(sealed.error().code == Error::Code::invalid_argument);
  }
}

TEST_CASE("checking out ends a seal: what the last candidate left is gone, and the snapshot with it") {
  Built place;
  place.seal();
  write(place.work / "cache", "answers\n");
  write(place.build / "bench.db/1.sst", "ONE\n");
  REQUIRE(place.workspace.check_out(place.baseline()));
  CHECK_FALSE(fs::exists(place.work / "cache"));
  CHECK(read(place.build / "bench.db/1.sst") == "one\n");
  CHECK_FALSE(fs::exists(place.work.string() + ".data"));
  CHECK(fs::exists(place.build / "a.o"));
}

TEST_CASE("a workspace leaves nothing when it goes, its snapshot included") {
  const Place place;
  {
    Workspace workspace = place.workspace();
    REQUIRE(workspace.seal({"build/x.db"}));
    CHECK(fs::exists(place.work.string() + ".data"));
  }
  CHECK(fs::is_empty(place.work.parent_path()));
}

TEST_CASE("make builds on what the build left, and on nothing that a test or a benchmark left") {
  Place place;
  fs::remove_all(place.source);
  write(place.source / "src/answer.cc", "int answer() { return 1; }\n");
  write(place.source / "src/offset.cc", "int offset() { return 40; }\n");
  write(
      place.source / "main.cc",
      "#include <cstdio>\nint answer();\nint offset();\nint main() { std::printf(\"%d\\n\", answer() + offset()); }\n");
  write(place.source / "Makefile",
        "objects = build/main.o build/answer.o build/offset.o\n"
        "build/program: $(objects)\n\tg++ -o $@ $^\n\techo linked >> build/log\n"
        "build/main.o: main.cc\n\tmkdir -p build && g++ -c -o $@ $<\n"
        "build/%.o: src/%.cc\n\tmkdir -p build && g++ -c -o $@ $<\n\techo $< >> build/log\n");
  const SourceTree baseline = place.baseline();
  Workspace workspace = place.workspace();
  const fs::path& work = workspace.folder();
  const Paths data = {"bench.db"};

  REQUIRE(workspace.check_out(baseline));
  shell(work, "make -s");
  REQUIRE(workspace.seal(data));
  shell(work, "./build/program > bench.db; echo 41 > remembered");
  auto traces = workspace.restore();
  REQUIRE(traces);
  CHECK(traces->left == Paths{"remembered"});
  CHECK(traces->changed.empty());
  fs::remove(work / "build/log");

  // The next candidate: one object is built, and linked.
  REQUIRE(workspace.check_out(with(baseline, "src/answer.cc", "int answer() { return 2; }\n")));
  shell(work, "make -s");
  CHECK(read(work / "build/log") == "src/answer.cc\nlinked\n");
  CHECK(shell(work, "./build/program") == "42\n");
  CHECK(workspace.changed_protected().empty());

  // Its test overwrites an object, with the time stamp that it had: make would take it.
  REQUIRE(workspace.seal(data));
  write(place.folder.path() / "fake.cc", "int offset() { return 4000; }\n");
  shell(work, "g++ -c -o fake.o ../../fake.cc && touch -r build/offset.o fake.o && cp -p fake.o build/offset.o");
  traces = workspace.restore();
  REQUIRE(traces);
  CHECK(traces->left == Paths{"fake.o"});
  CHECK(traces->changed == Paths{"build/offset.o"});
  REQUIRE(workspace.check_out(baseline));
  shell(work, "make -s");
  CHECK(shell(work, "./build/program") == "4001\n");  // Why the caller must throw such a workspace away.
}

namespace {

/// A second workspace of the same source, built and sealed: whose program looks into the other's data.
Workspace make_verifier(const Built& place, const Paths& data) {
  auto verifier = Workspace::create(place.source, place.folder.path() / "runs/verifier", place.baseline());
  REQUIRE(verifier);
  write(verifier->folder() / "build/bench.db/own", "own\n");
  REQUIRE(verifier->seal(data));
  return std::move(*verifier);
}

const Paths kData = {"build/bench.db"};

}  // namespace

TEST_CASE("the data that a run left moves to who looks into it, and both have their own again") {
  Built place;
  place.seal(kData);
  Workspace verifier = make_verifier(place, kData);
  const fs::path theirs = place.work / "build/bench.db";
  const fs::path ours = verifier.folder() / "build/bench.db";
  const auto before = contents_of(verifier.folder());
  write(theirs / "3.sst", "three\n");
  const auto taken = verifier.take_data(place.workspace, kData);
  REQUIRE_MESSAGE(taken, (taken ? "" : taken.error().message));
  CHECK(read(ours / "3.sst") == "three\n");
  CHECK(read(ours / "sub/2.sst") == "two\n");
  CHECK_FALSE(fs::exists(ours / "own"));
  CHECK_FALSE(fs::exists(theirs));
  REQUIRE(verifier.restore());
  CHECK(contents_of(verifier.folder()) == before);
  CHECK(place.restore().changed.empty());
  CHECK(read(theirs / "1.sst") == "one\n");
  CHECK_FALSE(fs::exists(theirs / "3.sst"));
}

TEST_CASE("data that is a single file moves too") {
  Built place;
  place.seal({"result"});
  Workspace verifier = make_verifier(place, {"result"});
  write(place.work / "result", "42\n");
  REQUIRE(verifier.take_data(place.workspace, {"result"}));
  CHECK(read(verifier.folder() / "result") == "42\n");
  REQUIRE(verifier.restore());
  CHECK_FALSE(fs::exists(verifier.folder() / "result"));
}

TEST_CASE("what is no data is not taken: nothing there, a link in its place, a link on the way to it") {
  const auto hide = [](const Built& place, const std::string& how) {
    const fs::path outside = place.folder.path() / "outside";
    write(outside / "bench.db/x", "x\n");
    fs::remove_all(how == "parent" ? place.work / "build" : place.work / "build/bench.db");
    if (how == "link") fs::create_directory_symlink(outside / "bench.db", place.work / "build/bench.db");
    if (how == "parent") fs::create_directory_symlink(outside, place.work / "build");
    if (how == "pipe") REQUIRE(::mkfifo((place.work / "build/bench.db").c_str(), 0600) == 0);
  };
  for (const char* how : {"nothing", "link", "parent", "pipe"}) {
    CAPTURE(how);
    Built place;
    place.seal(kData);
    Workspace verifier = make_verifier(place, kData);
    hide(place, how);
    const auto taken = verifier.take_data(place.workspace, kData);
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == Error::Code::invalid_argument);
    CHECK(taken.error().message.find("left no data in `build/bench.db`") != std::string::npos);
    CHECK(read(verifier.folder() / "build/bench.db/own") == "own\n");
    CHECK(read(place.folder.path() / "outside/bench.db/x") == "x\n");
  }
}
