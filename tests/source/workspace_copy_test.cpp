/// Tests of workspaces that start with what was built in another.

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "workspace_place.hpp"

using namespace aiopt;
using namespace aiopt::test;

namespace {

/// A program of two objects. `compile` makes one, of $< into $@.
struct Built : Place {
  Workspace workspace;
  fs::path copied = folder.path() / "runs/copied";

  explicit Built(const std::string& compile = "g++ -g -MMD -c -o $@ $<") : workspace(made(compile)) {}

  Workspace made(const std::string& compile) {
    fs::remove_all(source);
    write(source / "src/answer.cc", "int answer() { return 1; }\n");
    write(source / "src/main.cc", "int answer();\nint main() { return answer(); }\n");
    write(source / "Makefile",
          "build/program: build/main.o build/answer.o\n\tg++ -g -o $@ $^\n"
          "build/%.o: src/%.cc\n\tmkdir -p build && " +
              compile + "\n\techo $< >> log\n-include build/*.d\n");
    Workspace made = workspace_of_place();
    shell(work, "make -s");
    fs::remove(work / "log");
    return made;
  }

  Workspace workspace_of_place() const { return Place::workspace(); }
};

}  // namespace

TEST_CASE("a copy of a built workspace has everything with its time, and make goes on from there") {
  Built place;
  const auto before = state_of(place.work);
  auto copy = Workspace::create_from(place.workspace, place.copied);
  if (!copy) FAIL(copy.error().message);
  CHECK(copy->folder() == place.copied);
  CHECK(state_of(place.work) == before);
  CHECK(stamp_of(place.copied / "build/answer.o") == stamp_of(place.work / "build/answer.o"));
  CHECK(stamp_of(place.copied / "build") == stamp_of(place.work / "build"));

  const SourceTree baseline = place.baseline();
  REQUIRE(copy->check_out(baseline));
  shell(place.copied, "make -q");
  REQUIRE(copy->check_out(with(baseline, "src/answer.cc", "int answer() { return 0; }\n")));
  shell(place.copied, "make -s && ./build/program");
  CHECK(read(place.copied / "log") == "src/answer.cc\n");
  CHECK(copy->changed_protected().empty());
  CHECK(state_of(place.work) == before);
}

TEST_CASE("a copy has the history of its source, links, and is itself no part of a source") {
  const Place place;
  shell(place.source, "git init -q . && git add -A && git commit -qm one && git tag v1");
  fs::create_symlink("src", place.source / "link");
  const Workspace first = place.workspace();
  fs::create_symlink("nowhere", place.work / "new-link");
  const fs::path copied = place.folder.path() / "runs/copied";
  const auto copy = Workspace::create_from(first, copied);
  REQUIRE(copy);
  CHECK(shell(copied, "git describe --tags") == "v1\n");
  CHECK(fs::read_symlink(copied / "link") == "src");
  CHECK(fs::read_symlink(copied / "new-link") == "nowhere");
  CHECK(fs::exists(copied / "CACHEDIR.TAG"));
}

TEST_CASE("what names the folder it was built in is not taken over") {
  std::string compile;
  std::string named = "build/main.o";
  SUBCASE("dependency files") {
    compile = "g++ -MMD -c -o $@ $(CURDIR)/$<";
    named = "build/answer.d";
  }
  SUBCASE("a path in the program") {
    compile = "g++ -c -o $@ -DHERE='\"$(CURDIR)\"' -include ../../here.h $<";
    named = "build/answer.o";
  }
  SUBCASE("a path in a static library") {
    compile =
        "g++ -c -o $@ $< && g++ -c -DHERE='\"$(CURDIR)\"' -include ../../here.h -o here.o $< && ar rc lib.a here.o && "
        "rm here.o";
    named = "lib.a";
  }
  SUBCASE("a path of shared libraries") {
    compile = "g++ -c -o $@ $< && g++ -shared -Wl,-rpath,$(CURDIR)/build -nostdlib -o here.so -x c++ /dev/null";
    named = "here.so";
  }
  Built place("test -f ../../here.h || echo 'static const char* here __attribute__((used)) = HERE;' > ../../here.h; " +
              compile);
  const auto copy = Workspace::create_from(place.workspace, place.copied);
  REQUIRE_FALSE(copy);
  CHECK(copy.error().code == Error::Code::unavailable);
  CHECK(copy.error().message.find('`' + named + "` names the folder") != std::string::npos);
  CHECK_FALSE(fs::exists(place.copied));
}

TEST_CASE("a workspace in which a protected file changed is not copied") {
  Built place;
  write(place.work / "Makefile", "all:\n");
  SUBCASE("found out by the copy") {}
  SUBCASE("found out before") {
    CHECK_FALSE(place.workspace.changed_protected().empty());
  }
  const auto copy = Workspace::create_from(place.workspace, place.copied);
  REQUIRE_FALSE(copy);
  CHECK(copy.error().code == Error::Code::unavailable);
  CHECK_FALSE(fs::exists(place.copied));
}
