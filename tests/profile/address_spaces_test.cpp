/// What is mapped where, over fork, exec and dlopen.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "profile/address_spaces.hpp"

using namespace aiopt;

TEST_CASE("a mapping takes the place of what lay there, in part too") {
  AddressSpaces spaces;
  spaces.map(1, {0x1000, 0x5000, 0x100, "/old", ""});
  spaces.map(1, {0x2000, 0x3000, 0, "/new", ""});
  const auto number = spaces.keep(1);
  CHECK(spaces.kept().at(number) == std::vector<Mapping>{{0x1000, 0x2000, 0x100, "/old", ""},
                                                         {0x2000, 0x3000, 0, "/new", ""},
                                                         {0x3000, 0x5000, 0x2100, "/old", ""}});
}

TEST_CASE("a child shares its parent's mappings until one of them maps something else") {
  AddressSpaces spaces;
  spaces.map(1, {0x1000, 0x2000, 0, "/a", ""});
  spaces.fork(1, 2);
  CHECK(spaces.of(1) == spaces.of(2));
  spaces.map(2, {0x9000, 0xa000, 0, "/plugin", ""});
  CHECK(spaces.of(1) != spaces.of(2));
  std::vector<std::uint64_t> words{0x1800, 0x9800};
  spaces.keep_executable(1, words);
  CHECK(words == std::vector<std::uint64_t>{0x1800});
  words = {0x1800, 0x9800, 0x0fff, 0x2000, 0xffffffffffffffff};
  spaces.keep_executable(2, words);
  CHECK(words == std::vector<std::uint64_t>{0x1800, 0x9800});
}

TEST_CASE("stacks that were kept still mean what they meant when something else is mapped there") {
  AddressSpaces spaces;
  spaces.map(1, {0x1000, 0x2000, 0, "/first", ""});
  const auto before = spaces.keep(1);
  spaces.map(1, {0x5000, 0x6000, 0, "/elsewhere", ""});
  CHECK(spaces.of(1) == before);
  spaces.map(1, {0x1000, 0x2000, 0, "/second", ""});
  const auto after = spaces.keep(1);
  CHECK(after != before);
  CHECK(spaces.kept().at(before).at(0).path == "/first");
  CHECK(spaces.kept().at(after).at(0).path == "/second");
  CHECK(spaces.kept().at(after).size() == 2);
}

TEST_CASE("after exec nothing is mapped") {
  AddressSpaces spaces;
  spaces.map(1, {0x1000, 0x2000, 0, "/a", ""});
  spaces.exec(1);
  std::vector<std::uint64_t> words{0x1800};
  spaces.keep_executable(1, words);
  CHECK(words.empty());
}

TEST_CASE("a process's programs are those that it ran and those of its ancestors, each once, and no library") {
  AddressSpaces spaces;
  const auto run = [&](std::uint32_t pid, const char* program) {
    spaces.exec(pid);
    spaces.map(pid, {0x1000, 0x2000, 0, program, ""});
    spaces.map(pid, {0x3000, 0x4000, 0, "/lib/ld.so", ""});
  };
  run(1, "/bin/starter");
  spaces.fork(1, 2);
  using Programs = std::vector<std::string>;
  CHECK(spaces.programs_of(2) == Programs{"/bin/starter"});
  spaces.exec(2);
  CHECK(spaces.programs_of(2).empty());  // Of the next one nothing is known yet.
  run(2, "/bin/command");
  run(2, "/bin/starter");
  spaces.map(2, {0x5000, 0x6000, 0, "/lib/plugin.so", ""});
  CHECK(spaces.programs_of(2) == Programs{"/bin/starter", "/bin/command"});
  // A kept space that maps something else in its place is another one, of the same process.
  const auto of_command = spaces.keep(2);
  spaces.map(2, {0x1000, 0x2000, 0, "/other", ""});
  CHECK(spaces.keep(2) != of_command);
  CHECK(spaces.programs_of(2) == Programs{"/bin/starter", "/bin/command"});
  for (int i = 0; i < 100; ++i) run(3, ("/bin/" + std::to_string(i)).c_str());
  CHECK(spaces.programs_of(3).size() == AddressSpaces::kMostPrograms);
}
