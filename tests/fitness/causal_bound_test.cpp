/// What a causal profile leaves room for, worked by hand, and who is put in quarantine.

#include <doctest/doctest.h>

#include <optional>

#include "fitness/causal_bound.hpp"

using namespace aiopt;

namespace {

/// A line with that share of the samples, and that upper end of its effect if it takes no time at all.
CausalTarget line(int number, double share, double upper) {
  CausalTarget target;
  target.place = {"f", "src/f.cc", number};
  target.scope = "line";
  target.share = share;
  target.curve = {{0.0, 0.0, 0.0, 0.0, 10}, {1.0, upper - 0.1, upper - 0.2, upper, 10}};
  return target;
}

Profile profile_of(std::vector<CausalTarget> targets) {
  Profile profile;
  profile.off_cpu.emplace().threads = 1.0;
  profile.causal.emplace();
  profile.causal->targets = std::move(targets);
  return profile;
}

Evaluation gained(double lower) {
  Evaluation evaluation;
  evaluation.id = CandidateId{1};
  evaluation.benchmark.emplace();
  evaluation.benchmark->estimate = SpeedupEstimate{lower + 0.2, lower, lower + 0.4, 0.95, 0.01};
  return evaluation;
}

}  // namespace

TEST_CASE("a line that takes most of the time, and gives back little of it, bounds what there is to gain") {
  // 0.8 of the time, of which 0.3 may go: what remains is at least 0.5.
  CHECK(*causal_bound(profile_of({line(1, 0.8, 0.3)})) == doctest::Approx(2.0));
  CHECK(*causal_bound(profile_of({line(1, 0.5, 0.3), line(2, 0.3, 0.25)})) == doctest::Approx(4.0));
  // What slows the program down when it gets faster gives nothing back, and takes nothing.
  CHECK(*causal_bound(profile_of({line(1, 0.8, -0.3)})) == doctest::Approx(1.25));
}

TEST_CASE("a smaller virtual speedup is taken in proportion, and one below a half says nothing") {
  CausalTarget half = line(1, 0.8, 0.2);
  half.curve.back().virtual_speedup = 0.5;
  CHECK(*causal_bound(profile_of({half})) == doctest::Approx(2.5));  // 0.8 less 0.4.
  half.curve.back().virtual_speedup = 0.49;
  CHECK_FALSE(causal_bound(profile_of({half})));
  // Of several points the one that gives most, wherever it is.
  CausalTarget three = line(1, 0.8, 0.1);
  three.curve.insert(three.curve.begin() + 1, {0.5, 0.1, 0.0, 0.15, 10});
  CHECK(*causal_bound(profile_of({three})) == doctest::Approx(2.0));
}

TEST_CASE("where threads run side by side a line without effect need not be in the way") {
  Profile profile = profile_of({line(1, 0.5, 0.0)});
  CHECK(*causal_bound(profile) == doctest::Approx(2.0));
  profile.off_cpu->threads = 2.0;
  CHECK_FALSE(causal_bound(profile));
  profile.off_cpu->threads = 1.0;
  profile.off_cpu->lost = 1;
  CHECK_FALSE(causal_bound(profile));
  profile.off_cpu->lost = 0;
  profile.off_cpu->threads = 0.0;  // Not known.
  CHECK_FALSE(causal_bound(profile));
  profile.off_cpu.reset();
  CHECK_FALSE(causal_bound(profile));
}

TEST_CASE("what one line gives back beyond its share, the rest may give too") {
  CHECK_FALSE(causal_bound(profile_of({line(1, 0.5, 0.0), line(2, 0.5, 1.0)})));
  CHECK(*causal_bound(profile_of({line(1, 0.6, 0.0), line(2, 0.1, 0.5)})) == doctest::Approx(5.0));
  // Whatever the share is, known or not.
  CHECK(*causal_bound(profile_of({line(1, 0.6, 0.0), line(2, 0.0, 0.4)})) == doctest::Approx(5.0));
}

TEST_CASE("of a line's curves at several progress points the one that gives it most counts") {
  CHECK(*causal_bound(profile_of({line(1, 0.8, 0.1), line(1, 0.8, 0.3)})) == doctest::Approx(2.0));
  CHECK_FALSE(causal_bound(profile_of({line(1, 0.8, 0.1), line(1, 0.8, 0.8)})));
}

TEST_CASE("without a line that withholds something there is no bound") {
  CHECK_FALSE(causal_bound({}));
  CHECK_FALSE(causal_bound(profile_of({})));
  CHECK_FALSE(causal_bound(profile_of({line(1, 0.0, 0.3)})));
  CHECK_FALSE(causal_bound(profile_of({line(1, 0.5, 0.6)})));
  CausalTarget single = line(1, 0.8, 0.3);
  single.curve.resize(1);
  CHECK_FALSE(causal_bound(profile_of({single})));
  CausalTarget waits = line(1, 0.8, 0.3);
  waits.scope = "io";
  CHECK_FALSE(causal_bound(profile_of({waits})));
}

TEST_CASE("only a gain whose lower bound is above it is put in quarantine") {
  const Profile baseline = profile_of({line(1, 0.8, 0.3)});
  Evaluation large = gained(2.1);
  check_causal_bound({}, baseline, large);
  CHECK(large.status == EvaluationStatus::quarantined);
  CHECK(large.reason ==
        "causal_bound: 2.10x at least, and the profiles of the unmodified program leave room for 2.00x: look at the "
        "patch before you believe it");
  REQUIRE(large.gates.size() == 1);
  CHECK(large.gates[0].fired);
  CHECK(large.benchmark.has_value());

  Evaluation fair = gained(1.9);
  check_causal_bound({}, baseline, fair);
  CHECK(fair.status == EvaluationStatus::passed);
  REQUIRE(fair.gates.size() == 1);
  CHECK_FALSE(fair.gates[0].fired);
  check_causal_bound({}, baseline, fair);  // As of a program that was known before.
  CHECK(fair.gates.size() == 1);

  Evaluation unbounded = gained(9.0);
  check_causal_bound({}, {}, unbounded);
  CHECK(unbounded.status == EvaluationStatus::passed);
  CHECK(unbounded.gates.empty());

  GatesTask off;
  off.off = {"causal_bound"};
  Evaluation unchecked = gained(9.0);
  check_causal_bound(off, baseline, unchecked);
  CHECK(unchecked.status == EvaluationStatus::passed);

  Evaluation failed = gained(9.0);
  failed.status = EvaluationStatus::tests_failed;
  check_causal_bound({}, baseline, failed);
  CHECK(failed.status == EvaluationStatus::tests_failed);
}
