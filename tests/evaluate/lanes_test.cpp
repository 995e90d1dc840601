/// Tests of which cores are for what, and of who may build and who may measure.

#include "evaluate/lanes.hpp"

#include <atomic>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace aiopt;
using namespace std::chrono_literals;

TEST_CASE("builds go side by side") {
  Lanes lane;
  const Lanes::Turn first = lane.build();
  const Lanes::Turn second = lane.build();  // Would wait for ever otherwise.
  CHECK(lane.occupancy().lanes == 0.0);
}

TEST_CASE("a measurement waits for the builds that run and keeps new ones waiting") {
  Lanes lane;
  std::optional<Lanes::Turn> build = lane.build();
  std::atomic<bool> measures = false;
  std::atomic<bool> may_end = false;
  std::thread measurer([&] {
    const Lanes::Turn turn = lane.measure();
    measures = true;
    while (!may_end) std::this_thread::sleep_for(1ms);
  });
  std::this_thread::sleep_for(20ms);
  CHECK_FALSE(measures);

  std::atomic<bool> builds = false;
  std::thread builder([&] {
    const Lanes::Turn turn = lane.build();  // The measurement asked first.
    builds = true;
  });
  std::this_thread::sleep_for(20ms);
  CHECK_FALSE(builds);
  build.reset();
  while (!measures) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(20ms);
  CHECK_FALSE(builds);
  may_end = true;
  measurer.join();
  builder.join();
  CHECK(builds);
  CHECK(lane.occupancy().lanes > 0.0);
  CHECK(lane.occupancy().lanes < 1.0);
}

TEST_CASE("nobody is ever beside a measurement, whatever the order") {
  Lanes lane;
  std::atomic<int> building = 0;
  std::atomic<int> measuring = 0;
  std::atomic<bool> was_wrong = false;
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 6; ++seed) {
    threads.emplace_back([&, seed] {
      std::minstd_rand random(seed + 1);
      for (int turn = 0; turn < 300; ++turn) {
        if (random() % 3 == 0) {
          const Lanes::Turn held = lane.measure();
          if (++measuring != 1 || building != 0) was_wrong = true;
          std::this_thread::yield();
          --measuring;
        } else {
          const Lanes::Turn held = lane.build();
          ++building;
          if (measuring != 0) was_wrong = true;
          std::this_thread::yield();
          --building;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(was_wrong);
}

TEST_CASE("a small machine has one lane on all its CPUs, and builds pause") {
  const auto plan = plan_lanes({0, 1}, 0, {});
  REQUIRE(plan);
  CHECK(plan->builds_pause);
  CHECK(plan->lanes == std::vector<std::vector<int>>{{}});
  CHECK(plan->describe(2) == "1 lane on all 2 CPUs; builds pause while it measures");
}

TEST_CASE("a larger machine keeps builds off its lanes' CPUs") {
  const auto plan = plan_lanes({0, 1, 2, 3, 4, 5, 6, 7}, 2, {});
  REQUIRE(plan);
  CHECK_FALSE(plan->builds_pause);
  CHECK(plan->lanes == std::vector<std::vector<int>>{{4, 5}, {6, 7}});
  CHECK(plan->builds == std::vector<int>{0, 1, 2, 3});
  CHECK(plan->describe(8) == "2 lanes on CPUs 4-5 and CPUs 6-7; builds on 0-3");
}

TEST_CASE("CPUs named for the lanes are theirs, and builds have the rest") {
  const auto plan = plan_lanes({0, 1}, 0, {1});
  REQUIRE(plan);
  CHECK_FALSE(plan->builds_pause);
  CHECK(plan->lanes == std::vector<std::vector<int>>{{1}});
  CHECK(plan->builds == std::vector<int>{0});
  const auto all = plan_lanes({0, 1}, 1, {0, 1});
  REQUIRE(all);
  CHECK(all->builds_pause);
  CHECK(all->lanes == std::vector<std::vector<int>>{{0, 1}});
}

TEST_CASE("lanes without a CPU each, CPUs that are not there and lanes that leave none for builds are refused") {
  CHECK_FALSE(plan_lanes({0, 1}, 2, {}));
  CHECK_FALSE(plan_lanes({0, 1, 2, 3}, 3, {}));
  CHECK_FALSE(plan_lanes({0, 1}, 1, {2}));
  CHECK_FALSE(plan_lanes({0, 1}, 2, {0, 1}));
}

TEST_CASE("where cores are kept apart a build does not wait for a measurement") {
  Lanes lanes(*plan_lanes({0, 1}, 0, {1}));
  const Lanes::Turn measurement = lanes.measure();
  CHECK(measurement.lane() == 0);
  CHECK(measurement.cpus() == std::vector<int>{1});
  const Lanes::Turn build = lanes.build();  // Would wait for ever otherwise.
  CHECK(build.cpus() == std::vector<int>{0});
  std::this_thread::sleep_for(20ms);
  CHECK(lanes.occupancy().lanes > 0.9);
  CHECK(lanes.occupancy().builds > 0.9);
}

TEST_CASE("two lanes measure at once, a third measurement waits for one of them") {
  Lanes lanes(*plan_lanes({0, 1, 2, 3}, 2, {}));
  std::optional<Lanes::Turn> first = lanes.measure();
  const Lanes::Turn second = lanes.measure();
  CHECK(first->lane() == 0);
  CHECK(second.lane() == 1);
  std::atomic<int> third = -1;
  std::thread waiting([&] { third = lanes.measure().lane(); });
  std::this_thread::sleep_for(20ms);
  CHECK(third == -1);
  first.reset();
  waiting.join();
  CHECK(third == 0);
}
