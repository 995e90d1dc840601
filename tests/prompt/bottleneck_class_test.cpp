/// The rule that classes a bottleneck, at its edges.

#include "prompt/bottleneck_class.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "prompt/profiled_walkv.hpp"

using namespace aiopt;

namespace {

Profile waits_of(double io, double lock, double scheduling, double other) {
  return {off_cpu_of(io, lock, scheduling, other), std::nullopt};
}

BottleneckClass class_by_rule(const Profile& profile) {
  return bottleneck_of(profile).kind;
}

double share_of(const OffCpuProfile& profile, BottleneckClass kind) {
  for (const TimeShare& share : time_shares(profile)) {
    if (share.kind == kind) return share.share;
  }
  return -1.0;
}

}  // namespace

TEST_CASE("the class with the largest share of the threads' time is the bottleneck") {
  CHECK(class_by_rule(waits_of(0.6, 0.1, 0.1, 0.1)) == BottleneckClass::io);
  CHECK(class_by_rule(waits_of(0.1, 0.6, 0.1, 0.1)) == BottleneckClass::lock);
  CHECK(class_by_rule(waits_of(0.1, 0.1, 0.6, 0.1)) == BottleneckClass::scheduling);
  CHECK(class_by_rule(waits_of(0.1, 0.1, 0.1, 0.6)) == BottleneckClass::other);
  CHECK(class_by_rule(waits_of(0.1, 0.1, 0.1, 0.1)) == BottleneckClass::cpu);
  CHECK(class_by_rule(waits_of(0.0, 0.0, 0.0, 0.0)) == BottleneckClass::cpu);
}

TEST_CASE("a class that has less than 40 % of the time is no bottleneck") {
  CHECK(class_by_rule(waits_of(0.40, 0.30, 0.10, 0.0)) == BottleneckClass::io);
  CHECK(class_by_rule(waits_of(0.3999, 0.30, 0.10, 0.0)) == BottleneckClass::mixed);
}

TEST_CASE("a class that leads by less than 5 points is no bottleneck") {
  CHECK(class_by_rule(waits_of(0.43, 0.48, 0.0, 0.0)) == BottleneckClass::lock);
  CHECK(class_by_rule(waits_of(0.43, 0.4799, 0.0, 0.0)) == BottleneckClass::mixed);
  CHECK(class_by_rule(waits_of(0.0, 0.50, 0.0, 0.0)) == BottleneckClass::mixed);  // Half of it computes.
}

TEST_CASE("idle waits are nobody's bottleneck") {
  Profile profile = waits_of(0.2, 0.1, 0.0, 0.0);
  profile.off_cpu->samples += 90'000;
  profile.off_cpu->off_cpu_samples += 90'000;
  profile.off_cpu->idle_samples = 90'000;
  CHECK(class_by_rule(profile) == BottleneckClass::cpu);
  CHECK(share_of(*profile.off_cpu, BottleneckClass::cpu) == doctest::Approx(0.7));
}

TEST_CASE("a profile of fewer than 100 samples that are not idle tells nothing") {
  Profile profile;
  OffCpuProfile& waits = profile.off_cpu.emplace();
  waits.samples = 600;
  waits.idle_samples = 500;
  waits.by_class = {80, 0, 0, 0};
  CHECK(class_by_rule(profile) == BottleneckClass::io);
  CHECK(bottleneck_of(profile).by_waits);
  waits.idle_samples = 501;
  CHECK(class_by_rule(profile) == BottleneckClass::unknown);
  waits.idle_samples = 700;
  CHECK(class_by_rule(profile) == BottleneckClass::unknown);
  CHECK(time_shares(waits).empty());
  CHECK(class_by_rule(Profile{}) == BottleneckClass::unknown);
}

TEST_CASE("blockers that wait for pages make memory the bottleneck, whatever class they were sampled in") {
  Profile profile = waits_of(0.35, 0.0, 0.0, 0.30);
  CHECK(class_by_rule(profile) == BottleneckClass::mixed);
  profile.off_cpu->top_blockers = {blocker_of(kGet, WaitClass::io, 0.30, "do_swap_page"),
                                   blocker_of(kPut, WaitClass::other, 0.25, "shrink_folio_list"),
                                   blocker_of(kSync, WaitClass::io, 0.05, "folio_wait_bit_common")};
  CHECK(class_by_rule(profile) == BottleneckClass::memory);
  CHECK(share_of(*profile.off_cpu, BottleneckClass::memory) == doctest::Approx(0.55));
  CHECK(share_of(*profile.off_cpu, BottleneckClass::io) == doctest::Approx(0.05));
  CHECK(share_of(*profile.off_cpu, BottleneckClass::other) == doctest::Approx(0.05));
}

TEST_CASE("a page that is read from a file is no wait for memory") {
  CHECK(is_memory_wait("do_swap_page"));
  CHECK(is_memory_wait("__alloc_pages_slowpath"));
  CHECK_FALSE(is_memory_wait("folio_wait_bit_common"));
  CHECK_FALSE(is_memory_wait("futex_do_wait"));
  CHECK_FALSE(is_memory_wait(""));
}

TEST_CASE("shares add up to 1 and go from the largest to the smallest, whatever a profile claims") {
  OffCpuProfile absurd = off_cpu_of(0.9, 0.9, 0.9, 0.9);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  absurd.top_blockers = {blocker_of(kPut, WaitClass::lock, nan, "do_swap_page"),
                         blocker_of(kPut, WaitClass::lock, -1.0, "do_swap_page"),
                         blocker_of(kPut, WaitClass::io, 1e300, "do_swap_page")};
  for (const OffCpuProfile& profile : {off_cpu_of(0.2, 0.5, 0.1, 0.1), absurd}) {
    double sum = 0.0;
    double before = 1.0;
    for (const TimeShare& share : time_shares(profile)) {
      CHECK(share.share <= before);
      CHECK(share.share >= 0.0);
      before = share.share;
      sum += share.share;
    }
    CHECK(sum == doctest::Approx(1.0));
  }
}

TEST_CASE("without an off-CPU profile the class with the largest credible effect is the bottleneck") {
  Profile profile;
  CausalProfile& causal = profile.causal.emplace();
  causal.targets = {target_of(kPut, 0.9), target_of({}, 0.2, "io"), target_of({}, 0.5, "lock"),
                    target_of({}, 0.6, "off-cpu")};
  CHECK(class_by_rule(profile) == BottleneckClass::lock);
  CHECK_FALSE(bottleneck_of(profile).by_waits);
  causal.targets = {target_of(kPut, 0.9), target_of({}, 0.03, "io"), target_of({}, -0.4, "lock")};
  CHECK(class_by_rule(profile) == BottleneckClass::unknown);
}
