/// Evaluations as rows: see evaluation_rows.hpp.

#include "store/evaluation_rows.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "core/evaluation_json.hpp"
#include "core/profile_json.hpp"
#include "store/binder.hpp"
#include "store/row.hpp"
#include "store/schema.hpp"

namespace aiopt {
namespace {

constexpr std::size_t kSurelyReadable = 1u << 20;  ///< JSON below this is within every limit of core/evaluation_json.

constexpr std::size_t kMaxEdits = 50'000;

/// So that the numbers of its stages are integers of SQLite's.
constexpr std::uint64_t kHighestTold = kHighestNumber / kStagesPerEvaluation - 1;

/// Where a patch is: the columns patch_is and exact_is.
enum class PatchPlace { none, here, as_before };

constexpr const char* kInsertEvaluation =
    "INSERT INTO evaluation (told, id, parent, island, emitter, asked_after, ask, patch_is, patch, exact_is, exact, "
    "patch_reason, model, prompt_tokens, completion_tokens, latency_ms, tree_sha256, generation, changed_function, "
    "status, reason, reused_from, benchmark, profile, gates, objective, standard_error, measures, add_status, "
    "add_cell, "
    "add_improvement, run_seconds, "
    "rng) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

#define AIOPT_EVALUATION_COLUMNS                                                                                      \
  "SELECT e.told, e.id, e.parent, e.island, e.emitter, e.asked_after, coalesce(e.ask, a.ask), e.patch_is, e.patch, "  \
  "e.exact_is, e.exact, e.patch_reason, e.model, e.prompt_tokens, e.completion_tokens, e.latency_ms, e.tree_sha256, " \
  "e.generation, e.changed_function, e.status, e.reason, e.reused_from, e.benchmark, e.profile, e.gates, "            \
  "e.objective, e.standard_error, e.measures, e.add_status, e.add_cell, e.add_improvement, e.run_seconds FROM "       \
  "evaluation e LEFT "                                                                                                \
  "JOIN ask a ON a.id = e.id "

enum Column {
  kTold,
  kId,
  kParent,
  kIsland,
  kEmitter,
  kAskedAfter,
  kAsk,
  kPatchIs,
  kPatch,
  kExactIs,
  kExact,
  kPatchReason,
  kModel,
  kPromptTokens,
  kCompletionTokens,
  kLatencyMs,
  kTreeSha256,
  kGeneration,
  kChangedFunction,
  kStatus,
  kReason,
  kReusedFrom,
  kBenchmark,
  kProfile,
  kGates,
  kObjective,
  kStandardError,
  kMeasures,
  kAddStatus,
  kAddCell,
  kAddImprovement,
  kRunSeconds,
};

Error cannot_store(const StoredEvaluation& evaluation, std::string_view why) {
  return {Error::Code::invalid_argument,
          fmt::format("cannot store evaluation {}: {}", to_number(evaluation.proposal.id), why)};
}

Error damaged(const Database& database, CandidateId id, const std::string& why) {
  return {Error::Code::corruption,
          fmt::format("{} is damaged: evaluation {}: {}", database.shown(), to_number(id), why)};
}

// ---- writing --------------------------------------------------------------------------------------------------------

/// A text of any length, cut to what can be read back.
std::string bounded(std::string_view text) {
  return text.size() <= kMaxTextBytes ? std::string(text) : shorten_middle(text, kMaxTextBytes);
}

bool all_finite(const Fitness& fitness) {
  if (!std::isfinite(fitness.objective) || !std::isfinite(fitness.standard_error)) return false;
  for (const Measure& measure : fitness.measures) {
    if (const double* value = std::get_if<double>(&measure); value && !std::isfinite(*value)) return false;
  }
  return true;
}

bool fits(const std::vector<Measure>& measures, const std::vector<Axis>& axes) {
  if (measures.size() != axes.size()) return false;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (std::holds_alternative<std::string>(measures[i]) != (axes[i].kind == Axis::Kind::category)) return false;
  }
  return true;
}

/// What a row can't hold, or what would make a lineage endless.
Result<void> check(const StoredEvaluation& evaluation, const std::vector<Axis>& axes) {
  const Proposal& proposal = evaluation.proposal;
  const std::uint64_t id = to_number(proposal.id);
  if (id > kHighestNumber || evaluation.told > kHighestTold) return cannot_store(evaluation, "its number is too high");
  if ((id == 0) != (evaluation.told == 0)) return cannot_store(evaluation, "the baseline is told first");
  if (id != 0 && to_number(proposal.ask.parent) >= id) return cannot_store(evaluation, "its parent is not before it");
  if (evaluation.evaluation.id != proposal.id) return cannot_store(evaluation, "its evaluation has another id");
  if (evaluation.evaluation.stages.size() >= static_cast<std::size_t>(kStagesPerEvaluation)) {
    return cannot_store(evaluation, "it has too many stages");
  }
  for (const std::string* name :
       {&proposal.emitter, &proposal.model, &evaluation.tree_sha256, &evaluation.changed_function}) {
    if (name->find('\0') != std::string::npos) return cannot_store(evaluation, "a name in it holds a NUL");
  }
  if (evaluation.fitness && !fits(evaluation.fitness->measures, axes)) {
    return cannot_store(evaluation, "its measures are not those of the axes");
  }
  if ((evaluation.fitness && !all_finite(*evaluation.fitness)) ||
      (evaluation.added && !std::isfinite(evaluation.added->improvement)) || !std::isfinite(evaluation.run_seconds)) {
    return cannot_store(evaluation, "a value in it is not finite");
  }
  return {};
}

bool can_be_read_back(const std::string& json, bool (*read)(std::string_view)) {
  return json.size() < kSurelyReadable || (json.size() <= kMaxTextBytes && read(json));
}

bool reads_as_patch(std::string_view json) {
  return patch_from_json(json).has_value();
}
bool reads_as_ask(std::string_view json) {
  return ask_from_json(json).has_value();
}
bool reads_as_benchmark(std::string_view json) {
  return benchmark_from_json(json).has_value();
}

bool reads_as_profile(std::string_view json) {
  return profile_from_json(json).has_value();
}

/// The JSON columns of an evaluation. A patch is written once, however often it is the same.
struct EvaluationJson {
  std::optional<std::string> ask;
  PatchPlace patch_is = PatchPlace::none;
  std::optional<std::string> patch;
  PatchPlace exact_is = PatchPlace::none;
  std::optional<std::string> exact;
  std::optional<std::string> benchmark;
  std::optional<std::string> profile;
  std::optional<std::string> gates;
  std::optional<std::string> measures;
};

/// The patch's JSON; nothing if it is more than could be read back.
std::optional<std::string> patch_column(const Patch& patch) {
  if (patch.edits.size() > kMaxEdits) return std::nullopt;
  std::string json = patch_to_json(patch);
  if (!can_be_read_back(json, reads_as_patch)) return std::nullopt;
  return json;
}

/// What a hostile candidate's gates say is cut to what can be read back.
std::string bounded_gates(std::vector<GateReport> gates) {
  constexpr std::size_t kLongestDetailBytes = 4096;
  for (GateReport& gate : gates) gate.detail = shorten_middle(gate.detail, kLongestDetailBytes);
  return gates_to_json(gates);
}

Result<void> write_patches(const StoredEvaluation& evaluation, EvaluationJson& json) {
  const auto& patch = evaluation.proposal.patch;
  const auto& exact = evaluation.exact;
  const auto* asked = std::get_if<Patch>(&evaluation.proposal.ask.change);
  if (patch && asked && *asked == *patch) {
    json.patch_is = PatchPlace::as_before;
  } else if (patch) {
    // What is too large, a model's flood, was never applied, and its reply tells the story.
    json.patch = patch_column(*patch);
    json.patch_is = json.patch ? PatchPlace::here : PatchPlace::none;
  }
  if (exact && exact == patch && json.patch_is != PatchPlace::none) {
    json.exact_is = PatchPlace::as_before;
  } else if (exact) {
    json.exact = patch_column(*exact);
    if (!json.exact) return cannot_store(evaluation, "its patch is too large");
    json.exact_is = PatchPlace::here;
  }
  return {};
}

Result<EvaluationJson> to_json(const StoredEvaluation& evaluation, const std::vector<Axis>& axes,
                               const std::optional<std::string>& stored_ask) {
  EvaluationJson json;
  json.ask = ask_to_json(evaluation.proposal.ask);
  if (!can_be_read_back(*json.ask, reads_as_ask)) return cannot_store(evaluation, "its ask is too large");
  if (json.ask == stored_ask) json.ask.reset();
  if (auto patches = write_patches(evaluation, json); !patches) return patches.error();
  if (evaluation.evaluation.benchmark) {
    json.benchmark = benchmark_to_json(*evaluation.evaluation.benchmark);
    if (!can_be_read_back(*json.benchmark, reads_as_benchmark)) {
      return cannot_store(evaluation, "its benchmark reported too many metrics");
    }
  }
  const Profile& profile = evaluation.evaluation.profile;
  if (profile.off_cpu || profile.causal) {
    json.profile = profile_to_json(profile);
    if (!can_be_read_back(*json.profile, reads_as_profile)) return cannot_store(evaluation, "its profile is too large");
  }
  if (!evaluation.evaluation.gates.empty()) json.gates = bounded_gates(evaluation.evaluation.gates);
  if (evaluation.fitness) json.measures = measures_to_json(axes, evaluation.fitness->measures);
  return json;
}

void bind_packed(Binder& bind, const std::optional<std::string>& text) {
  if (text) {
    bind.packed(*text);
  } else {
    bind.null();
  }
}

void bind_proposal(Binder& bind, const StoredEvaluation& evaluation, const EvaluationJson& json) {
  const Proposal& proposal = evaluation.proposal;
  bind.number(evaluation.told).number(to_number(proposal.id)).number(to_number(proposal.ask.parent));
  bind.number(static_cast<std::uint32_t>(proposal.island)).text(proposal.emitter).number(evaluation.asked_after);
  bind_packed(bind, json.ask);
  bind.integer(static_cast<int>(json.patch_is));
  bind_packed(bind, json.patch);
  bind.integer(static_cast<int>(json.exact_is));
  bind_packed(bind, json.exact);
  bind.packed(bounded(proposal.reason)).text(proposal.model);
  bind.number(proposal.usage.prompt_tokens).number(proposal.usage.completion_tokens);
  bind.number(static_cast<std::uint64_t>(std::max<std::int64_t>(proposal.latency.count(), 0)));
}

void bind_outcome(Binder& bind, const StoredEvaluation& stored, const EvaluationJson& json) {
  const Evaluation& evaluation = stored.evaluation;
  bind.text(stored.tree_sha256).number(stored.generation).text(stored.changed_function);
  bind.integer(static_cast<int>(evaluation.status)).packed(bounded(evaluation.reason));
  if (evaluation.reused_from) {
    bind.number(to_number(*evaluation.reused_from));
  } else {
    bind.null();
  }
  bind_packed(bind, json.benchmark);
  bind_packed(bind, json.profile);
  bind_packed(bind, json.gates);
  if (stored.fitness) {
    bind.real(stored.fitness->objective).real(stored.fitness->standard_error).text(*json.measures);
  } else {
    bind.null().null().null();
  }
  if (stored.added) {
    bind.integer(static_cast<int>(stored.added->status)).number(stored.added->cell).real(stored.added->improvement);
  } else {
    bind.null().null().null();
  }
  bind.real(stored.run_seconds);
}

std::int64_t stage_number(std::uint64_t told, std::size_t position) {
  return static_cast<std::int64_t>(told) * kStagesPerEvaluation + static_cast<std::int64_t>(position);
}

// ---- reading --------------------------------------------------------------------------------------------------------

template <typename Enum>
Enum read_enum(Row& row, int column, Enum last) {
  return static_cast<Enum>(row.natural(column, static_cast<std::uint64_t>(last)));
}

/// @param before  The patch that as_before means, if there is one.
std::optional<Patch> read_patch(Row& row, int place_column, int patch_column, const Patch* before) {
  switch (read_enum(row, place_column, PatchPlace::as_before)) {
    case PatchPlace::none:
      return std::nullopt;
    case PatchPlace::here:
      return row.take(patch_from_json(row.packed(patch_column)));
    case PatchPlace::as_before:
      if (before != nullptr) return *before;
      row.refuse("it refers to a patch that is not there");
      return std::nullopt;
  }
  return std::nullopt;
}

const Patch* pointer(const std::optional<Patch>& patch) {
  return patch ? &*patch : nullptr;
}

/// The ask, the patch and the exact patch, which refer to each other.
void read_ask_and_patches(Row& row, StoredEvaluation& evaluation) {
  Proposal& proposal = evaluation.proposal;
  proposal.ask = row.take(ask_from_json(row.packed(kAsk)));
  if (proposal.ask.parent != CandidateId{row.natural(kParent)}) row.refuse("it has two different parents");
  if (proposal.id != kBaselineId && proposal.ask.parent >= proposal.id) row.refuse("its parent is not before it");
  proposal.patch = read_patch(row, kPatchIs, kPatch, std::get_if<Patch>(&proposal.ask.change));
  evaluation.exact = read_patch(row, kExactIs, kExact, pointer(proposal.patch));
}

Proposal read_proposal(Row& row) {
  Proposal proposal;
  proposal.id = CandidateId{row.natural(kId)};
  proposal.island =
      IslandId{static_cast<std::uint32_t>(row.natural(kIsland, std::numeric_limits<std::uint32_t>::max()))};
  proposal.emitter = row.name(kEmitter);
  proposal.reason = row.packed(kPatchReason);
  proposal.model = row.name(kModel);
  proposal.usage = {row.natural(kPromptTokens), row.natural(kCompletionTokens)};
  proposal.latency = std::chrono::milliseconds(static_cast<std::int64_t>(row.natural(kLatencyMs)));
  return proposal;
}

std::optional<Fitness> read_fitness(Row& row, const std::vector<Axis>& axes) {
  if (row.is_null(kObjective) && row.is_null(kMeasures)) return std::nullopt;
  Fitness fitness;
  fitness.objective = row.real(kObjective);
  fitness.standard_error = row.real(kStandardError);
  if (fitness.standard_error < 0.0) row.refuse("a standard error is below 0");
  fitness.measures = row.take(measures_from_json(axes, row.packed(kMeasures)));
  return fitness;
}

std::optional<AddResult> read_added(Row& row) {
  if (row.is_null(kAddStatus)) return std::nullopt;
  return AddResult{read_enum(row, kAddStatus, AddStatus::shares_cell), row.natural(kAddCell),
                   row.real(kAddImprovement)};
}

Evaluation read_outcome(Row& row, CandidateId id) {
  Evaluation evaluation;
  evaluation.id = id;
  evaluation.status = read_enum(row, kStatus, EvaluationStatus::quarantined);
  evaluation.reason = row.packed(kReason);
  if (!row.is_null(kBenchmark)) evaluation.benchmark = row.take(benchmark_from_json(row.packed(kBenchmark)));
  if (!row.is_null(kProfile)) evaluation.profile = row.take(profile_from_json(row.packed(kProfile)));
  if (!row.is_null(kGates)) evaluation.gates = row.take(gates_from_json(row.packed(kGates)));
  if (const auto reused_from = row.natural_or_null(kReusedFrom)) evaluation.reused_from = CandidateId{*reused_from};
  return evaluation;
}

Result<StoredEvaluation> read_evaluation(const Database& database, const Statement& statement, TextPacker& packer,
                                         const std::vector<Axis>& axes) {
  Row row(statement, packer);
  StoredEvaluation evaluation;
  evaluation.told = row.natural(kTold, kHighestTold);
  evaluation.proposal = read_proposal(row);
  evaluation.asked_after = row.natural(kAskedAfter);
  read_ask_and_patches(row, evaluation);
  evaluation.tree_sha256 = row.name(kTreeSha256);
  evaluation.generation =
      static_cast<std::uint32_t>(row.natural(kGeneration, std::numeric_limits<std::uint32_t>::max()));
  evaluation.changed_function = row.name(kChangedFunction);
  evaluation.evaluation = read_outcome(row, evaluation.proposal.id);
  evaluation.fitness = read_fitness(row, axes);
  evaluation.added = read_added(row);
  evaluation.run_seconds = row.real(kRunSeconds);
  if (row.mistake()) return damaged(database, evaluation.proposal.id, *row.mistake());
  return evaluation;
}

/// Columns: number, stage, status, exit_code, wall_us, cpu_us, peak_rss_bytes, and for the full story output.
StageReport read_stage(Row& row, bool with_output) {
  StageReport stage;
  stage.stage = read_enum(row, 1, Stage::sanitize);
  stage.status = read_enum(row, 2, StageStatus::skipped);
  const std::int64_t exit_code = row.integer(3);
  stage.exit_code = static_cast<int>(exit_code);
  if (stage.exit_code != exit_code) row.refuse("an exit code is out of range");
  stage.wall_time = std::chrono::microseconds(row.integer(4));
  stage.cpu_time = std::chrono::microseconds(row.integer(5));
  stage.peak_rss_bytes = row.natural(6);
  if (with_output) stage.output = row.packed(7);
  return stage;
}

/// Stages are read beside their evaluations, both in the order told.
class StageStream {
 public:
  StageStream(const Database& database, Statement& statement, TextPacker& packer)
      : database_(database), statement_(statement), packer_(packer) {}

  Result<void> advance() {
    auto row = database_.next(statement_);
    if (!row) return row.error();
    has_row_ = *row;
    return {};
  }

  /// All stages of the evaluation, which are next.
  Result<void> read_into(StoredEvaluation& evaluation) {
    std::size_t position = 0;
    while (has_row_ && statement_.integer(0) == stage_number(evaluation.told, position)) {
      Row row(statement_, packer_);
      evaluation.evaluation.stages.push_back(read_stage(row, false));
      if (row.mistake()) return damaged(database_, evaluation.proposal.id, *row.mistake());
      if (auto done = advance(); !done) return done;
      ++position;
    }
    if (has_row_ && statement_.integer(0) < stage_number(evaluation.told + 1, 0)) {
      return damaged(database_, evaluation.proposal.id, "its stages are not in order");
    }
    return {};
  }

 private:
  const Database& database_;
  Statement& statement_;
  TextPacker& packer_;
  bool has_row_ = false;
};

}  // namespace

Result<EvaluationWriter> EvaluationWriter::prepare(const Database& database) {
  EvaluationWriter writer;
  Preparation statement(database);
  statement(writer.evaluation_, kInsertEvaluation);
  statement(writer.stage_, "INSERT INTO stage VALUES (?,?,?,?,?,?,?,?)");
  statement(writer.exchange_, "INSERT INTO exchange VALUES (?,?,?)");
  if (statement.error()) return *statement.error();
  return writer;
}

Result<void> EvaluationWriter::write(Database& database, TextPacker& packer, const StoredEvaluation& evaluation,
                                     const std::vector<Axis>& axes, const std::optional<std::string>& stored_ask,
                                     std::string_view rng) {
  if (auto fine = check(evaluation, axes); !fine) return fine;
  auto json = to_json(evaluation, axes, stored_ask);
  if (!json) return json.error();

  Binder bind(evaluation_, packer);
  bind_proposal(bind, evaluation, *json);
  bind_outcome(bind, evaluation, *json);
  bind.blob(rng);
  if (auto done = database.run(evaluation_); !done) return done;

  const Proposal& proposal = evaluation.proposal;
  if (!proposal.prompt.empty() || !proposal.reply.empty()) {
    Binder texts(exchange_, packer);
    texts.number(evaluation.told).packed(bounded(proposal.prompt)).packed(bounded(proposal.reply));
    if (auto done = database.run(exchange_); !done) return done;
  }
  return write_stages(database, packer, evaluation);
}

Result<void> EvaluationWriter::write_stages(Database& database, TextPacker& packer,
                                            const StoredEvaluation& evaluation) {
  for (std::size_t i = 0; i < evaluation.evaluation.stages.size(); ++i) {
    const StageReport& stage = evaluation.evaluation.stages[i];
    Binder bind(stage_, packer);
    bind.integer(stage_number(evaluation.told, i)).integer(static_cast<int>(stage.stage));
    bind.integer(static_cast<int>(stage.status)).integer(stage.exit_code);
    bind.integer(stage.wall_time.count()).integer(stage.cpu_time.count()).number(stage.peak_rss_bytes);
    bind.packed(bounded(stage.output));
    if (auto done = database.run(stage_); !done) return done;
  }
  return {};
}

Result<EvaluationReader> EvaluationReader::prepare(const Database& database) {
  EvaluationReader reader;
  Preparation statement(database);
  statement(reader.all_, AIOPT_EVALUATION_COLUMNS "ORDER BY e.told");
  statement(reader.all_stages_,
            "SELECT number, stage, status, exit_code, wall_us, cpu_us, peak_rss_bytes FROM stage ORDER BY number");
  statement(reader.one_, AIOPT_EVALUATION_COLUMNS "WHERE e.id = ?");
  statement(reader.one_stages_,
            "SELECT number, stage, status, exit_code, wall_us, cpu_us, peak_rss_bytes, output FROM stage "
            "WHERE number >= ?1 AND number < ?2 ORDER BY number");
  statement(reader.exchange_, "SELECT prompt, reply FROM exchange WHERE told = ?");
  if (statement.error()) return *statement.error();
  return reader;
}

Result<void> EvaluationReader::each(const Database& database, TextPacker& packer, const std::vector<Axis>& axes,
                                    const std::function<Result<void>(StoredEvaluation)>& visit) {
  const ResetAtEnd reset(all_);
  const ResetAtEnd reset_stages(all_stages_);
  StageStream stages(database, all_stages_, packer);
  for (std::uint64_t told = 0;; ++told) {
    auto row = database.next(all_);
    if (!row) return row.error();
    if (!*row) return {};
    // After the evaluations' first row, so that both see one state of the file.
    if (told == 0) {
      if (auto done = stages.advance(); !done) return done;
    }
    auto evaluation = read_evaluation(database, all_, packer, axes);
    if (!evaluation) return evaluation.error();
    if (evaluation->told != told)
      return damaged(database, evaluation->proposal.id, "the one told before it is missing");
    if (auto done = stages.read_into(*evaluation); !done) return done;
    if (auto done = visit(std::move(*evaluation)); !done) return done;
  }
}

Result<std::optional<StoredEvaluation>> EvaluationReader::read(const Database& database, TextPacker& packer,
                                                               const std::vector<Axis>& axes, CandidateId id) {
  if (to_number(id) > kHighestNumber) return std::optional<StoredEvaluation>();
  const ResetAtEnd reset(one_);
  Binder(one_, packer).number(to_number(id));
  auto row = database.next(one_);
  if (!row) return row.error();
  if (!*row) return std::optional<StoredEvaluation>();
  auto evaluation = read_evaluation(database, one_, packer, axes);
  if (!evaluation) return evaluation.error();

  const ResetAtEnd reset_stages(one_stages_);
  Binder(one_stages_, packer).integer(stage_number(evaluation->told, 0)).integer(stage_number(evaluation->told + 1, 0));
  for (;;) {
    auto stage = database.next(one_stages_);
    if (!stage) return stage.error();
    if (!*stage) break;
    Row values(one_stages_, packer);
    evaluation->evaluation.stages.push_back(read_stage(values, true));
    if (values.mistake()) return damaged(database, id, *values.mistake());
  }

  const ResetAtEnd reset_exchange(exchange_);
  Binder(exchange_, packer).number(evaluation->told);
  auto texts = database.next(exchange_);
  if (!texts) return texts.error();
  if (*texts) {
    Row values(exchange_, packer);
    evaluation->proposal.prompt = values.packed(0);
    evaluation->proposal.reply = values.packed(1);
    if (values.mistake()) return damaged(database, id, *values.mistake());
  }
  return std::optional(std::move(*evaluation));
}

Result<std::optional<EvaluationReader::Step>> EvaluationReader::step(const Database& database, TextPacker& packer,
                                                                     CandidateId id) {
  if (to_number(id) > kHighestNumber) return std::optional<Step>();
  const ResetAtEnd reset(one_);
  Binder(one_, packer).number(to_number(id));
  auto row = database.next(one_);
  if (!row) return row.error();
  if (!*row) return std::optional<Step>();
  Row values(one_, packer);
  StoredEvaluation evaluation;
  evaluation.proposal.id = CandidateId{values.natural(kId)};
  read_ask_and_patches(values, evaluation);
  if (values.mistake()) return damaged(database, id, *values.mistake());
  return std::optional(Step{evaluation.proposal.ask.parent, std::move(evaluation.exact)});
}

}  // namespace aiopt
