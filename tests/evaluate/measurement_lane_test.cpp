/// Tests of who may build and who may measure.

#include "evaluate/measurement_lane.hpp"

#include <atomic>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace aiopt;
using namespace std::chrono_literals;

TEST_CASE("builds go side by side") {
  MeasurementLane lane;
  const MeasurementLane::Turn first = lane.build();
  const MeasurementLane::Turn second = lane.build();  // Would wait for ever otherwise.
  CHECK(lane.busy_share() == 0.0);
}

TEST_CASE("a measurement waits for the builds that run and keeps new ones waiting") {
  MeasurementLane lane;
  std::optional<MeasurementLane::Turn> build = lane.build();
  std::atomic<bool> measures = false;
  std::atomic<bool> may_end = false;
  std::thread measurer([&] {
    const MeasurementLane::Turn turn = lane.measure();
    measures = true;
    while (!may_end) std::this_thread::sleep_for(1ms);
  });
  std::this_thread::sleep_for(20ms);
  CHECK_FALSE(measures);

  std::atomic<bool> builds = false;
  std::thread builder([&] {
    const MeasurementLane::Turn turn = lane.build();  // The measurement asked first.
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
  CHECK(lane.busy_share() > 0.0);
  CHECK(lane.busy_share() < 1.0);
}

TEST_CASE("nobody is ever beside a measurement, whatever the order") {
  MeasurementLane lane;
  std::atomic<int> building = 0;
  std::atomic<int> measuring = 0;
  std::atomic<bool> was_wrong = false;
  std::vector<std::thread> threads;
  for (unsigned seed = 0; seed < 6; ++seed) {
    threads.emplace_back([&, seed] {
      std::minstd_rand random(seed + 1);
      for (int turn = 0; turn < 300; ++turn) {
        if (random() % 3 == 0) {
          const MeasurementLane::Turn held = lane.measure();
          if (++measuring != 1 || building != 0) was_wrong = true;
          std::this_thread::yield();
          --measuring;
        } else {
          const MeasurementLane::Turn held = lane.build();
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
