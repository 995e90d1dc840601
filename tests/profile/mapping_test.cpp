/// What lies where, after mappings came and went.

#include "profile/mapping.hpp"

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

Mapping mapping(std::uint64_t start, std::uint64_t end, const std::string& path, std::uint64_t file_offset = 0) {
  return {start, end, file_offset, path, ""};
}

}  // namespace

TEST_CASE("a later mapping replaces what it covers, and leaves what it does not") {
  AddressMap map;
  map.add(mapping(0x1000, 0x9000, "old", 0x100000));
  map.add(mapping(0x3000, 0x5000, "new"));
  REQUIRE(map.mappings().size() == 3);
  CHECK(*map.find(0x2fff) == mapping(0x1000, 0x3000, "old", 0x100000));
  CHECK(*map.find(0x3000) == mapping(0x3000, 0x5000, "new"));
  CHECK(*map.find(0x5000) == mapping(0x5000, 0x9000, "old", 0x104000));
  CHECK(map.find(0xfff) == nullptr);
  CHECK(map.find(0x9000) == nullptr);
}

TEST_CASE("a mapping over several leaves none of them") {
  AddressMap map;
  map.add(mapping(0x1000, 0x2000, "a"));
  map.add(mapping(0x2000, 0x3000, "b"));
  map.add(mapping(0x4000, 0x5000, "c"));
  map.add(mapping(0x1000, 0x5000, "d"));
  map.add(mapping(0x3000, 0x3000, "nothing"));
  CHECK(map.mappings().size() == 1);
  CHECK(map.find(0x3500)->path == "d");
}

TEST_CASE("of /proc/PID/maps, what can be executed is taken") {
  const std::vector<Mapping> mappings = parse_maps(
      "55d0a000-55d0b000 r--p 00000000 fd:01 1234                       /usr/bin/a b\n"
      "55d0b000-55d0c000 r-xp 00001000 fd:01 1234                       /usr/bin/a b\n"
      "7ffd1000-7ffd3000 r-xp 00000000 00:00 0                          [vdso]\n"
      "7ffd4000-7ffd5000 rwxp 00000000 00:00 0 \n"
      "no mapping\n"
      "7ffd5000-7ffd4000 r-xp 00000000 00:00 0 \n");
  REQUIRE(mappings.size() == 3);
  CHECK(mappings[0] == mapping(0x55d0b000, 0x55d0c000, "/usr/bin/a b", 0x1000));
  CHECK(mappings[1] == mapping(0x7ffd1000, 0x7ffd3000, "[vdso]"));
  CHECK(mappings[2] == mapping(0x7ffd4000, 0x7ffd5000, ""));
}
