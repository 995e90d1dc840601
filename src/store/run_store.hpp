/// RunStore: run.db, the only thing a run leaves behind that it needs again.

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/evaluation.hpp>
#include <aiopt/proposal.hpp>
#include <aiopt/result.hpp>
#include <aiopt/rng.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// What a run was started with. Written once; the options alone may change, by set_options().
struct RunHeader {
  std::string task_yaml;         ///< The task file's text.
  std::string task_file;         ///< Where it was read from.
  std::string options_json;      ///< The command line's part: seed, window, emitters, models, ... (no key).
  std::string baseline_sha256;   ///< Of the baseline's tree.
  std::string protected_sha256;  ///< Of all that is not editable, see source/protected_files.hpp.
  std::string aiopt_version;
  std::string started_at;  ///< UTC.
};

/// A proposal that was asked for and not told yet: what a resumed run asks for again.
struct StoredAsk {
  CandidateId id = kBaselineId;
  std::uint64_t asked_after = 0;  ///< How many evaluations had been told before.
  std::string emitter;
  std::string ask_json;
};

/// All that is known of one evaluation.
struct StoredEvaluation {
  Proposal proposal;  ///< Of the baseline: id 0, no patch.
  std::uint64_t asked_after = 0;
  std::uint64_t told = 0;      ///< 0 for the baseline, then 1, 2, 3, ... without a gap.
  std::optional<Patch> exact;  ///< AppliedPatch::exact; empty if the patch was rejected.
  std::string tree_sha256;     ///< Of the candidate; empty if there is none.
  std::uint32_t generation = 0;
  std::string changed_function;
  Evaluation evaluation;
  std::optional<Fitness> fitness;  ///< Set if passed.
  std::optional<AddResult> added;
  double run_seconds = 0.0;  ///< Of the run, all sittings, when it was told.
};

/// The final measurement of a candidate of the short list, outside the search.
struct StoredClaim {
  CandidateId id = kBaselineId;
  BenchmarkResult benchmark;                              ///< In pairs with the baseline.
  std::optional<BenchmarkResult> holdout = std::nullopt;  ///< The same on the held-out workload, if the task has one.
  std::optional<BenchmarkResult> against_parent =
      std::nullopt;  ///< `baseline` is its parent there; empty if that is the baseline.
};

/// What was seen of the host during a run.
struct StoredObservation {
  enum class Kind { fingerprint, noise_floor };  ///< Values are written to run.db: new ones go to the end.

  Kind kind = Kind::fingerprint;
  std::uint64_t told = 0;  ///< How many evaluations had been told before.
  double run_seconds = 0.0;
  std::string content;  ///< JSON, of whoever made it.
};

/// SQLite in WAL mode, synchronous=FULL: what commit() returned from is on disk. One writer process a run: a lock on
/// run.db.lock, held while the store is open for writing. Texts and prompts are zstd blobs.
class RunStore {
 public:
  /// Makes `folder` (with the umask's permissions; no key is ever in it) and run.db in it. Error if there is one
  /// already:
  /// "... holds a run already; `aiopt resume` goes on with it". A run without any evaluation yet is replaced.
  static Result<std::unique_ptr<RunStore>> create(const std::filesystem::path& folder, const RunHeader& header,
                                                  const std::vector<Axis>& axes);

  enum class Access { read_only, read_write };

  /// Opens what is there. Refuses, and changes nothing: a folder without run.db, a file that is no run.db, a newer
  /// format, a damaged file, a run that another process is writing to (read_write only; names its pid). read_only
  /// works beside a writer, which never waits for it, and in a folder that can't be written to.
  static Result<std::unique_ptr<RunStore>> open(const std::filesystem::path& folder, Access access);

  virtual ~RunStore() = default;

  virtual const RunHeader& header() const = 0;
  virtual const std::vector<Axis>& axes() const = 0;  ///< As given to create().

  /// Adds evaluations in the order told, the asks made since the last commit, in order (theirs may be among them), and
  /// the Rng after all of these. One transaction: durable when it returns; on an Error (disk full) nothing of it is in
  /// the file.
  virtual Result<void> commit(std::span<const StoredEvaluation> told, std::span<const StoredAsk> new_asks,
                              const Rng::State& rng) = 0;

  /// Replaces RunHeader::options_json: a resumed run may be given a larger budget.
  virtual Result<void> set_options(const std::string& options_json) = 0;

  /// Replaces what was claimed before. The best comes first.
  virtual Result<void> commit_claims(std::span<const StoredClaim> claims) = 0;
  virtual Result<std::vector<StoredClaim>> claims() const = 0;

  virtual Result<void> add_observation(const StoredObservation& observation) = 0;
  virtual Result<std::vector<StoredObservation>> observations() const = 0;  ///< In the order added.

  /// Calls `visit` for each evaluation in the order told, without its heavy parts (stage outputs, prompt, reply): for
  /// resuming and lists.
  virtual Result<void> each_evaluation(const std::function<Result<void>(StoredEvaluation)>& visit) const = 0;

  /// One evaluation with everything; not_found names how many there are.
  virtual Result<StoredEvaluation> evaluation(CandidateId id) const = 0;

  virtual Result<std::vector<StoredAsk>> asks() const = 0;  ///< All, told or not, in the order asked.
  virtual Result<std::optional<Rng::State>> rng() const = 0;

  /// The patches that make the candidate from the baseline, first to last.
  virtual Result<std::vector<Patch>> lineage(CandidateId id) const = 0;
};

}  // namespace aiopt
