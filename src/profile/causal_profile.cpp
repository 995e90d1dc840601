/// Pools experiments into curves, and bootstraps them.

#include "profile/causal_profile.hpp"

#include <fmt/format.h>

#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cassert>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace aiopt {

namespace {

using Eigen::Index;

/// coz and BCOZ stand by a period of 1 ms.
constexpr double kCausalPeriodNs = 1e6;
/// coz writes a time below 0, as of an experiment at 100 %, without its sign.
constexpr double kNegativeTimeNs = 9.2e18;
/// Resamples drawn at once: bounds what a line with very many experiments takes of memory.
constexpr Index kResamplesAtOnce = 128;

/// Twice the time, and none.
constexpr double kLowestEffect = -1.0;
constexpr double kHighestEffect = 1.0;

/// An experiment as one progress point saw it.
struct CausalTrial {
  std::size_t experiment = 0;  ///< Its number over all runs.
  std::size_t run = 0;
  double virtual_speedup = 0.0;
  double duration_ns = 0.0;
  double time = 0.0;  ///< ns; of a latency in flight * ns.
  double visits = 0.0;
};

/// All of one place and one progress point.
struct PointSeries {
  bool is_latency = false;
  std::vector<CausalTrial> trials;
};

/// Trials that make one point of a curve.
struct CurveGroup {
  double virtual_speedup = 0.0;  ///< Mean, weighted by visits.
  std::vector<CausalTrial> trials;
  double visits = 0.0;
};

struct CurvePoint {
  CausalPoint point;
  double deviation = 0.0;  ///< Of the effect, by the bootstrap, corrected for the size of its groups.
  int smaller_group = 0;   ///< Trials.
};

/// Why experiments were not used; of a series, the first reason that holds.
enum class Unused { no_visit, coz_header, short_time, few_at_zero, few_speedups };
constexpr std::array<std::string_view, 5> kUnusedReasons = {
    "without a duration or a visit to a progress point", "of lines of coz.h itself",
    "too large a virtual speedup: of their time too little is left beside the delays",
    "of a place without enough experiments at a virtual speedup of 0",
    "of a place without enough experiments at a virtual speedup above 0"};

struct ExperimentUsage {
  std::vector<std::optional<Unused>> reasons;  ///< By experiment.
  std::vector<bool> used;

  void use(const std::vector<CausalTrial>& trials) {
    for (const CausalTrial& trial : trials) used[trial.experiment] = true;
  }
  void leave(const std::vector<CausalTrial>& trials, Unused reason) {
    for (const CausalTrial& trial : trials) reasons[trial.experiment] = reason;
  }
};

using SeriesKey = std::pair<std::string, std::string>;  ///< What was selected, the progress point.

bool is_coz_header(std::string_view selected) {
  const std::size_t colon = selected.rfind(':');
  return colon != std::string_view::npos && selected.substr(0, colon).ends_with("/coz.h");
}

std::map<SeriesKey, PointSeries> collect_series(const CausalExperiments& experiments, ExperimentUsage& usage) {
  std::map<SeriesKey, PointSeries> all;
  for (std::size_t run = 0; run < experiments.runs.size(); ++run) {
    for (const CausalExperiment& experiment : experiments.runs[run].experiments) {
      const std::size_t number = usage.used.size();
      usage.used.push_back(false);
      usage.reasons.emplace_back(Unused::no_visit);
      if (is_coz_header(experiment.selected)) {
        usage.reasons.back() = Unused::coz_header;
        continue;
      }
      if (!std::isfinite(experiment.duration_ns) || experiment.duration_ns <= 0.0) continue;
      if (experiment.duration_ns > kNegativeTimeNs) {
        usage.reasons.back() = Unused::short_time;
        continue;
      }
      for (const ProgressVisits& visits : experiment.visits) {
        // Without any visit the program was in another part of its run: coz waits for the first, not for the last.
        if (visits.arrivals == 0 || !std::isfinite(visits.difference)) continue;
        PointSeries& series = all[{experiment.selected, visits.point}];
        series.is_latency = visits.is_latency;
        const double in_flight = visits.is_latency ? visits.difference : 1.0;
        series.trials.push_back({number, run, experiment.virtual_speedup, experiment.duration_ns,
                                 in_flight * experiment.duration_ns, static_cast<double>(visits.arrivals)});
      }
    }
  }
  return all;
}

CurveGroup make_curve_group(std::vector<CausalTrial> trials) {
  CurveGroup group;
  double weighted = 0.0;
  for (const CausalTrial& trial : trials) {
    group.visits += trial.visits;
    weighted += trial.visits * trial.virtual_speedup;
  }
  group.virtual_speedup = weighted / group.visits;
  group.trials = std::move(trials);
  return group;
}

/// By virtual speedup, rising; neighbours together until there are enough. By their numbers alone, not by what they
/// show, so that pooling favours no effect.
/// @param trials by virtual speedup, rising
std::vector<CurveGroup> pool_neighbours(const std::vector<CausalTrial>& trials, const CausalRules& rules) {
  std::vector<std::vector<CausalTrial>> pools;
  for (const CausalTrial& trial : trials) {
    const bool is_same = !pools.empty() && pools.back().back().virtual_speedup == trial.virtual_speedup;
    const bool is_wanted = !pools.empty() && std::ssize(pools.back()) < rules.pooled_experiments &&
                           trial.virtual_speedup - pools.back().front().virtual_speedup <= rules.pooled_width;
    if (!is_same && !is_wanted) pools.emplace_back();
    pools.back().push_back(trial);
  }
  std::vector<CurveGroup> groups;
  for (std::vector<CausalTrial>& pool : pools) groups.push_back(make_curve_group(std::move(pool)));
  return groups;
}

/// Row 0 time, row 1 visits; a column a trial.
Eigen::Matrix2Xd terms_of(const CurveGroup& group) {
  Eigen::Matrix2Xd terms(2, std::ssize(group.trials));
  for (Index i = 0; i < terms.cols(); ++i) {
    const CausalTrial& trial = group.trials[static_cast<std::size_t>(i)];
    terms.col(i) << trial.time, trial.visits;
  }
  return terms;
}

/// Sums of terms over so many samples drawn from them with replacement: 2 x resamples.
Eigen::Matrix2Xd resampled_sums(const Eigen::Matrix2Xd& terms, Index resamples, Rng& rng) {
  const Index trials = terms.cols();
  Eigen::Matrix2Xd sums(2, resamples);
  for (Index first = 0; first < resamples; first += kResamplesAtOnce) {
    const Index count = std::min(kResamplesAtOnce, resamples - first);
    Eigen::MatrixXd multiplicities = Eigen::MatrixXd::Zero(trials, count);
    for (Index sample = 0; sample < count; ++sample) {
      for (Index draw = 0; draw < trials; ++draw) {
        multiplicities(static_cast<Index>(rng.index(static_cast<std::size_t>(trials))), sample) += 1.0;
      }
    }
    sums.middleCols(first, count).noalias() = terms * multiplicities;
  }
  return sums;
}

/// 0 / 0 is no change.
double bounded_effect(double effect) {
  return std::isnan(effect) ? 0.0 : std::clamp(effect, kLowestEffect, kHighestEffect);
}

/// Column by column; all arguments 2 x the same.
Eigen::ArrayXd effects_of(const Eigen::Matrix2Xd& sums, const Eigen::Matrix2Xd& sums_at_zero) {
  const auto time = sums.row(0).array() / sums.row(1).array();
  const auto time_at_zero = sums_at_zero.row(0).array() / sums_at_zero.row(1).array();
  return (1.0 - time / time_at_zero).unaryExpr(&bounded_effect).transpose();
}

/// Linear between the two neighbours.
double quantile_of_sorted(const Eigen::ArrayXd& sorted, double probability) {
  const double place = probability * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<Index>(place);
  const Index above = std::min(below + 1, sorted.size() - 1);
  return sorted(below) + (place - static_cast<double>(below)) * (sorted(above) - sorted(below));
}

/// Student's t for a two-sided interval at 1 - alpha of a mean of so many.
double student_bound(double alpha, int trials) {
  return boost::math::quantile(boost::math::complement(boost::math::students_t(trials - 1), alpha / 2.0));
}

/// A group of n is narrower than what it was drawn from, by sqrt((n - 1) / n) and the difference of the normal and
/// the t distribution: the percentiles lie that much farther out.
double expanded_tail(double confidence, int trials) {
  const double n = trials;
  const double bound = std::sqrt(n / (n - 1.0)) * student_bound(1.0 - confidence, trials);
  return boost::math::cdf(boost::math::normal(), -bound);
}

CurvePoint measure_point(const CurveGroup& group, const CurveGroup& zero, const Eigen::Matrix2Xd& zero_sums,
                         const CausalRules& rules, Rng& rng) {
  const Eigen::Matrix2Xd terms = terms_of(group);
  CurvePoint measured;
  measured.smaller_group = static_cast<int>(std::min(group.trials.size(), zero.trials.size()));
  measured.point.virtual_speedup = group.virtual_speedup;
  measured.point.effect = effects_of(terms.rowwise().sum(), terms_of(zero).rowwise().sum())(0);
  measured.point.lower = kLowestEffect;
  measured.point.upper = kHighestEffect;
  measured.point.experiments = static_cast<int>(group.trials.size());
  if (measured.smaller_group < 2) return measured;

  Eigen::ArrayXd effects = effects_of(resampled_sums(terms, rules.resamples, rng), zero_sums);
  const double n = measured.smaller_group;
  const double variance = (effects - effects.mean()).square().sum() / static_cast<double>(effects.size() - 1);
  measured.deviation = std::sqrt(variance * n / (n - 1.0));
  std::sort(effects.begin(), effects.end());
  const double tail = expanded_tail(rules.confidence, measured.smaller_group);
  measured.point.lower = quantile_of_sorted(effects, tail);
  measured.point.upper = quantile_of_sorted(effects, 1.0 - tail);
  return measured;
}

/// A target, and what is needed to judge it when all are there.
struct MeasuredTarget {
  CausalTarget target;
  std::vector<CurvePoint> points;  ///< Without the one at 0.
  bool has_runs_in_common = true;  ///< Each of the points with the one at 0.
};

bool have_run_in_common(const CurveGroup& group, const CurveGroup& zero) {
  std::set<std::size_t> runs;
  for (const CausalTrial& trial : zero.trials) runs.insert(trial.run);
  return std::any_of(group.trials.begin(), group.trials.end(),
                     [&](const CausalTrial& trial) { return runs.contains(trial.run); });
}

/// Virtual speedups that leave too little time: all of one or none, for an experiment's own time is what the effect is
/// made of. `trials` are sorted by virtual speedup.
void leave_short(std::vector<CausalTrial>& trials, double min_time_ns, ExperimentUsage& usage) {
  std::vector<CausalTrial> kept;
  for (auto begin = trials.begin(); begin != trials.end();) {
    double time_ns = 0.0;
    auto end = begin;
    for (; end != trials.end() && end->virtual_speedup == begin->virtual_speedup; ++end) time_ns += end->duration_ns;
    const std::vector<CausalTrial> same(begin, end);
    if (begin->virtual_speedup > 0.0 && time_ns < min_time_ns * static_cast<double>(same.size())) {
      usage.leave(same, Unused::short_time);
    } else {
      kept.insert(kept.end(), same.begin(), same.end());
    }
    begin = end;
  }
  trials = std::move(kept);
}

bool is_enough(const CurveGroup& group, int min_experiments, const CausalRules& rules) {
  return std::ssize(group.trials) >= min_experiments && group.visits >= rules.min_visits;
}

/// Empty where the rules ask for more.
std::optional<MeasuredTarget> measure_series(const SeriesKey& key, PointSeries series, const CausalRules& rules,
                                             ExperimentUsage& usage, Rng& rng) {
  std::stable_sort(series.trials.begin(), series.trials.end(),
                   [](const CausalTrial& a, const CausalTrial& b) { return a.virtual_speedup < b.virtual_speedup; });
  leave_short(series.trials, rules.min_time_ns, usage);
  const auto first_above = std::find_if(series.trials.begin(), series.trials.end(),
                                        [](const CausalTrial& trial) { return trial.virtual_speedup > 0.0; });
  const CurveGroup zero = make_curve_group({series.trials.begin(), first_above});
  const double time_at_zero = terms_of(zero).row(0).sum();
  if (!is_enough(zero, rules.min_baseline_experiments, rules) || time_at_zero <= 0.0) {
    usage.leave(series.trials, Unused::few_at_zero);
    return std::nullopt;
  }
  usage.leave(series.trials, Unused::few_speedups);
  std::vector<CurveGroup> groups = pool_neighbours({first_above, series.trials.end()}, rules);
  std::erase_if(groups, [&](const CurveGroup& group) { return !is_enough(group, rules.min_experiments, rules); });
  if (std::ssize(groups) < std::max(rules.min_speedups, 1)) return std::nullopt;

  const Eigen::Matrix2Xd zero_sums = resampled_sums(terms_of(zero), rules.resamples, rng);
  MeasuredTarget measured;
  for (const CurveGroup& group : groups) {
    measured.points.push_back(measure_point(group, zero, zero_sums, rules, rng));
    measured.has_runs_in_common = measured.has_runs_in_common && have_run_in_common(group, zero);
    usage.use(group.trials);
  }
  usage.use(zero.trials);
  SelectedCode selected = split_selected(key.first);
  measured.target.place = std::move(selected.place);
  measured.target.scope = std::move(selected.scope);
  measured.target.given = std::move(selected.given);
  measured.target.progress_point = key.second;
  measured.target.is_latency = series.is_latency;
  measured.target.curve.push_back({0.0, 0.0, 0.0, 0.0, static_cast<int>(zero.trials.size())});
  return measured;
}

/// Of the run, the share in which the line was active: its samples per time over whole runs, divided by those during
/// its experiments. 1 where that can't be known.
double active_share(const CausalExperiments& experiments, const std::string& selected) {
  double run_samples = 0.0;
  double run_time = 0.0;
  double selected_samples = 0.0;
  double selected_time = 0.0;
  for (const CausalRun& run : experiments.runs) {
    const auto samples = run.samples.find(selected);
    if (run.runtime_ns <= 0.0 || samples == run.samples.end()) continue;
    run_samples += static_cast<double>(samples->second);
    run_time += run.runtime_ns;
    for (const CausalExperiment& experiment : run.experiments) {
      if (experiment.selected != selected) continue;
      const auto during = static_cast<double>(experiment.selected_samples);
      selected_samples += during;
      // The run's time has the delays in it, the experiment's has not.
      selected_time += experiment.duration_ns + during * experiment.virtual_speedup * kCausalPeriodNs;
    }
  }
  if (run_samples <= 0.0 || selected_samples <= 0.0) return 1.0;
  return std::min(1.0, (run_samples / run_time) / (selected_samples / selected_time));
}

void scale_effects(MeasuredTarget& measured, double factor) {
  for (CurvePoint& curve : measured.points) {
    curve.point.effect *= factor;
    curve.point.lower *= factor;
    curve.point.upper *= factor;
    curve.deviation *= factor;
  }
}

/// Least squares through the origin.
double slope_of(const std::vector<CurvePoint>& points) {
  Eigen::ArrayX3d rows(std::ssize(points), 3);
  for (Index i = 0; i < rows.rows(); ++i) {
    const CausalPoint& point = points[static_cast<std::size_t>(i)].point;
    rows.row(i) << point.experiments, point.virtual_speedup, point.effect;
  }
  const auto weights = rows.col(0);
  const auto speedups = rows.col(1);
  const auto effects = rows.col(2);
  return (weights * speedups * effects).sum() / (weights * speedups.square()).sum();
}

/// @param alpha of this point
bool is_beyond_chance(const CurvePoint& curve, double alpha) {
  if (curve.smaller_group < 2) return false;
  return std::abs(curve.point.effect) >= student_bound(alpha, curve.smaller_group) * curve.deviation;
}

CausalTarget judge_target(MeasuredTarget measured, double alpha) {
  CausalTarget target = std::move(measured.target);
  target.slope = slope_of(measured.points);
  for (const CurvePoint& curve : measured.points) {
    target.curve.push_back(curve.point);
    if (!is_beyond_chance(curve, alpha)) continue;
    if (curve.point.lower > 0.0) target.max_effect = std::max(target.max_effect, curve.point.effect);
    if (curve.point.upper < 0.0) target.contention = true;
  }
  return target;
}

void add_usage(const ExperimentUsage& usage, CausalProfile& profile) {
  std::array<int, kUnusedReasons.size()> unused{};
  for (std::size_t i = 0; i < usage.used.size(); ++i) {
    if (usage.used[i]) {
      ++profile.experiments;
    } else {
      ++unused[static_cast<std::size_t>(*usage.reasons[i])];
      ++profile.discarded;
    }
  }
  for (std::size_t reason = 0; reason < unused.size(); ++reason) {
    if (unused[reason] == 0) continue;
    profile.notes.push_back(
        fmt::format("{} of {} experiments not used: {}", unused[reason], usage.used.size(), kUnusedReasons[reason]));
  }
  if (usage.used.empty()) profile.notes.emplace_back("no experiments: no progress point was reached, or no line known");
}

std::string location_of(const CausalTarget& target) {
  return target.place.file.empty() ? target.scope : fmt::format("{}:{}", target.place.file, target.place.line);
}

/// "IO" -> "io"; an unknown word is kept.
std::string scope_of_class(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kClasses = {{{"ON_CPU", "on-cpu"},
                                                                                      {"IO", "io"},
                                                                                      {"LOCK", "lock"},
                                                                                      {"SCHEDULING", "scheduling"},
                                                                                      {"BLOCKED", "other"},
                                                                                      {"OFF_CPU", "off-cpu"}}};
  for (const auto& [bcoz, ours] : kClasses) {
    if (bcoz == word) return std::string(ours);
  }
  return std::string(word);
}

/// Empty where the text is no "FILE:LINE".
std::optional<CodePlace> place_of_line(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string_view digits = text.substr(colon + 1);
  CodePlace place{"", std::string(text.substr(0, colon)), 0};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), place.line);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return place;
}

}  // namespace

SelectedCode split_selected(const std::string& selected) {
  SelectedCode code;
  std::string_view what = selected;
  const std::size_t open = what.rfind('(');
  if (what.ends_with(')') && open != std::string_view::npos) {
    std::string_view given = what.substr(open + 1, what.size() - open - 2);
    if (given.ends_with('|')) given.remove_suffix(1);
    code.given = given;
    what = what.substr(0, open);
  }
  if (std::optional<CodePlace> place = place_of_line(what)) {
    code.place = std::move(*place);
    code.scope = "line";
  } else {
    code.scope = scope_of_class(what);
  }
  return code;
}

CausalProfile analyse(const CausalExperiments& experiments, const CausalRules& rules, Rng& rng) {
  assert(rules.min_baseline_experiments >= 1 && rules.min_experiments >= 1 && rules.resamples >= 2);
  assert(rules.confidence > 0.0 && rules.confidence < 1.0);
  ExperimentUsage usage;
  std::vector<MeasuredTarget> measured;
  std::size_t points = 0;
  for (auto& [key, series] : collect_series(experiments, usage)) {
    std::optional<MeasuredTarget> target = measure_series(key, series, rules, usage, rng);
    if (!target) continue;
    if (rules.phase_correction && target->target.scope == "line") {
      scale_effects(*target, active_share(experiments, key.first));
    }
    points += target->points.size();
    measured.push_back(std::move(*target));
  }

  CausalProfile profile;
  profile.source = experiments.source;
  profile.notes = experiments.notes;
  if (!std::all_of(measured.begin(), measured.end(), [](const auto& target) { return target.has_runs_in_common; })) {
    profile.notes.emplace_back(
        "virtual speedups were in different runs than 0: what varies from run to run looks like an effect");
  }
  for (MeasuredTarget& target : measured) {
    profile.targets.push_back(judge_target(std::move(target), (1.0 - rules.confidence) / static_cast<double>(points)));
  }
  std::stable_sort(profile.targets.begin(), profile.targets.end(), [](const CausalTarget& a, const CausalTarget& b) {
    return std::tie(a.max_effect, a.slope) > std::tie(b.max_effect, b.slope);
  });
  if (!profile.targets.empty() && profile.targets.front().max_effect > 0.0) {
    profile.max_speedup = 100.0 * profile.targets.front().max_effect;
    profile.max_speedup_location = location_of(profile.targets.front());
  }
  add_usage(usage, profile);
  return profile;
}

bool is_settled(const CausalProfile& profile, const SettledRules& rules) {
  const auto is_point_settled = [&](const CausalPoint& point) {
    return point.experiments >= rules.experiments && point.upper - point.lower <= rules.width;
  };
  return !profile.targets.empty() && std::ranges::all_of(profile.targets, [&](const CausalTarget& target) {
    return target.curve.size() >= rules.points && std::ranges::all_of(target.curve, is_point_settled);
  });
}

}  // namespace aiopt
