/// SqliteRunStore: what is in run.db, read and written through one connection.

#include "store/sqlite_run_store.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/evaluation_json.hpp"
#include "store/binder.hpp"
#include "store/evaluation_rows.hpp"
#include "store/packed_text.hpp"
#include "store/row.hpp"

namespace aiopt {
namespace {

constexpr std::size_t kMaxLineageBytes = 256u << 20;  ///< Of the texts of all its patches.
constexpr int kMaxAxes = 64;
constexpr std::size_t kMostClaims = 1000;
constexpr std::size_t kMostObservations = 1'000'000;

Error damaged(const Database& database, const std::string& why) {
  return {Error::Code::corruption, fmt::format("{} is damaged: {}", database.shown(), why)};
}

// ---- the generator's state ------------------------------------------------------------------------------------------

std::string to_bytes(const Rng::State& state) {
  std::string bytes;
  for (const std::uint64_t word : state) {
    for (int shift = 0; shift < 64; shift += 8) bytes += static_cast<char>((word >> shift) & 0xFF);
  }
  return bytes;
}

/// Nothing if that is no state: xoshiro would stay at all zeros for ever.
std::optional<Rng::State> rng_state(std::string_view bytes) {
  Rng::State state{};
  if (bytes.size() != 8 * state.size()) return std::nullopt;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    state[i / 8] |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * (i % 8));
  }
  if (state == Rng::State{}) return std::nullopt;
  return state;
}

std::size_t text_bytes(const Patch& patch) {
  std::size_t bytes = 0;
  for (const Edit& edit : patch.edits) bytes += edit.search.size() + edit.text.size() + edit.path.size();
  return bytes;
}

// ---- header and axes ------------------------------------------------------------------------------------------------

Result<RunHeader> read_header(const Database& database, TextPacker& packer) {
  auto query = database.prepare(
      "SELECT task_yaml, task_file, options, baseline_sha256, protected_sha256, aiopt_version, started_at FROM header");
  if (!query) return query.error();
  const auto found = database.next(*query);
  if (!found) return found.error();
  if (!*found) return damaged(database, "it has no header");
  Row row(*query, packer);
  RunHeader header{row.packed(0), row.name(1), row.packed(2), row.name(3), row.name(4), row.name(5), row.name(6)};
  if (row.mistake()) return damaged(database, "header: " + *row.mistake());
  return header;
}

Axis read_axis(Row& row) {
  Axis axis;
  axis.measure = row.name(0);
  axis.kind = static_cast<Axis::Kind>(row.natural(1, static_cast<std::uint64_t>(Axis::Kind::category)));
  axis.cells = static_cast<int>(row.natural(2, 1'000'000));
  axis.lower = row.real(3);
  axis.upper = row.real(4);
  return axis;
}

Result<std::vector<Axis>> read_axes(const Database& database, TextPacker& packer) {
  auto query = database.prepare("SELECT measure, kind, cells, lower, upper FROM axis ORDER BY position");
  if (!query) return query.error();
  std::vector<Axis> axes;
  for (;;) {
    const auto found = database.next(*query);
    if (!found) return found.error();
    if (!*found) return axes;
    Row row(*query, packer);
    axes.push_back(read_axis(row));
    if (axes.size() > kMaxAxes) row.refuse("there are too many");
    if (row.mistake()) return damaged(database, "axes: " + *row.mistake());
  }
}

// ---- the store ------------------------------------------------------------------------------------------------------

class SqliteRunStore : public RunStore {
 public:
  static Result<std::unique_ptr<RunStore>> make(Database database, std::optional<RunLock> lock) {
    auto store = std::unique_ptr<SqliteRunStore>(new SqliteRunStore(std::move(database), std::move(lock)));
    if (auto done = store->load(); !done) return done.error();
    return std::unique_ptr<RunStore>(std::move(store));
  }

  const RunHeader& header() const override { return header_; }
  const std::vector<Axis>& axes() const override { return axes_; }

  Result<void> commit(std::span<const StoredEvaluation> told, std::span<const StoredAsk> new_asks,
                      const Rng::State& rng) override {
    const std::uint64_t next_told = next_told_;
    auto done = in_transaction([&]() -> Result<void> {
      if (auto asked = write_asks(new_asks); !asked) return asked;
      for (const StoredEvaluation& evaluation : told) {
        if (auto written = write(evaluation, rng); !written) return written;
      }
      return {};
    });
    if (!done) next_told_ = next_told;
    return done;
  }

  Result<void> commit_claims(std::span<const StoredClaim> claims) override {
    return in_transaction([&]() -> Result<void> {
      if (auto cleared = database_.execute("DELETE FROM claim"); !cleared) return cleared;
      auto insert = database_.prepare("INSERT INTO claim VALUES (?,?,?,?,?)");
      if (!insert) return insert.error();
      for (std::size_t place = 0; place < claims.size(); ++place) {
        const StoredClaim& claim = claims[place];
        Binder bind(*insert, packer_);
        bind.number(place).number(to_number(claim.id)).packed(benchmark_to_json(claim.benchmark));
        for (const auto* benchmark : {&claim.holdout, &claim.against_parent}) {
          if (*benchmark) {
            bind.packed(benchmark_to_json(**benchmark));
          } else {
            bind.null();
          }
        }
        if (auto done = database_.run(*insert); !done) return done;
      }
      return {};
    });
  }

  Result<void> add_observation(const StoredObservation& observation) override {
    return in_transaction([&]() -> Result<void> {
      auto insert = database_.prepare("INSERT INTO observation (kind, told, run_seconds, content) VALUES (?,?,?,?)");
      if (!insert) return insert.error();
      Binder bind(*insert, packer_);
      bind.integer(static_cast<int>(observation.kind)).number(observation.told).real(observation.run_seconds);
      bind.packed(observation.content);
      return database_.run(*insert);
    });
  }

  Result<void> set_options(const std::string& options_json) override {
    auto set = in_transaction([&]() -> Result<void> {
      auto update = database_.prepare("UPDATE header SET options = ?");
      if (!update) return update.error();
      Binder bind(*update, packer_);
      bind.packed(options_json);
      return database_.run(*update);
    });
    if (set) header_.options_json = options_json;
    return set;
  }

  Result<std::vector<StoredClaim>> claims() const override {
    auto query = database_.prepare("SELECT id, benchmark, holdout, against_parent FROM claim ORDER BY place");
    if (!query) return query.error();
    std::vector<StoredClaim> claims;
    for (;;) {
      const auto found = database_.next(*query);
      if (!found) return found.error();
      if (!*found) return claims;
      Row row(*query, packer_);
      StoredClaim& claim = claims.emplace_back();
      claim.id = CandidateId{row.natural(0)};
      claim.benchmark = row.take(benchmark_from_json(row.packed(1)));
      if (!row.is_null(2)) claim.holdout = row.take(benchmark_from_json(row.packed(2)));
      if (!row.is_null(3)) claim.against_parent = row.take(benchmark_from_json(row.packed(3)));
      if (row.mistake()) return damaged(database_, "claims: " + *row.mistake());
      if (claims.size() > kMostClaims) return damaged(database_, "there are too many claims");
    }
  }

  Result<std::vector<StoredObservation>> observations() const override {
    auto query = database_.prepare("SELECT kind, told, run_seconds, content FROM observation ORDER BY number");
    if (!query) return query.error();
    std::vector<StoredObservation> observations;
    for (;;) {
      const auto found = database_.next(*query);
      if (!found) return found.error();
      if (!*found) return observations;
      Row row(*query, packer_);
      StoredObservation& seen = observations.emplace_back();
      seen.kind = static_cast<StoredObservation::Kind>(
          row.natural(0, static_cast<std::uint64_t>(StoredObservation::Kind::noise_floor)));
      seen.told = row.natural(1);
      seen.run_seconds = row.real(2);
      seen.content = row.packed(3);
      if (row.mistake()) return damaged(database_, "observations: " + *row.mistake());
      if (observations.size() > kMostObservations) return damaged(database_, "there are too many observations");
    }
  }

  Result<void> each_evaluation(const std::function<Result<void>(StoredEvaluation)>& visit) const override {
    return reader_.each(database_, packer_, axes_, visit);
  }

  Result<StoredEvaluation> evaluation(CandidateId id) const override {
    auto found = reader_.read(database_, packer_, axes_, id);
    if (!found) return found.error();
    if (!*found) return no_such(id);
    return std::move(**found);
  }

  Result<std::vector<StoredAsk>> asks() const override {
    auto query = database_.prepare("SELECT id, asked_after, emitter, ask FROM ask ORDER BY id");
    if (!query) return query.error();
    std::vector<StoredAsk> asks;
    for (;;) {
      const auto found = database_.next(*query);
      if (!found) return found.error();
      if (!*found) return asks;
      Row row(*query, packer_);
      asks.push_back({CandidateId{row.natural(0)}, row.natural(1), row.name(2), row.packed(3)});
      if (row.mistake()) return damaged(database_, "asks: " + *row.mistake());
    }
  }

  Result<std::optional<Rng::State>> rng() const override {
    auto query = database_.prepare("SELECT rng FROM evaluation ORDER BY told DESC LIMIT 1");
    if (!query) return query.error();
    const auto found = database_.next(*query);
    if (!found) return found.error();
    if (!*found) return std::optional<Rng::State>();
    Row row(*query, packer_);
    const auto state = rng_state(row.blob(0));
    if (!state) return damaged(database_, "the state of the random numbers is none");
    return state;
  }

  Result<std::vector<Patch>> lineage(CandidateId id) const override {
    std::vector<Patch> patches;
    std::size_t bytes = 0;
    for (CandidateId at = id; at != kBaselineId;) {
      auto step = reader_.step(database_, packer_, at);
      if (!step) return step.error();
      if (!*step) return at == id ? no_such(id) : broken_lineage(id, at);
      if (!(*step)->exact) return at == id ? no_tree(id) : broken_lineage(id, at);
      bytes += text_bytes(*(*step)->exact);
      if (bytes > kMaxLineageBytes)
        return damaged(database_, fmt::format("the patches of {} are too large", to_number(id)));
      patches.push_back(std::move(*(*step)->exact));
      at = (*step)->parent;  // Always below the child's id (the reader checks it), so this ends.
    }
    std::reverse(patches.begin(), patches.end());
    return patches;
  }

 private:
  SqliteRunStore(Database database, std::optional<RunLock> lock)
      : lock_(std::move(lock)), database_(std::move(database)) {}

  Result<void> load() {
    auto header = read_header(database_, packer_);
    if (!header) return header.error();
    header_ = std::move(*header);
    auto axes = read_axes(database_, packer_);
    if (!axes) return axes.error();
    axes_ = std::move(*axes);
    auto reader = EvaluationReader::prepare(database_);
    if (!reader) return reader.error();
    reader_ = std::move(*reader);
    if (!lock_) return {};
    auto writer = EvaluationWriter::prepare(database_);
    if (!writer) return writer.error();
    writer_ = std::move(*writer);
    return prepare_statements();
  }

  Result<void> prepare_statements() {
    Preparation statement(database_);
    statement(begin_, "BEGIN IMMEDIATE");
    statement(commit_, "COMMIT");
    statement(insert_ask_, "INSERT INTO ask VALUES (?,?,?,?)");
    statement(stored_ask_, "SELECT ask FROM ask WHERE id = ?");
    if (statement.error()) return *statement.error();
    auto told = count_told();
    if (!told) return told.error();
    next_told_ = *told;
    return {};
  }

  Result<std::uint64_t> count_told() const {
    auto query = database_.prepare("SELECT coalesce(max(told) + 1, 0) FROM evaluation");
    if (!query) return query.error();
    const auto found = database_.next(*query);
    if (!found) return found.error();
    Row row(*query, packer_);
    const std::uint64_t told = row.natural(0);
    if (row.mistake()) return damaged(database_, *row.mistake());
    return told;
  }

  template <typename Write>
  Result<void> in_transaction(Write write) {
    if (!lock_) {
      return Error{Error::Code::invalid_argument,
                   fmt::format("cannot write {}: it was opened for reading", database_.shown())};
    }
    if (auto begun = database_.run(begin_); !begun) return begun;
    Result<void> done = write();
    if (done) done = database_.run(commit_);
    // Where SQLite has rolled back by itself, this says so and changes nothing.
    if (!done) static_cast<void>(database_.execute("ROLLBACK"));
    return done;
  }

  Result<void> write_asks(std::span<const StoredAsk> asks) {
    for (const StoredAsk& ask : asks) {
      Binder bind(insert_ask_, packer_);
      bind.number(to_number(ask.id)).number(ask.asked_after).text(ask.emitter).packed(ask.ask_json);
      if (auto done = database_.run(insert_ask_); !done) return done;
    }
    return {};
  }

  Result<void> write(const StoredEvaluation& evaluation, const Rng::State& rng) {
    if (evaluation.told != next_told_) {
      return Error{Error::Code::invalid_argument,
                   fmt::format("cannot store evaluation {} as the {}th told: the {}th is next",
                               to_number(evaluation.proposal.id), evaluation.told, next_told_)};
    }
    ++next_told_;
    auto stored_ask = find_ask(evaluation.proposal.id);
    if (!stored_ask) return stored_ask.error();
    return writer_.write(database_, packer_, evaluation, axes_, *stored_ask, to_bytes(rng));
  }

  Result<std::optional<std::string>> find_ask(CandidateId id) {
    const ResetAtEnd reset(stored_ask_);
    Binder(stored_ask_, packer_).number(to_number(id));
    const auto found = database_.next(stored_ask_);
    if (!found) return found.error();
    if (!*found) return std::optional<std::string>();
    Row row(stored_ask_, packer_);
    auto ask = row.packed(0);
    if (row.mistake()) return damaged(database_, *row.mistake());
    return std::optional(std::move(ask));
  }

  Error no_such(CandidateId id) const {
    const auto told = count_told();
    return {Error::Code::not_found, fmt::format("{} holds no candidate {}; it holds {} evaluations", database_.shown(),
                                                to_number(id), told ? *told : 0)};
  }

  Error no_tree(CandidateId id) const {
    return {Error::Code::invalid_argument, fmt::format("candidate {} in {} has no source tree: its patch was rejected",
                                                       to_number(id), database_.shown())};
  }

  Error broken_lineage(CandidateId id, CandidateId ancestor) const {
    return damaged(database_, fmt::format("candidate {} comes from {}, which has no source tree", to_number(id),
                                          to_number(ancestor)));
  }

  std::optional<RunLock> lock_;  ///< Set if it is open for writing. First, so that it is let go of last.
  mutable Database database_;
  mutable TextPacker packer_;
  mutable EvaluationReader reader_;
  EvaluationWriter writer_;
  Statement begin_;
  Statement commit_;
  Statement insert_ask_;
  Statement stored_ask_;
  RunHeader header_;
  std::vector<Axis> axes_;
  std::uint64_t next_told_ = 0;
};

}  // namespace

Result<void> write_header(Database& database, const RunHeader& header, const std::vector<Axis>& axes) {
  TextPacker packer;
  auto insert = database.prepare("INSERT INTO header VALUES (1,?,?,?,?,?,?,?)");
  if (!insert) return insert.error();
  Binder bind(*insert, packer);
  bind.packed(header.task_yaml).text(header.task_file).packed(header.options_json);
  bind.text(header.baseline_sha256).text(header.protected_sha256).text(header.aiopt_version).text(header.started_at);
  if (auto done = database.run(*insert); !done) return done;

  auto insert_axis = database.prepare("INSERT INTO axis VALUES (?,?,?,?,?,?)");
  if (!insert_axis) return insert_axis.error();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    Binder axis(*insert_axis, packer);
    axis.number(i).text(axes[i].measure).integer(static_cast<int>(axes[i].kind)).integer(axes[i].cells);
    axis.real(axes[i].lower).real(axes[i].upper);
    if (auto done = database.run(*insert_axis); !done) return done;
  }
  return {};
}

Result<std::unique_ptr<RunStore>> make_sqlite_run_store(Database database, std::optional<RunLock> lock) {
  return SqliteRunStore::make(std::move(database), std::move(lock));
}

}  // namespace aiopt
