/// Evolution: THE LOOP. Start reading at run().

#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include <aiopt/chat_client.hpp>
#include <aiopt/evaluator.hpp>
#include <aiopt/event_sink.hpp>
#include <aiopt/evolution.hpp>
#include <aiopt/fitness.hpp>
#include <aiopt/rng.hpp>
#include <aiopt/task.hpp>

#include "base/bounded_queue.hpp"
#include "base/clock.hpp"
#include "base/worker_pool.hpp"
#include "engine/host_watch.hpp"
#include "engine/repairs.hpp"
#include "engine/standings.hpp"
#include "evaluate/lanes.hpp"
#include "prompt/prompt_builder.hpp"
#include "search/scheduler.hpp"
#include "source/patch_apply.hpp"
#include "source/token_digest.hpp"
#include "store/run_store.hpp"

namespace aiopt {

/// What the loop calls out to. All outlive the Evolution.
struct EvolutionParts {
  const Task& task;
  const SourceTree& baseline;
  Scheduler& scheduler;
  Evaluator& evaluator;
  const FitnessFunction& fitness;
  ChatClient* chat;              ///< Null without a model.
  const PromptBuilder* prompts;  ///< Null without a model.
  RunStore& store;
  WorkerPool& workers;
  EventSink& events;
  HostWatch& host;
  std::function<Lanes::Occupancy()> occupancy;
};

/// One run, from its start or from where its run.db ends. Used by one thread, the coordinator: it alone touches
/// archive, islands, strategies, Rng and store.
class Evolution {
 public:
  /// @pre options.workers and options.window are at least 1
  Evolution(EvolutionParts parts, EvolutionOptions options, StopTokens stop);
  /// Ends what is being evaluated.
  ~Evolution();
  Evolution(const Evolution&) = delete;
  Evolution& operator=(const Evolution&) = delete;

  /// Runs until the budget is spent or a stop token asks for the end. Call once.
  Result<RunEnd> run();

  const RunProgress& progress() const { return progress_; }

  const Archive& archive() const { return parts_.scheduler.archive(IslandId{0}); }

 private:
  /// A proposal that was asked for and not told yet.
  struct InFlight {
    Proposal proposal;
    std::uint64_t asked_after = 0;
    Elite parent;                     ///< As it was when it was asked for, the next too: a resumed run asks the same.
    std::vector<Elite> inspirations;  ///< Those of Ask::inspirations.
    std::optional<Standings> elites;  ///< Of its archive; in full mode alone.
    std::deque<Failure> failures;     ///< For a prompt, as they were when it was asked for.
    std::shared_ptr<const Candidate> candidate;  ///< Set once the patch applied; so is `exact`.
    std::optional<Patch> exact;
    std::optional<CandidateId> waits_for;  ///< Another one in flight, with the same tree.
    bool asks_model = false;               ///< The reply has not come yet.
    std::optional<Evaluation> evaluation;  ///< Set once it can be told.
  };

  struct Replied {
    CandidateId id;
    Result<ChatReply> reply;
  };
  struct Evaluated {
    CandidateId id;
    Result<Evaluation> evaluation;
  };
  struct Tested {
    Result<ComparisonResult> test;  ///< The baseline against itself.
  };
  using Event = std::variant<Replied, Evaluated, Tested>;

  Result<void> start();
  Result<void> evaluate_baseline();
  Result<void> replay();  // In replay.cpp, with what it calls.
  Result<void> replay_asks(const std::vector<StoredAsk>& asks, std::size_t& next);
  Result<void> replay_tell(StoredEvaluation stored);

  bool is_stopping() const;
  bool may_ask() const;
  bool must_end();
  Result<bool> ask();
  Result<std::optional<Scheduler::Turn>> next_turn();
  std::optional<Scheduler::Turn> remeasure_turn() const;
  Result<InFlight*> take_in(CandidateId id, Scheduler::Turn turn);
  Result<Elite> elite(CandidateId id, IslandId island) const;

  Result<void> begin(InFlight& item);
  Result<void> question(InFlight& item, const ModelQuestion& question);
  Result<std::vector<ChatMessage>> messages_for(const InFlight& item, const ModelQuestion& question) const;
  Result<void> propose(InFlight& item, Result<Patch> patch);
  void give_way(CandidateId later, CandidateId earlier);
  Result<void> reuse(InFlight& item, CandidateId first);
  void reject(InFlight& item, EvaluationStatus status, std::string reason);
  void evaluate(const InFlight& item);
  void test_host();
  void finish(InFlight& item, Evaluation evaluation);

  Result<void> wait_for_event();
  Result<void> take(Replied event);
  Result<void> take(Evaluated event);
  Result<void> take(Tested event);
  InFlight* next_to_tell();
  Result<void> tell_finished();
  Result<StoredEvaluation> tell(CandidateId id);

  Result<std::optional<Fitness>> fitness_of(const Candidate& candidate, Evaluation& evaluation) const;
  Result<std::optional<Fitness>> fitness_of_all(InFlight& item) const;
  void count(const Proposal& proposal, const Evaluation& evaluation);
  /// What the next prompt shows of a proposal that failed.
  static std::string words_of(const Proposal& proposal);
  Result<void> recall_words(std::deque<Failure>& failures) const;
  void remember_failure(const Proposal& proposal, const Evaluation& evaluation);
  void refresh_progress();

  const EvolutionParts parts_;
  const EvolutionOptions options_;
  const StopTokens stop_;
  const PatchRules rules_;
  Rng rng_;
  std::shared_ptr<BoundedQueue<Event>> inbox_;  ///< Room for an event of each proposal in flight: a push never waits.
  std::stop_source evaluations_;

  std::uint64_t next_id_ = 1;
  std::uint64_t told_ = 0;
  std::map<CandidateId, InFlight> in_flight_;  ///< In the order asked.
  std::deque<CandidateId> finished_;           ///< Can be told, in the order in which they ended.
  int evaluating_ = 0;                         ///< Jobs that the workers have, tests of the host too.
  std::vector<StoredAsk> new_asks_;            ///< Since the last commit.
  TokenDigests token_digests_;
  /// Token digest of every tree proposed -> its first candidate: what differs in comments alone is one program.
  std::unordered_map<std::string, CandidateId> trees_;
  std::shared_ptr<const Candidate> baseline_;
  std::shared_ptr<const Evaluation> baseline_evaluation_;
  std::deque<Failure> failures_;  ///< The last ones, for the next prompt.
  Repairs repairs_{parts_.task.repair};
  int replies_missed_in_a_row_ = 0;
  bool endpoint_answered_ = false;
  bool search_differs_ = false;   ///< A resumed search asked for something else than the run had.
  double earlier_seconds_ = 0.0;  ///< Of earlier sittings.
  const std::chrono::steady_clock::time_point started_;
  RunProgress progress_;
};

}  // namespace aiopt
