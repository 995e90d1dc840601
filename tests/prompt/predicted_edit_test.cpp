/// Predictions of causal profiles, held against what edits gave.

#include "prompt/predicted_edit.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "prompt/profiled_walkv.hpp"

using namespace aiopt;

namespace {

Evaluation evaluation_of(std::uint64_t id, const SpeedupEstimate& estimate) {
  Evaluation evaluation;
  evaluation.id = CandidateId{id};
  evaluation.benchmark.emplace().estimate = estimate;
  return evaluation;
}

SpeedupEstimate speedup(double ratio, double lower, double upper) {
  SpeedupEstimate estimate;
  estimate.ratio = ratio;
  estimate.lower = lower;
  estimate.upper = upper;
  return estimate;
}

Candidate changed(const std::string& function) {
  Candidate candidate;
  candidate.id = CandidateId{8};
  candidate.changed_function = function;
  return candidate;
}

}  // namespace

TEST_CASE("an edit's gain is the quotient of its and its parent's speed-up") {
  Evaluation parent = evaluation_of(7, speedup(1.25, 1.20, 1.30));
  parent.profile = lock_bound_walkv();
  const auto edit = predicted_edit(changed("WalWriter::append"), evaluation_of(8, speedup(2.0, 1.9, 2.1)), parent);
  REQUIRE(edit);
  CHECK(edit->id == CandidateId{8});
  CHECK(edit->function == "WalWriter::append");
  CHECK(edit->virtual_speedup == 1.0);
  CHECK(edit->predicted.effect == doctest::Approx(0.11));
  CHECK(edit->predicted.lower == doctest::Approx(0.07));
  CHECK(edit->realised.effect == doctest::Approx(1.0 - 1.25 / 2.0));
  // exp(hypot(ln(2 / 1.9), ln(1.3 / 1.25))) = 1.0670; exp(hypot(ln(2.1 / 2), ln(1.25 / 1.2))) = 1.0657.
  CHECK(edit->realised.lower == doctest::Approx(1.0 - 1.0670 / 1.6).epsilon(0.001));
  CHECK(edit->realised.upper == doctest::Approx(1.0 - 1.0 / 1.0657 / 1.6).epsilon(0.001));
}

TEST_CASE("the baseline's own speed-up is exactly 1") {
  Evaluation baseline;
  baseline.profile = lock_bound_walkv();
  const auto edit = predicted_edit(changed("PosixFile::sync"), evaluation_of(8, speedup(2.0, 1.6, 4.0)), baseline);
  REQUIRE(edit);
  CHECK(edit->realised.effect == doctest::Approx(0.5));
  CHECK(edit->realised.lower == doctest::Approx(1.0 - 1.0 / 1.6));
  CHECK(edit->realised.upper == doctest::Approx(0.75));
}

TEST_CASE("there is no prediction without a causal profile of that function, and no gain without estimates") {
  Evaluation parent = evaluation_of(7, speedup(1.25, 1.20, 1.30));
  const Evaluation after = evaluation_of(8, speedup(2.0, 1.9, 2.1));
  CHECK_FALSE(predicted_edit(changed("WalWriter::append"), after, parent));
  parent.profile = lock_bound_walkv();
  CHECK(predicted_edit(changed("WalWriter::append"), after, parent));
  CHECK_FALSE(predicted_edit(changed("Wal::append"), after, parent));
  CHECK_FALSE(predicted_edit(changed("src/wal.cc"), after, parent));
  CHECK_FALSE(predicted_edit(changed(""), after, parent));
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK_FALSE(predicted_edit(changed("WalWriter::append"), evaluation_of(8, speedup(2.0, 0.0, infinity)), parent));
  Evaluation unmeasured = after;
  unmeasured.benchmark.reset();
  CHECK_FALSE(predicted_edit(changed("WalWriter::append"), unmeasured, parent));
  parent.profile.causal->targets[1].is_latency = true;
  CHECK_FALSE(predicted_edit(changed("WalWriter::append"), after, parent));
}

TEST_CASE("a function is the same by whichever name is the more qualified") {
  CHECK(names_same_function("Wal::append", "walkv::Wal::append"));
  CHECK(names_same_function("walkv::Wal::append", "append"));
  CHECK(names_same_function("Map::put", "bool walkv::Map<std::pair<int, int>>::put"));
  CHECK(names_same_function("put", "walkv::put::{lambda#1}"));
  CHECK_FALSE(names_same_function("Wal::append", "walkv::BigWal::append"));
  CHECK_FALSE(names_same_function("Wal::append", "Db::append"));
  CHECK_FALSE(names_same_function("", ""));
}

TEST_CASE("the point that is told of a curve is the farthest that can be believed") {
  CausalTarget target = target_of(kPut, 0.5);
  CHECK(telling_point(target)->virtual_speedup == 1.0);
  target.curve[2].lower = -0.1;
  CHECK(telling_point(target)->virtual_speedup == 0.5);
  target.max_effect = 0.0;
  CHECK(telling_point(target)->virtual_speedup == 1.0);
  target.contention = true;
  target.curve[1].upper = -0.01;
  CHECK(telling_point(target)->virtual_speedup == 0.5);
  target.curve.clear();
  CHECK(telling_point(target) == nullptr);
  target = target_of(kPut, std::numeric_limits<double>::quiet_NaN());
  CHECK(telling_point(target) == nullptr);
}

TEST_CASE("figures are short whatever they are") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(share_in_words(0.414) == "41 %");
  CHECK(share_in_words(0.004) == "<1 %");
  CHECK(share_in_words(0.0) == "0 %");
  CHECK(share_in_words(7.0) == "100 %");
  CHECK(share_in_words(-7.0) == "0 %");
  CHECK(share_in_words(nan) == "0 %");
  CHECK(change_in_words({0.43, 0.38, 0.47}) == "-43 % (-47 to -38 %)");
  CHECK(change_in_words({-0.1, -0.2, 0.001}) == "+10 % (0 to +20 %)");
  CHECK(change_in_words({-1e300, nan, infinity}) == "+999 % (0 to 0 %)");
  CHECK(effect_in_words({0.43, 0.38, 0.47}, false) == "-43 % time = 1.75x the throughput (-47 to -38 %)");
  CHECK(effect_in_words({0.43, 0.38, 0.47}, true) == "-43 % latency (-47 to -38 %)");
  CHECK(effect_in_words({1.0, 0.9, 1.0}, false) == "-100 % time (-100 to -90 %)");
}
