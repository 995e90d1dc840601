/// Puts a run together from run.db, and into words.

#include "view/run_summary.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.hpp"
#include "core/model_price.hpp"
#include "core/reason.hpp"
#include "core/remeasurement.hpp"
#include "view/comparison_view.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kMadeByBytes = 200;
constexpr std::size_t kShownFailures = 8;

/// "src/wal.cc:17 64 -> 128" of a change, "group-commit" of a name.
std::string word_of(const nlohmann::json& entry) {
  if (entry.is_string()) return entry.get<std::string>();
  if (!entry.is_object()) return entry.dump();
  const auto field = [&](const char* name) {
    const auto found = entry.find(name);
    if (found == entry.end()) return std::string();
    return found->is_string() ? found->get<std::string>() : found->dump();
  };
  return fmt::format("{}:{} {} -> {}", field("file"), field("line"), field("from"), field("to"));
}

/// Who made it, and the emitter's own words about it: the lists of its note.
std::string words_of(const Proposal& proposal) {
  const nlohmann::json note = nlohmann::json::parse(proposal.ask.note, nullptr, false);
  std::vector<std::string> words;
  if (note.is_object()) {
    for (const auto& [key, value] : note.items()) {
      if (!value.is_array()) continue;
      for (const nlohmann::json& entry : value) words.push_back(word_of(entry));
    }
  }
  const std::string& by = proposal.model.empty() ? proposal.emitter : proposal.model;
  return one_line(words.empty() ? by : fmt::format("{}: {}", by, fmt::join(words, ", ")), kMadeByBytes);
}

void add_failure(std::vector<FailureGroup>& groups, const StoredEvaluation& stored) {
  std::string why = telling_line(stored.evaluation.reason);
  for (FailureGroup& group : groups) {
    if (group.status == stored.evaluation.status && group.why == why) {
      ++group.times;
      return;
    }
  }
  groups.push_back({stored.evaluation.status, std::move(why), stored.proposal.id, 1});
}

const StoredClaim* claim_of(const RunSummary& summary, CandidateId id) {
  const auto found = std::find_if(summary.claims.begin(), summary.claims.end(),
                                  [id](const StoredClaim& claim) { return claim.id == id; });
  return found == summary.claims.end() ? nullptr : &*found;
}

nlohmann::ordered_json speedup_json(const BenchmarkResult& benchmark) {
  const auto finite = [](double value) {
    return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
  };
  nlohmann::ordered_json json = {{"speedup", finite(benchmark.speedup())}, {"speedup_interval", nullptr}};
  const auto& estimate = benchmark.estimate;
  if (estimate) json["speedup_interval"] = {finite(estimate->lower), finite(estimate->upper)};
  json["pairs"] = benchmark.baseline.size();
  return json;
}

nlohmann::ordered_json best_to_json(const RunSummary& summary, const Elite& best, const std::string& patch_file) {
  nlohmann::ordered_json json = {{"id", to_number(best.candidate->id)}, {"objective", best.fitness.objective}};
  const BenchmarkResult searched = best.evaluation->benchmark.value_or(BenchmarkResult{});
  const StoredClaim* claim = claim_of(summary, best.candidate->id);
  json.update(speedup_json(claim != nullptr ? claim->benchmark : searched));
  json["remeasured"] = claim != nullptr;
  json["in_search"] = speedup_json(searched);
  json["holdout"] = nullptr;
  json["against_parent"] = nullptr;
  if (claim != nullptr && claim->holdout) json["holdout"] = speedup_json(*claim->holdout);
  if (claim != nullptr && claim->against_parent) json["against_parent"] = speedup_json(*claim->against_parent);
  if (!patch_file.empty()) json["patch_file"] = patch_file;
  return json;
}

/// What the best candidate claims, and what the search saw of it.
std::string describe_best(const RunSummary& summary, const Elite& best) {
  const BenchmarkResult searched = best.evaluation->benchmark.value_or(BenchmarkResult{});
  const StoredClaim* claim = claim_of(summary, best.candidate->id);
  std::string text = fmt::format("  best      candidate {}, {}\n", to_number(best.candidate->id),
                                 summary.made_by.at(best.candidate->id));
  if (claim == nullptr) return text + fmt::format("  speed-up  {} in the search\n", describe_speedup(searched));
  const BenchmarkResult& claimed = claim->benchmark;
  text += fmt::format("  speed-up  {} of the baseline's {}, measured after the run\n", describe_speedup(claimed),
                      summary.throughput_name);
  text += fmt::format("            {:.0f} ops/s against {:.0f}", claimed.throughput_ops_sec(),
                      claimed.baseline_throughput_ops_sec());
  if (claimed.latency_us() && claimed.baseline_latency_us()) {
    text += fmt::format("; {} {:.1f} us against {:.1f}", summary.latency_name, *claimed.latency_us(),
                        *claimed.baseline_latency_us());
  }
  text += "\n";
  if (claim->holdout) {
    text += fmt::format("            {} on the held-out workload, which the search never saw\n",
                        describe_speedup(*claim->holdout));
  }
  if (claim->against_parent && best.candidate->parent) {
    text += fmt::format("            {} of candidate {}, which it was made from\n",
                        describe_speedup(*claim->against_parent), to_number(*best.candidate->parent));
  }
  text += fmt::format("            {} in the search, which chose it for that\n", describe_speedup(searched));
  for (const StoredClaim& other : summary.claims) {
    if (other.id == best.candidate->id) continue;
    text += fmt::format("  {}  candidate {}: {}\n", &other == &summary.claims[1] ? "next best" : "         ",
                        to_number(other.id), describe_speedup(other.benchmark));
  }
  return text;
}

/// An elite was measured again.
Result<void> update(Archive& archive, const StoredEvaluation& stored) {
  try {
    update_elite(archive, stored.proposal.ask.parent, stored.evaluation, *stored.fitness);
  } catch (const std::invalid_argument& error) {
    return Error{Error::Code::corruption,
                 fmt::format("run.db, candidate {}: {}", to_number(stored.proposal.id), error.what())};
  }
  return {};
}

/// What people read of the observations: a line each, the hosts without repetition, the last noise floor.
Result<void> read_observations(const RunStore& store, RunSummary& summary) {
  Result<std::vector<StoredObservation>> observations = store.observations();
  if (!observations) return observations.error();
  for (const StoredObservation& seen : *observations) {
    const auto json = nlohmann::json::parse(seen.content, nullptr, false);
    const bool is_host = seen.kind == StoredObservation::Kind::fingerprint;
    const char* key = is_host ? "line" : "sentence";
    if (!json.is_object() || !json.contains(key) || !json[key].is_string()) continue;
    std::string line = one_line(json[key].get_ref<const std::string&>(), 300);
    if (!is_host) summary.noise_floor = std::move(line);
    if (is_host && (summary.hosts.empty() || summary.hosts.back() != line)) summary.hosts.push_back(std::move(line));
  }
  return {};
}

}  // namespace

Result<RunSummary> summarize(const RunStore& store, const Task& task, std::uint64_t budget,
                             std::unique_ptr<Archive> archive) {
  RunSummary summary;
  summary.task_name = task.name;
  summary.throughput_name = task.benchmark.throughput;
  summary.latency_name = task.benchmark.latency;
  summary.budget = budget;
  summary.axes = task.axes;
  summary.archive = std::move(archive);
  auto visited = store.each_evaluation([&](StoredEvaluation stored) -> Result<void> {
    const Evaluation& evaluation = stored.evaluation;
    summary.seconds = stored.run_seconds;
    summary.tokens.prompt_tokens += stored.proposal.usage.prompt_tokens;
    summary.tokens.completion_tokens += stored.proposal.usage.completion_tokens;
    summary.usd += usd(task.llm.models, stored.proposal.model, stored.proposal.usage);
    if (stored.told > 0) {
      ++summary.evaluations;
      ++summary.outcomes[evaluation.status];
      if (evaluation.reused_from) ++summary.reused;
      if (evaluation.status != EvaluationStatus::passed) add_failure(summary.failures, stored);
      if (stored.proposal.emitter == kRemeasureEmitter) ++summary.remeasured;
    }
    if (!stored.fitness || evaluation.reused_from) return {};
    if (stored.proposal.emitter == kRemeasureEmitter) return update(*summary.archive, stored);
    Candidate candidate;
    candidate.id = stored.proposal.id;
    if (stored.told > 0) candidate.parent = stored.proposal.ask.parent;
    candidate.generation = stored.generation;
    candidate.tree_sha256 = stored.tree_sha256;
    candidate.changed_function = stored.changed_function;
    try {
      const AddResult added = summary.archive->add({std::make_shared<const Candidate>(std::move(candidate)),
                                                    std::make_shared<const Evaluation>(evaluation), *stored.fitness});
      if (added.status != AddStatus::not_added) {
        summary.made_by[stored.proposal.id] = stored.told == 0 ? "the unmodified source" : words_of(stored.proposal);
      }
    } catch (const std::invalid_argument& error) {
      return Error{Error::Code::corruption,
                   fmt::format("run.db, candidate {}: {}", to_number(stored.proposal.id), error.what())};
    }
    return {};
  });
  if (!visited) return visited.error();
  std::stable_sort(summary.failures.begin(), summary.failures.end(),
                   [](const FailureGroup& a, const FailureGroup& b) { return a.times > b.times; });
  Result<std::vector<StoredClaim>> claims = store.claims();
  if (!claims) return claims.error();
  summary.claims = std::move(*claims);
  if (auto read = read_observations(store, summary); !read) return read.error();
  return summary;
}

const Elite* RunSummary::best() const {
  const Elite* claimed = claims.empty() ? nullptr : archive->find(claims.front().id);
  return claimed != nullptr ? claimed : archive->best();
}

std::string describe(const RunSummary& summary, const std::string& patch_file) {
  std::string text = fmt::format("{}: {} of {} evaluations in {}", summary.task_name, summary.evaluations,
                                 summary.budget, format_duration(summary.seconds));
  const std::uint64_t tokens = summary.tokens.prompt_tokens + summary.tokens.completion_tokens;
  if (tokens > 0) text += fmt::format(", {} tokens", tokens);
  if (summary.usd > 0.0) text += fmt::format(", ${:.2f}", summary.usd);
  const ArchiveStats stats = summary.archive->stats();
  text += fmt::format("\n  outcomes  {}", format_outcomes(summary.outcomes));
  if (summary.reused > 0) text += fmt::format(" ({} of a program already measured)", summary.reused);
  if (summary.remeasured > 0) text += fmt::format(" ({} measured an elite again)", summary.remeasured);
  text += fmt::format("\n  archive   {} cells ({:.1f} %), QD score {:.2f}\n", stats.num_elites, 100.0 * stats.coverage,
                      stats.qd_score);

  for (std::size_t i = 0; i < summary.hosts.size(); ++i) {
    text += fmt::format("  {}  {}\n", i == 0 ? "host    " : "then    ", summary.hosts[i]);
  }
  if (summary.hosts.size() > 1) {
    text +=
        "            several hosts: speed-ups are each against the unmodified program on its own; ops/s do not "
        "compare\n";
  }
  if (!summary.noise_floor.empty()) text += fmt::format("            {}\n", summary.noise_floor);

  const Elite* best = summary.best();
  if (best == nullptr) return text + "  no candidate was measured\n";
  if (best->candidate->id == kBaselineId) {
    text += "  best      the unmodified source: nothing beat it\n";
  } else {
    text += describe_best(summary, *best);
    if (!patch_file.empty()) text += fmt::format("  patch     {}\n", patch_file);
  }

  text += "  elites    objective  speed-up  cell\n";
  std::vector<const Elite*> elites = summary.archive->elites();
  std::stable_sort(elites.begin(), elites.end(),
                   [](const Elite* a, const Elite* b) { return a->fitness.objective > b->fitness.objective; });
  for (const Elite* elite : elites) {
    const double speedup = elite->evaluation->benchmark ? elite->evaluation->benchmark->speedup() : 1.0;
    std::string cell;
    for (std::size_t i = 0; i < summary.axes.size() && i < elite->fitness.measures.size(); ++i) {
      const Measure& measure = elite->fitness.measures[i];
      const double* number = std::get_if<double>(&measure);
      cell += fmt::format("{}{} {}", i > 0 ? ", " : "", summary.axes[i].measure,
                          number != nullptr ? fmt::format("{:.2f}", *number) : std::get<std::string>(measure));
    }
    text += fmt::format("  {:>8}  {:>9.4f}  {:>8}  {}\n", to_number(elite->candidate->id), elite->fitness.objective,
                        format_ratio(speedup), cell);
  }

  if (!summary.failures.empty()) text += "  failed\n";
  for (std::size_t i = 0; i < std::min(kShownFailures, summary.failures.size()); ++i) {
    const FailureGroup& group = summary.failures[i];
    text += fmt::format("  {:>8}x {} (candidate {}): {}\n", group.times, to_string(group.status),
                        to_number(group.example), group.why);
  }
  if (summary.failures.size() > kShownFailures) {
    text += fmt::format("            and {} more kinds\n", summary.failures.size() - kShownFailures);
  }
  return text;
}

std::string to_json(const RunSummary& summary, const std::string& patch_file) {
  const ArchiveStats stats = summary.archive->stats();
  nlohmann::ordered_json json = {
      {"status", summary.evaluations >= summary.budget ? "finished" : "unfinished"},
      {"task", summary.task_name},
      {"iterations", summary.evaluations},
      {"budget", summary.budget},
      {"reused", summary.reused},
      {"remeasured", summary.remeasured},
  };
  json["outcomes"] = nlohmann::ordered_json::object();
  for (const auto& [status, times] : summary.outcomes) json["outcomes"][std::string(to_string(status))] = times;
  const Elite* best = summary.best();
  json["best"] = best != nullptr ? best_to_json(summary, *best, patch_file) : nlohmann::ordered_json(nullptr);
  nlohmann::ordered_json cells = nlohmann::ordered_json::array();
  for (const Elite* elite : summary.archive->elites()) {
    nlohmann::ordered_json measures = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < summary.axes.size() && i < elite->fitness.measures.size(); ++i) {
      std::visit([&](const auto& measure) { measures[summary.axes[i].measure] = measure; }, elite->fitness.measures[i]);
    }
    cells.push_back({{"id", to_number(elite->candidate->id)},
                     {"objective", elite->fitness.objective},
                     {"speedup", elite->evaluation->benchmark ? elite->evaluation->benchmark->speedup() : 1.0},
                     {"measures", std::move(measures)},
                     {"made_by", summary.made_by.at(elite->candidate->id)}});
  }
  json["archive"] = {{"elites", stats.num_elites},
                     {"coverage", stats.coverage},
                     {"qd_score", stats.qd_score},
                     {"cells", std::move(cells)}};
  json["hosts"] = summary.hosts;
  json["noise_floor"] = summary.noise_floor;
  json["claims"] = nlohmann::ordered_json::array();
  for (const StoredClaim& claim : summary.claims) {
    nlohmann::ordered_json entry = {{"id", to_number(claim.id)}};
    entry.update(speedup_json(claim.benchmark));
    json["claims"].push_back(std::move(entry));
  }
  json["failures"] = nlohmann::ordered_json::array();
  for (const FailureGroup& group : summary.failures) {
    json["failures"].push_back({{"status", to_string(group.status)},
                                {"why", group.why},
                                {"example", to_number(group.example)},
                                {"times", group.times}});
  }
  json["tokens"] = {{"prompt", summary.tokens.prompt_tokens}, {"completion", summary.tokens.completion_tokens}};
  json["usd"] = summary.usd;
  json["seconds"] = summary.seconds;
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string format_ratio(double ratio) {
  return ratio < 10.0 ? fmt::format("{:.2f}x", ratio) : fmt::format("{:.1f}x", ratio);
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<long>(std::max(0.0, std::min(seconds, 1e9)));
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  if (whole >= 60) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} s", whole);
}

std::string format_outcomes(const std::map<EvaluationStatus, std::uint64_t>& outcomes) {
  std::vector<std::string> words;
  for (const auto& [status, times] : outcomes) words.push_back(fmt::format("{} {}", times, to_string(status)));
  return words.empty() ? "none" : fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace aiopt
