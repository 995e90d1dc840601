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

nlohmann::ordered_json best_to_json(const RunSummary& summary, const Elite& best, const std::string& patch_file) {
  nlohmann::ordered_json json = {{"id", to_number(best.candidate->id)}, {"objective", best.fitness.objective}};
  const BenchmarkResult searched = best.evaluation->benchmark.value_or(BenchmarkResult{});
  const bool is_claimed = summary.claim && summary.claim->id == best.candidate->id;
  const BenchmarkResult& benchmark = is_claimed ? summary.claim->benchmark : searched;
  const BenchmarkResult::Spread spread = benchmark.speedup_spread();
  json["speedup"] = benchmark.speedup();
  json["speedup_interval"] = {spread.lowest, spread.highest};
  json["pairs"] = benchmark.baseline.size();
  json["remeasured"] = is_claimed;
  json["speedup_in_search"] = searched.speedup();
  if (!patch_file.empty()) json["patch_file"] = patch_file;
  return json;
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
    }
    if (!stored.fitness) return {};
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
  if (!claims->empty()) summary.claim = std::move(claims->front());
  return summary;
}

std::string describe(const RunSummary& summary, const std::string& patch_file) {
  std::string text = fmt::format("{}: {} of {} evaluations in {}", summary.task_name, summary.evaluations,
                                 summary.budget, format_duration(summary.seconds));
  const std::uint64_t tokens = summary.tokens.prompt_tokens + summary.tokens.completion_tokens;
  if (tokens > 0) text += fmt::format(", {} tokens", tokens);
  if (summary.usd > 0.0) text += fmt::format(", ${:.2f}", summary.usd);
  const ArchiveStats stats = summary.archive->stats();
  text += fmt::format("\n  outcomes  {}", format_outcomes(summary.outcomes));
  if (summary.reused > 0) text += fmt::format(" ({} of a tree already evaluated)", summary.reused);
  text += fmt::format("\n  archive   {} cells ({:.1f} %), QD score {:.2f}\n", stats.num_elites, 100.0 * stats.coverage,
                      stats.qd_score);

  const Elite* best = summary.archive->best();
  if (best == nullptr) return text + "  no candidate was measured\n";
  if (best->candidate->id == kBaselineId) {
    text += "  best      the unmodified source: nothing beat it\n";
  } else {
    const BenchmarkResult searched = best->evaluation->benchmark.value_or(BenchmarkResult{});
    const BenchmarkResult::Spread spread = searched.speedup_spread();
    const bool is_claimed = summary.claim && summary.claim->id == best->candidate->id;
    text += fmt::format("  best      candidate {}, {}\n", to_number(best->candidate->id),
                        summary.made_by.at(best->candidate->id));
    if (is_claimed) {
      const BenchmarkResult& claim = summary.claim->benchmark;
      const BenchmarkResult::Spread claimed = claim.speedup_spread();
      text += fmt::format(
          "  speed-up  {} of the baseline's {}: median of {} pairs measured after the run, lowest {}, highest {}\n",
          format_ratio(claim.speedup()), summary.throughput_name, claim.baseline.size(), format_ratio(claimed.lowest),
          format_ratio(claimed.highest));
      text += fmt::format("            {:.0f} ops/s against {:.0f}", claim.throughput_ops_sec(),
                          claim.baseline_throughput_ops_sec());
      if (claim.latency_us() && claim.baseline_latency_us()) {
        text += fmt::format("; {} {:.1f} us against {:.1f}", summary.latency_name, *claim.latency_us(),
                            *claim.baseline_latency_us());
      }
      text += "\n";
    }
    text += fmt::format("  {} {} in the search ({} pairs, {} to {})\n", is_claimed ? "         " : "speed-up ",
                        format_ratio(searched.speedup()), searched.baseline.size(), format_ratio(spread.lowest),
                        format_ratio(spread.highest));
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
  };
  json["outcomes"] = nlohmann::ordered_json::object();
  for (const auto& [status, times] : summary.outcomes) json["outcomes"][std::string(to_string(status))] = times;
  const Elite* best = summary.archive->best();
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
