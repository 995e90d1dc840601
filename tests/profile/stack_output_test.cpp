/// Folded stacks and speedscope's JSON.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "profile/stack_output.hpp"

using namespace aiopt;

namespace {

SampledStacks small_profile() {
  SampledStacks stacks;
  SampledStack sync;
  sync.wait = WaitClass::io;
  sync.thread = "kv";
  sync.samples = 7;
  sync.frames = {{{"folio_wait_bit", "", 0}, "[kernel]", false},
                 {{"fsync", "", 0}, "/lib/libc.so.6", false},
                 {{"kv::Wal::append", "wal.cc", 47}, "/src/kv", true},
                 {{"main; or not", "", 0}, "/src/kv", false}};
  SampledStack idle = sync;
  idle.is_idle = true;
  idle.thread = "pool\n1";
  idle.frames.resize(1);
  SampledStack running;
  running.samples = 2;
  running.frames = {{{"", "", 0}, "", false}, {{"main; or not", "", 0}, "/src/kv", false}};
  stacks.stacks = {sync, idle, running, sync};
  return stacks;
}

}  // namespace

TEST_CASE("folded stacks go from outermost to innermost and end in the class of a wait") {
  CHECK(to_folded(small_profile()) ==
        "[unknown];main: or not;[unknown] 2\n"
        "kv;main: or not;kv::Wal::append_[i];fsync;folio_wait_bit_[k];io_[w] 14\n"
        "pool 1;folio_wait_bit_[k];idle_[w] 7\n");
  CHECK(to_folded({}) == "");
}

TEST_CASE("speedscope gets a sampled profile for each thread, weights in ns") {
  const nlohmann::json file = nlohmann::json::parse(to_speedscope(small_profile(), "kv \xff"));
  CHECK(file["$schema"] == "https://www.speedscope.app/file-format-schema.json");
  CHECK(file["name"] == "kv \uFFFD");
  const nlohmann::json& frames = file["shared"]["frames"];
  REQUIRE(file["profiles"].size() == 3);
  const nlohmann::json& kv = file["profiles"][1];
  CHECK(kv["type"] == "sampled");
  CHECK(kv["name"] == "kv");
  CHECK(kv["unit"] == "nanoseconds");
  CHECK(kv["startValue"] == 0);
  CHECK(kv["endValue"] == 14'000'000);
  CHECK(kv["weights"] == nlohmann::json({7'000'000, 7'000'000}));
  REQUIRE(kv["samples"].size() == 2);
  const nlohmann::json& sample = kv["samples"][0];
  REQUIRE(sample.size() == 5);
  CHECK(frames.at(sample[0].get<std::size_t>()) == nlohmann::json({{"name", "main; or not"}}));
  CHECK(frames.at(sample[1].get<std::size_t>()) ==
        nlohmann::json({{"name", "kv::Wal::append"}, {"file", "wal.cc"}, {"line", 47}}));
  CHECK(frames.at(sample[4].get<std::size_t>())["name"] == "[io]");
  CHECK(kv["samples"][1] == sample);
}
