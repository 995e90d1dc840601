/// Causal profiles: coz's arithmetic, error bars that hold what they promise, and what is left out.

#include "profile/causal_profile.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "profile/coz_profile.hpp"
#include "profile/profile_fixture.hpp"

using namespace aiopt;

namespace {

CausalExperiment throughput_experiment(std::string selected, double virtual_speedup, double duration_ns,
                                       std::uint64_t visits) {
  CausalExperiment experiment;
  experiment.selected = std::move(selected);
  experiment.virtual_speedup = virtual_speedup;
  experiment.duration_ns = duration_ns;
  experiment.visits.push_back({"op", false, visits, 0, 0.0});
  return experiment;
}

/// What coz would write of a line whose speeding up by s takes effect(s) of the time away, from experiments of 500 ms
/// whose visits vary by `noise` (standard deviation, relative).
class Line {
 public:
  Line(std::string selected, double slope, double noise)
      : selected_(std::move(selected)), slope_(slope), noise_(noise) {}

  void run(CausalRun& run, double virtual_speedup, int experiments, Rng& rng) const {
    for (int i = 0; i < experiments; ++i) {
      const double visits = 1000.0 / (1.0 - slope_ * virtual_speedup) * std::exp(noise_ * rng.normal());
      run.experiments.push_back(
          throughput_experiment(selected_, virtual_speedup, 5e8, static_cast<std::uint64_t>(std::lround(visits))));
    }
  }

 private:
  std::string selected_;
  double slope_;
  double noise_;
};

/// What a file of coz holds, in that many runs: the ratios of sums are the same.
CausalExperiments worked_example(std::size_t runs) {
  const Result<CausalExperiments> read = parse_coz(profile_fixture("head.jsonl"));
  REQUIRE(read);
  CausalExperiments experiments = *read;
  experiments.runs.resize(runs, read->runs.front());
  return experiments;
}

CausalProfile analysed(const CausalExperiments& experiments, const CausalRules& rules = {}) {
  Rng rng(1);
  return analyse(experiments, rules, rng);
}

bool has_note(const CausalProfile& profile, const std::string& text) {
  return std::any_of(profile.notes.begin(), profile.notes.end(),
                     [&](const std::string& note) { return note.find(text) != std::string::npos; });
}

}  // namespace

TEST_CASE("throughput: the effect is the share of the time between visits that goes away, as coz's viewer has it") {
  const CausalProfile profile = analysed(worked_example(5));
  const auto op = std::find_if(profile.targets.begin(), profile.targets.end(),
                               [](const CausalTarget& target) { return target.progress_point == "op"; });
  REQUIRE(op != profile.targets.end());
  CHECK_FALSE(op->is_latency);
  CHECK(op->place == CodePlace{"", "/src/kv/cache.cpp", 118});
  CHECK(op->scope == "line");
  REQUIRE(op->curve.size() == 2);
  CHECK(op->curve[0].virtual_speedup == 0.0);
  CHECK(op->curve[0].effect == 0.0);
  CHECK(op->curve[0].experiments == 5);
  CHECK(op->curve[1].virtual_speedup == 0.5);
  CHECK(op->curve[1].effect == doctest::Approx(1.0 - (450101614.0 / 450) / (500112904.0 / 400)));
  CHECK(op->curve[1].effect == doctest::Approx(0.200).epsilon(0.001));
  CHECK(op->curve[1].throughput_factor() == doctest::Approx(1.25).epsilon(0.001));
  CHECK(op->slope == doctest::Approx(0.400).epsilon(0.001));
}

TEST_CASE("latency: by Little's law, and a lower one is a positive effect") {
  const CausalProfile profile = analysed(worked_example(5));
  // The viewer shows -40.0 % here.
  const CausalTarget& get = profile.targets.front();
  REQUIRE(get.progress_point == "get");
  CHECK(get.is_latency);
  CHECK(get.curve[1].effect == doctest::Approx((5001129.0 - 3000677.0) / 5001129.0).epsilon(1e-5));
  CHECK(profile.max_speedup == doctest::Approx(40.0).epsilon(0.001));
  CHECK(profile.max_speedup_location == "/src/kv/cache.cpp:118");
}

TEST_CASE("one experiment gives an effect that nothing is known of") {
  CausalRules rules;
  rules.min_baseline_experiments = 1;
  rules.min_experiments = 1;
  rules.min_visits = 1;
  const CausalProfile profile = analysed(worked_example(1), rules);
  REQUIRE(profile.targets.size() == 2);
  for (const CausalTarget& target : profile.targets) {
    CHECK(target.curve.at(1).effect == doctest::Approx(target.is_latency ? 0.400 : 0.200).epsilon(0.001));
    CHECK(target.curve.at(1).lower == -1.0);
    CHECK(target.curve.at(1).upper == 1.0);
    CHECK(target.max_effect == 0.0);
  }
  CHECK(profile.max_speedup == 0.0);
}

TEST_CASE("a short profile of a machine with load has effects, and none that is believed") {
  // 16 experiments of one line in 9 s; taken one by one, from -23 to +23 %.
  const Result<CausalExperiments> experiments = parse_coz(profile_fixture("coz022.coz"));
  REQUIRE(experiments);
  CausalRules rules;
  rules.min_baseline_experiments = 2;
  rules.min_experiments = 2;
  const CausalProfile profile = analysed(*experiments, rules);
  REQUIRE(profile.targets.size() == 1);
  CHECK(profile.max_speedup == 0.0);
  CHECK(profile.experiments + profile.discarded == 16);
}

TEST_CASE("experiments of several runs, and of unequal lengths, are pooled by sums") {
  CausalExperiments experiments;
  experiments.runs.resize(2);
  for (int i = 0; i < 5; ++i) {
    experiments.runs[0].experiments.push_back(throughput_experiment("/a.cc:1", 0.0, 1000.0, 10));
    experiments.runs[0].experiments.push_back(throughput_experiment("/a.cc:1", 1.0, 1000.0, 10));
    experiments.runs[1].experiments.push_back(throughput_experiment("/a.cc:1", 1.0, 500.0, 20));
  }
  // 1500 in 30 visits against 1000 in 10: half. The mean of 100 and 25 would be another.
  CHECK(analysed(experiments).targets.at(0).curve.at(1).effect == doctest::Approx(0.5));
}

TEST_CASE("intervals hold the truth about as often as they say") {
  Rng rng(2);
  const Line line("/a.cc:1", 0.4, 0.08);
  for (const int count : {5, 10, 30}) {
    CAPTURE(count);
    CausalRules rules;
    rules.resamples = 500;
    int held = 0;
    constexpr int kProfiles = 400;
    for (int i = 0; i < kProfiles; ++i) {
      CausalExperiments experiments;
      experiments.runs.resize(1);
      line.run(experiments.runs[0], 0.0, count, rng);
      line.run(experiments.runs[0], 0.5, count, rng);
      const CausalProfile profile = analyse(experiments, rules, rng);
      const CausalPoint& point = profile.targets.at(0).curve.at(1);
      if (point.lower <= 0.2 && 0.2 <= point.upper) ++held;
    }
    MESSAGE(count << " experiments: " << held << " of " << kProfiles);
    // Of 400, 380 +- 4.4 (one standard deviation). The plain percentile interval gives about 340 with 5 experiments.
    CHECK(held >= 366);
    CHECK(held <= 396);
  }
}

TEST_CASE("among many lines without an effect none is believed, and the one that has one is") {
  Rng rng(3);
  CausalExperiments experiments;
  experiments.runs.resize(1);
  for (int line = 1; line <= 60; ++line) {
    const Line noise("/src/noise.cc:" + std::to_string(line), 0.0, 0.08);
    for (const double speedup : {0.0, 0.25, 0.5, 1.0}) noise.run(experiments.runs[0], speedup, 10, rng);
  }
  const CausalProfile noise_alone = analysed(experiments);
  const auto above_0 =
      std::count_if(noise_alone.targets.begin(), noise_alone.targets.end(), [](const CausalTarget& target) {
        return std::any_of(target.curve.begin(), target.curve.end(),
                           [](const CausalPoint& point) { return point.lower > 0.0; });
      });
  CHECK(above_0 > 0);  // Or the test shows nothing.
  CHECK(noise_alone.max_speedup == 0.0);
  CHECK(noise_alone.max_speedup_location.empty());

  const Line hot("/src/hot.cc:7", 0.5, 0.08);
  for (const double speedup : {0.0, 0.25, 0.5, 1.0}) hot.run(experiments.runs[0], speedup, 10, rng);
  const CausalProfile profile = analysed(experiments);
  CHECK(profile.max_speedup_location == "/src/hot.cc:7");
  CHECK(profile.max_speedup == doctest::Approx(50.0).epsilon(0.1));
  CHECK(profile.targets.front().slope == doctest::Approx(0.5).epsilon(0.1));
  CHECK(profile.targets.front().max_effect == doctest::Approx(profile.max_speedup / 100.0));
}

TEST_CASE("a line that slows the program down when it is sped up is contended") {
  Rng rng(4);
  CausalExperiments experiments;
  experiments.runs.resize(1);
  const Line contended("/src/lock.cc:3", -0.4, 0.03);
  for (const double speedup : {0.0, 0.5, 1.0}) contended.run(experiments.runs[0], speedup, 10, rng);
  const CausalProfile profile = analysed(experiments);
  CHECK(profile.targets.at(0).contention);
  CHECK(profile.targets.at(0).max_effect == 0.0);
  CHECK(profile.targets.at(0).slope < -0.3);
  CHECK(profile.max_speedup == 0.0);
}

TEST_CASE("the virtual speedups that coz draws are pooled with their neighbours until there are enough") {
  Rng rng(5);
  CausalExperiments experiments;
  experiments.runs.resize(1);
  const Line line("/a.cc:1", 0.6, 0.02);
  line.run(experiments.runs[0], 0.0, 24, rng);
  for (int step = 1; step <= 20; ++step) line.run(experiments.runs[0], 0.05 * step, 3, rng);

  const CausalTarget target = analysed(experiments).targets.at(0);
  REQUIRE(target.curve.size() == 5);
  CHECK(target.curve[0].experiments == 24);
  for (std::size_t i = 1; i < target.curve.size(); ++i) {
    CAPTURE(i);
    CHECK(target.curve[i].experiments == 15);
    CHECK(target.curve[i].virtual_speedup == doctest::Approx(0.25 * static_cast<double>(i) - 0.10).epsilon(0.05));
    CHECK(target.curve[i].effect == doctest::Approx(0.6 * target.curve[i].virtual_speedup).epsilon(0.1));
  }

  CausalRules rules;
  rules.pooled_width = 0.0;
  CHECK(analysed(experiments, rules).targets.empty());
}

TEST_CASE("experiments at the same virtual speedup are one point, however many") {
  CausalExperiments experiments;
  experiments.runs.resize(1);
  for (int i = 0; i < 40; ++i) {
    experiments.runs[0].experiments.push_back(throughput_experiment("/a.cc:1", i % 2 == 0 ? 0.0 : 0.5, 5e8, 100));
  }
  const CausalTarget target = analysed(experiments).targets.at(0);
  REQUIRE(target.curve.size() == 2);
  CHECK(target.curve[1].experiments == 20);
}

TEST_CASE("the slope is that of least squares through the origin, a weight for each experiment") {
  CausalExperiments experiments;
  experiments.runs.resize(1);
  auto& list = experiments.runs[0].experiments;
  for (int i = 0; i < 5; ++i) {
    list.push_back(throughput_experiment("/a.cc:1", 0.0, 1000.0, 10));
    list.push_back(throughput_experiment("/a.cc:1", 0.5, 900.0, 10));
    list.push_back(throughput_experiment("/a.cc:1", 1.0, 600.0, 10));
    list.push_back(throughput_experiment("/a.cc:1", 1.0, 600.0, 10));
  }
  CHECK(analysed(experiments).targets.at(0).slope ==
        doctest::Approx((5 * 0.5 * 0.1 + 10 * 1.0 * 0.4) / (5 * 0.25 + 10 * 1.0)));
}

TEST_CASE("what is too little is counted, and the notes say why") {
  CausalExperiments experiments;
  experiments.notes = {"1 line could not be read"};
  experiments.runs.resize(1);
  auto& list = experiments.runs[0].experiments;
  for (int i = 0; i < 5; ++i) {
    list.push_back(throughput_experiment("/good.cc:1", 0.0, 5e8, 100));
    list.push_back(throughput_experiment("/good.cc:1", 0.5, 5e8, 120));
    list.push_back(throughput_experiment("/no_zero.cc:1", 0.5, 5e8, 100));
    list.push_back(throughput_experiment("/zero_alone.cc:1", 0.0, 5e8, 100));
    list.push_back(throughput_experiment("/usr/include/coz.h:99", 0.0, 5e8, 100));
    list.push_back(throughput_experiment("/usr/include/coz.h:99", 0.5, 5e8, 100));
  }
  list.push_back(throughput_experiment("/good.cc:1", 1.0, 5e8, 100));  // One alone.
  list.push_back(throughput_experiment("/good.cc:1", 0.5, 5e8, 0));
  list.push_back(throughput_experiment("/good.cc:1", 0.5, 0.0, 100));
  list.push_back(throughput_experiment("/good.cc:1", 0.5, -1.0, 100));

  const CausalProfile profile = analysed(experiments);
  REQUIRE(profile.targets.size() == 1);
  CHECK(profile.targets[0].place.file == "/good.cc");
  CHECK(profile.targets[0].curve.size() == 2);
  CHECK(profile.targets[0].curve[1].effect == doctest::Approx(1.0 / 6.0));
  CHECK(profile.experiments == 10);
  CHECK(profile.discarded == 24);
  CHECK(has_note(profile, "1 line could not be read"));
  CHECK(has_note(profile, "3 of 34 experiments not used: without a duration or a visit"));
  CHECK(has_note(profile,
                 "5 of 34 experiments not used: of a place without enough experiments at a virtual speedup of 0"));
  CHECK(has_note(profile,
                 "6 of 34 experiments not used: of a place without enough experiments at a virtual speedup above 0"));
  CHECK(has_note(profile, "10 of 34 experiments not used: of lines of coz.h itself"));
}

TEST_CASE("the rules ask for visits, experiments and speedups") {
  CausalExperiments experiments;
  experiments.runs.resize(1);
  for (int i = 0; i < 6; ++i) {
    experiments.runs[0].experiments.push_back(throughput_experiment("/a.cc:1", 0.0, 5e8, 1));
    experiments.runs[0].experiments.push_back(throughput_experiment("/a.cc:1", 0.5, 5e8, 1));
  }
  const auto reported = [&](auto change) {
    CausalRules rules;
    change(rules);
    return !analysed(experiments, rules).targets.empty();
  };
  CHECK(reported([](CausalRules&) {}));
  CHECK_FALSE(reported([](CausalRules& rules) { rules.min_visits = 7; }));
  CHECK_FALSE(reported([](CausalRules& rules) { rules.min_experiments = 7; }));
  CHECK_FALSE(reported([](CausalRules& rules) { rules.min_baseline_experiments = 7; }));
  CHECK_FALSE(reported([](CausalRules& rules) { rules.min_speedups = 2; }));
}

TEST_CASE("without any experiment the profile says so") {
  const CausalProfile profile = analysed({});
  CHECK(profile.targets.empty());
  CHECK(profile.max_speedup == 0.0);
  CHECK(has_note(profile, "no experiments"));
}

TEST_CASE("a latency that was never in flight gives no curve, and no bound is infinite where it seldom was") {
  CausalExperiments experiments;
  experiments.runs.resize(1);
  for (int i = 0; i < 6; ++i) {
    for (const double speedup : {0.0, 0.5}) {
      CausalExperiment never;
      never.selected = "/never.cc:1";
      never.virtual_speedup = speedup;
      never.duration_ns = 5e8;
      never.visits.push_back({"get", true, 100, 100, 0.0});
      CausalExperiment seldom = never;
      seldom.selected = "/seldom.cc:1";
      seldom.visits[0].difference = i == 0 ? 1.0 : 0.0;
      experiments.runs[0].experiments.insert(experiments.runs[0].experiments.end(), {never, seldom});
    }
  }
  const CausalProfile profile = analysed(experiments);
  REQUIRE(profile.targets.size() == 1);
  const CausalPoint& point = profile.targets[0].curve.at(1);
  CHECK(profile.targets[0].place.file == "/seldom.cc");
  CHECK(point.effect == doctest::Approx(0.0));
  CHECK(point.lower >= -1.0);
  CHECK(point.upper <= 1.0);
  CHECK(profile.targets[0].max_effect == 0.0);
}

TEST_CASE("what was selected is split into a line or a class, and what else was sped up") {
  CHECK(split_selected("/src/kv/wal.cc:47") == SelectedCode{{"", "/src/kv/wal.cc", 47}, "line", ""});
  CHECK(split_selected("/src/odd:name (1).cc:47") == SelectedCode{{"", "/src/odd:name (1).cc", 47}, "line", ""});
  CHECK(split_selected("ON_CPU") == SelectedCode{{}, "on-cpu", ""});
  CHECK(split_selected("IO") == SelectedCode{{}, "io", ""});
  CHECK(split_selected("LOCK") == SelectedCode{{}, "lock", ""});
  CHECK(split_selected("SCHEDULING") == SelectedCode{{}, "scheduling", ""});
  CHECK(split_selected("BLOCKED") == SelectedCode{{}, "other", ""});
  CHECK(split_selected("OFF_CPU") == SelectedCode{{}, "off-cpu", ""});
  CHECK(split_selected("SCHEDULING(IO,0.50%|)") == SelectedCode{{}, "scheduling", "IO,0.50%"});
  CHECK(split_selected("/src/kv/wal.cc:47(c_heavy,0.50%|)") ==
        SelectedCode{{"", "/src/kv/wal.cc", 47}, "line", "c_heavy,0.50%"});
  CHECK(split_selected("GPU") == SelectedCode{{}, "GPU", ""});
  CHECK(split_selected("") == SelectedCode{});
}

TEST_CASE("a class of waits is a target, located by its name") {
  Rng rng(6);
  CausalExperiments experiments;
  experiments.source = "bcoz";
  experiments.runs.resize(1);
  const Line io("IO", 0.3, 0.02);
  const Line scheduling("SCHEDULING(IO,0.50%|)", 0.1, 0.02);
  for (const Line* line : {&io, &scheduling}) {
    for (const double speedup : {0.0, 0.5, 1.0}) line->run(experiments.runs[0], speedup, 10, rng);
  }
  const CausalProfile profile = analysed(experiments);
  CHECK(profile.source == "bcoz");
  CHECK(profile.max_speedup_location == "io");
  CHECK(profile.targets.at(0).place == CodePlace{});
  CHECK(profile.targets.at(1).scope == "scheduling");
  CHECK(profile.targets.at(1).given == "IO,0.50%");
}

TEST_CASE("a note tells of virtual speedups that had runs of their own") {
  CausalExperiments experiments;
  experiments.runs.resize(2);
  for (int i = 0; i < 5; ++i) {
    experiments.runs[0].experiments.push_back(throughput_experiment("/a.cc:1", 0.0, 5e8, 100));
    experiments.runs[1].experiments.push_back(throughput_experiment("/a.cc:1", 0.5, 5e8, 100));
  }
  CHECK(has_note(analysed(experiments), "in different runs"));
  experiments.runs[1].experiments.push_back(throughput_experiment("/a.cc:1", 0.0, 5e8, 100));
  CHECK_FALSE(has_note(analysed(experiments), "in different runs"));
}

TEST_CASE("the same Rng gives the same profile") {
  Rng rng(7);
  CausalExperiments experiments;
  experiments.runs.resize(1);
  const Line line("/a.cc:1", 0.3, 0.05);
  for (const double speedup : {0.0, 0.5}) line.run(experiments.runs[0], speedup, 10, rng);
  Rng first(8);
  Rng second(8);
  Rng other(9);
  const CausalPoint a = analyse(experiments, {}, first).targets.at(0).curve.at(1);
  const CausalPoint b = analyse(experiments, {}, second).targets.at(0).curve.at(1);
  const CausalPoint c = analyse(experiments, {}, other).targets.at(0).curve.at(1);
  CHECK(a.lower == b.lower);
  CHECK(a.upper == b.upper);
  CHECK(a.lower != c.lower);
  CHECK(a.effect == c.effect);
}

TEST_CASE("phase correction scales by the share of the run in which the line is active, if the rules ask for it") {
  // Active in a quarter of a run of 40 s: 500 samples a second there, in experiments that fill it.
  CausalExperiments experiments;
  experiments.runs.resize(1);
  experiments.runs[0].runtime_ns = 40e9;
  experiments.runs[0].samples["/a.cc:1"] = 5000;
  for (int i = 0; i < 10; ++i) {
    for (const double speedup : {0.0, 0.5}) {
      // At 0.5 the experiment's 500 ms are 125 ms of delays, that its duration leaves out.
      CausalExperiment experiment = throughput_experiment("/a.cc:1", speedup, 5e8 - 2.5e8 * speedup, 100);
      experiment.selected_samples = 250;
      experiments.runs[0].experiments.push_back(experiment);
    }
  }
  CausalRules rules;
  CHECK(analysed(experiments, rules).targets.at(0).curve.at(1).effect == doctest::Approx(0.25));
  rules.phase_correction = true;
  const CausalProfile corrected = analysed(experiments, rules);
  CHECK(corrected.targets.at(0).curve.at(1).effect == doctest::Approx(0.0625));
  CHECK(corrected.targets.at(0).curve.at(1).lower == doctest::Approx(0.0625));
  CHECK(corrected.max_speedup == doctest::Approx(6.25));

  experiments.runs.push_back(experiments.runs[0]);  // One that was killed changes nothing.
  experiments.runs[1].runtime_ns = 0.0;
  experiments.runs[1].samples.clear();
  for (CausalExperiment& experiment : experiments.runs[1].experiments) experiment.selected_samples = 100;
  CHECK(analysed(experiments, rules).targets.at(0).curve.at(1).effect == doctest::Approx(0.0625));

  experiments.runs[0].runtime_ns = 0.0;
  CHECK(analysed(experiments, rules).targets.at(0).curve.at(1).effect == doctest::Approx(0.25));
}

TEST_CASE("experiments of which the delays left too little are not used, nor those that they left less than nothing") {
  CausalExperiments experiments;
  experiments.runs.resize(1);
  for (int i = 0; i < 10; ++i) {
    experiments.runs[0].experiments.push_back(throughput_experiment("/a.cc:1", 0.0, 500e6, 500));
    experiments.runs[0].experiments.push_back(throughput_experiment("/a.cc:1", 0.5, 250e6, 250));
    // As a thread that has nothing to do with the line shows, with what it owes.
    experiments.runs[0].experiments.push_back(throughput_experiment("/a.cc:1", 0.9, 50e6, 100));
    experiments.runs[0].experiments.push_back(throughput_experiment("/a.cc:1", 1.0, 1.8446744073708640744e19, 85));
  }
  CausalRules rules;
  CHECK(analysed(experiments, rules).max_speedup == doctest::Approx(50.0));
  rules.min_time_ns = 120e6;
  const CausalProfile profile = analysed(experiments, rules);
  REQUIRE(profile.targets.size() == 1);
  CHECK(profile.targets[0].curve.back().virtual_speedup == doctest::Approx(0.5));
  CHECK(profile.max_speedup == 0.0);
  CHECK(profile.experiments == 20);
  CHECK(profile.discarded == 20);
  REQUIRE(profile.notes.size() == 1);
  CHECK(profile.notes[0].find("too large a virtual speedup") != std::string::npos);
}

TEST_CASE("a profile is settled when each point of its curves has enough experiments and a narrow interval") {
  CausalProfile profile;
  const SettledRules rules{.points = 2, .experiments = 10, .width = 0.1};
  CHECK_FALSE(is_settled(profile, rules));  // It has not begun.
  CausalTarget target;
  target.curve = {{0.0, 0.0, 0.0, 0.0, 10}, {0.5, 0.3, 0.26, 0.35, 10}};
  profile.targets = {target};
  CHECK(is_settled(profile, rules));
  profile.targets.front().curve[1].upper = 0.37;
  CHECK_FALSE(is_settled(profile, rules));
  profile.targets = {target};
  profile.targets.front().curve[0].experiments = 9;
  CHECK_FALSE(is_settled(profile, rules));
  profile.targets = {target};
  profile.targets.front().curve.pop_back();
  CHECK_FALSE(is_settled(profile, rules));
  profile.targets = {target, target};
  profile.targets.back().curve[1].lower = 0.1;
  CHECK_FALSE(is_settled(profile, rules));
}
