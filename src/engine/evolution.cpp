/// The loop: ask, evaluate, tell, commit, until the budget is spent.

#include "engine/evolution.hpp"

#include "engine/edit_history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "archive/remeasure.hpp"
#include "base/text.hpp"
#include "core/evaluation_json.hpp"
#include "core/messages_json.hpp"
#include "core/model_price.hpp"
#include "core/reason.hpp"
#include "core/remeasurement.hpp"
#include "engine/candidate_tree.hpp"
#include "engine/measures.hpp"
#include "fitness/causal_bound.hpp"
#include "fitness/standard_error.hpp"
#include "llm/ensemble.hpp"
#include "measure/speedup_estimate.hpp"
#include "source/patch_parser.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kRememberedFailures = 5;
constexpr std::size_t kRememberedPatchBytes = 2000;
constexpr int kMissedRepliesToGiveUp = 20;
constexpr int kMissedRepliesToGiveUpAtFirst = 3;  ///< While the endpoint has not answered once.
constexpr std::chrono::milliseconds kTick{250};

Evaluation without_outputs(Evaluation evaluation) {
  for (StageReport& stage : evaluation.stages) stage.output.clear();
  return evaluation;
}

}  // namespace

Evolution::Evolution(EvolutionParts parts, EvolutionOptions options, StopTokens stop)
    : parts_(std::move(parts)),
      options_(std::move(options)),
      stop_(std::move(stop)),
      rules_{parts_.task.editable, parts_.task.max_patch_bytes},
      rng_(options_.seed),
      inbox_(std::make_shared<BoundedQueue<Event>>(static_cast<std::size_t>(options_.window) + 2)),
      started_(monotonic_now()) {
  progress_.budget = options_.iterations;
}

Evolution::~Evolution() {
  evaluations_.request_stop();
  while (evaluating_ > 0) {
    const std::optional<Event> event = inbox_->pop(kTick);
    if (event && !std::holds_alternative<Replied>(*event)) --evaluating_;
  }
}

Result<RunEnd> Evolution::run() {
  // Steady state: keep the window full of asks, wait for what comes next - a model's reply or an evaluation - and tell
  // what can be told, and commit it. Nobody waits for a generation.
  const std::stop_callback kill(stop_.kill, [this] { evaluations_.request_stop(); });
  if (auto started = start(); !started) {
    if (started.error().code == Error::Code::cancelled) return RunEnd::interrupted;
    return started.error();
  }
  while (!must_end()) {
    if (parts_.host.is_due(told_) && !is_stopping()) test_host();
    while (may_ask()) {
      Result<bool> asked = ask();
      if (!asked) return asked.error();
      if (!*asked) break;
    }
    if (next_to_tell() != nullptr) {
      if (auto told = tell_finished(); !told) return told.error();
    } else if (in_flight_.empty() && evaluating_ == 0) {
      break;
    } else if (auto waited = wait_for_event(); !waited) {
      // What ended before that is kept.
      if (next_to_tell() != nullptr) static_cast<void>(tell_finished());
      return waited.error();
    }
  }
  refresh_progress();
  parts_.events.on_run_finished(progress_);
  if (stop_.finish.stop_requested() || stop_.kill.stop_requested()) return RunEnd::interrupted;
  return told_ >= options_.iterations || is_stopping() ? RunEnd::budget_spent : RunEnd::nothing_to_propose;
}

// ---- When ----------------------------------------------------------------------------------------------------------

bool Evolution::is_stopping() const {
  if (stop_.finish.stop_requested() || stop_.kill.stop_requested()) return true;
  if (options_.budget_usd && progress_.usd >= *options_.budget_usd) return true;
  return options_.budget_time && progress_.seconds >= static_cast<double>(options_.budget_time->count());
}

bool Evolution::may_ask() const {
  return next_id_ <= options_.iterations && in_flight_.size() < static_cast<std::size_t>(options_.window) &&
         !is_stopping();
}

bool Evolution::must_end() {
  if (told_ >= options_.iterations) return true;
  refresh_progress();
  // What runs is finished and told; a question without a reply is asked again by whoever resumes.
  return is_stopping() && evaluating_ == 0 && next_to_tell() == nullptr;
}

// ---- Start ---------------------------------------------------------------------------------------------------------

Result<void> Evolution::start() {
  Candidate baseline;
  baseline.tree = parts_.baseline;
  baseline.tree_sha256 = tree_sha256(baseline.tree);
  baseline_ = std::make_shared<const Candidate>(std::move(baseline));
  trees_.emplace(token_digests_.of(baseline_->tree), kBaselineId);

  if (auto replayed = replay(); !replayed) return replayed.error();
  if (!baseline_evaluation_) {
    if (auto evaluated = evaluate_baseline(); !evaluated) return evaluated.error();
  }
  refresh_progress();
  parts_.events.on_run_started(progress_, told_ > 0);
  for (auto& [id, item] : in_flight_) {
    if (auto begun = begin(item); !begun) return begun.error();
  }
  return {};
}

Result<void> Evolution::evaluate_baseline() {
  parts_.events.on_notice("building, testing and measuring the unmodified source");
  InFlight& item = in_flight_[kBaselineId];
  item.candidate = baseline_;
  evaluate(item);
  while (!item.evaluation) {
    if (auto waited = wait_for_event(); !waited) return waited.error();
    if (in_flight_.empty()) return Error{Error::Code::cancelled, "interrupted before the baseline was measured"};
  }
  if (item.evaluation->status != EvaluationStatus::passed) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("the unmodified source does not pass: {}: {}; `aiopt evaluate` shows the whole output",
                             to_string(item.evaluation->status), telling_line(item.evaluation->reason))};
  }
  baseline_evaluation_ = std::make_shared<const Evaluation>(*item.evaluation);
  return tell_finished();
}

// ---- Ask -----------------------------------------------------------------------------------------------------------

Result<bool> Evolution::ask() {
  Result<std::optional<Scheduler::Turn>> turn = next_turn();
  if (!turn) return turn.error();
  if (!*turn) return false;
  const CandidateId id{next_id_++};
  new_asks_.push_back({id, told_, (*turn)->emitter, ask_to_json((*turn)->ask)});
  Result<InFlight*> item = take_in(id, std::move(**turn));
  if (!item) return item.error();
  if (auto begun = begin(**item); !begun) return begun.error();
  return true;
}

Result<std::optional<Scheduler::Turn>> Evolution::next_turn() {
  if (auto again = remeasure_turn()) return again;
  if (auto repair = repairs_.next()) return repair;
  const Rng before = rng_;
  Result<std::optional<Scheduler::Turn>> turn = parts_.scheduler.ask(rng_);
  if (!turn) return turn;
  if (!*turn) rng_ = before;  // How often nobody has anything to propose must leave no trace in a run.
  if (*turn) {
    auto* question = std::get_if<ModelQuestion>(&(*turn)->ask.change);
    if (question != nullptr && question->model.empty())
      question->model = choose_model(parts_.task.llm.models, rng_).name;
  }
  return turn;
}

/// Every so often the elite whose figures rest on too few pairs.
std::optional<Scheduler::Turn> Evolution::remeasure_turn() const {
  const RemeasureRule rule;
  if (!is_remeasure_turn(rule, next_id_ - 1)) return std::nullopt;
  std::vector<CandidateId> under_way;
  for (const auto& [id, item] : in_flight_) {
    if (item.proposal.emitter == kRemeasureEmitter) under_way.push_back(item.proposal.ask.parent);
  }
  const std::optional<CandidateId> elite = next_to_remeasure(parts_.scheduler.archive(IslandId{0}), rule, under_way);
  if (!elite) return std::nullopt;
  Ask ask;
  ask.parent = *elite;
  return Scheduler::Turn{IslandId{0}, std::string(kRemeasureEmitter), std::move(ask)};
}

Result<Evolution::InFlight*> Evolution::take_in(CandidateId id, Scheduler::Turn turn) {
  Result<Elite> parent = elite(turn.ask.parent, turn.island);
  if (!parent) return parent.error();
  InFlight& item = in_flight_[id];
  item.proposal.id = id;
  item.proposal.island = turn.island;
  item.proposal.emitter = std::move(turn.emitter);
  item.proposal.ask = std::move(turn.ask);
  item.asked_after = told_;
  item.parent = std::move(*parent);
  for (const CandidateId inspiration : item.proposal.ask.inspirations) {
    const Elite* found = parts_.scheduler.archive(turn.island).find(inspiration);
    if (found != nullptr) item.inspirations.push_back(*found);
  }
  if (options_.mode == Mode::full) {
    item.elites.emplace(parts_.task.axes, parts_.scheduler.archive(item.proposal.island).elites());
  }
  if (std::holds_alternative<ModelQuestion>(item.proposal.ask.change)) item.failures = failures_;
  return &item;
}

/// An elite of now, or what once was one: rebuilt from run.db then.
Result<Elite> Evolution::elite(CandidateId id, IslandId island) const {
  if (const Elite* found = parts_.scheduler.archive(island).find(id)) return *found;
  if (id == kBaselineId) return Elite{baseline_, baseline_evaluation_, Fitness{}};
  Result<StoredEvaluation> stored = parts_.store.evaluation(id);
  if (!stored) return stored.error();
  Result<SourceTree> tree = candidate_tree(parts_.store, baseline_->tree, id, rules_);
  if (!tree) return tree.error();
  Candidate candidate{id,
                      stored->proposal.ask.parent,
                      stored->generation,
                      std::move(*tree),
                      stored->tree_sha256,
                      stored->changed_function};
  return Elite{std::make_shared<const Candidate>(std::move(candidate)),
               std::make_shared<const Evaluation>(std::move(stored->evaluation)), stored->fitness.value_or(Fitness{})};
}

Result<void> Evolution::begin(InFlight& item) {
  if (item.proposal.emitter == kRemeasureEmitter) {
    auto again = std::make_shared<Candidate>(*item.parent.candidate);
    again->id = item.proposal.id;  // So that its runs have seeds of their own.
    item.candidate = std::move(again);
    evaluate(item);
    return {};
  }
  if (const auto* asked = std::get_if<ModelQuestion>(&item.proposal.ask.change)) return question(item, *asked);
  return propose(item, std::get<Patch>(item.proposal.ask.change));
}

Result<void> Evolution::question(InFlight& item, const ModelQuestion& question) {
  const Proposal& proposal = item.proposal;
  if (parts_.chat == nullptr) {
    return Error{Error::Code::unavailable,
                 fmt::format("the emitter '{}' asks a model, and the run has none; give --api-base and --model",
                             proposal.emitter)};
  }
  ChatRequest request;
  Result<std::vector<ChatMessage>> messages = messages_for(item, question);
  if (!messages) return messages.error();
  const auto model = std::find_if(parts_.task.llm.models.begin(), parts_.task.llm.models.end(),
                                  [&](const ModelTask& task) { return task.name == question.model; });
  request.number = to_number(proposal.id);
  request.model = question.model;
  request.messages = std::move(*messages);
  request.temperature = parts_.task.llm.temperature;
  request.top_p = parts_.task.llm.top_p;
  request.max_tokens = parts_.task.llm.max_tokens;
  if (model != parts_.task.llm.models.end()) {
    request.temperature = model->temperature.value_or(request.temperature);
    request.max_tokens = model->max_tokens.value_or(request.max_tokens);
  }
  item.proposal.model = question.model;
  item.proposal.prompt = messages_to_json(request.messages);
  item.asks_model = true;
  parts_.chat->send(std::move(request), [inbox = inbox_, id = proposal.id](Result<ChatReply> reply) {
    inbox->push(Replied{id, std::move(reply)});
  });
  return {};
}

Result<std::vector<ChatMessage>> Evolution::messages_for(const InFlight& item, const ModelQuestion& question) const {
  if (question.repairs) return repair_messages(parts_.store, *parts_.prompts, parts_.task, *question.repairs);
  PromptContext context{parts_.task, item.parent, *baseline_evaluation_, {}, item.failures, &baseline_->tree};
  for (const Elite& inspiration : item.inspirations) context.inspirations.push_back(&inspiration);
  Result<EditHistory> history = edit_history(parts_.store, item.parent);
  if (!history) return history.error();
  if (history->parents_parent) context.parents_parent = &*history->parents_parent;
  context.edits = std::move(history->edits);
  return parts_.prompts->build(question.prompt, context);
}

Result<void> Evolution::propose(InFlight& item, Result<Patch> patch) {
  Proposal& proposal = item.proposal;
  Result<AppliedPatch> applied = Error{Error::Code::invalid_argument, ""};
  if (patch) {
    proposal.patch = std::move(*patch);
    applied = apply_patch(item.parent.candidate->tree, *proposal.patch, rules_);
  } else {
    applied = patch.error();
  }
  if (!applied) {
    reject(item, EvaluationStatus::patch_rejected, applied.error().message);
    return {};
  }
  Candidate candidate;
  candidate.id = proposal.id;
  candidate.parent = proposal.ask.parent;
  candidate.generation = item.parent.candidate->generation + 1;
  candidate.tree = std::move(applied->tree);
  candidate.tree_sha256 = tree_sha256(candidate.tree);
  candidate.changed_function = std::move(applied->changed_function);
  item.exact = std::move(applied->exact);
  item.candidate = std::make_shared<const Candidate>(std::move(candidate));
  parts_.events.on_proposed(proposal, progress_);

  const auto [known, is_new] = trees_.emplace(token_digests_.of(item.candidate->tree), proposal.id);
  const bool comes_late = !is_new && options_.reproducible && known->second > proposal.id;
  if (comes_late) give_way(std::exchange(known->second, proposal.id), proposal.id);
  if (!comes_late && !is_new && known->second != proposal.id) return reuse(item, known->second);
  evaluate(item);
  return {};
}

/// A later proposal made the same tree, but its reply came first: it is the one that waits, as it would in a replay.
void Evolution::give_way(CandidateId later, CandidateId earlier) {
  for (auto& [id, item] : in_flight_) {
    if (id != later && item.waits_for != later) continue;
    item.waits_for = earlier;
    item.evaluation.reset();
    std::erase(finished_, id);
  }
}

/// The same tree is not evaluated twice: what the first one showed is taken, or waited for.
Result<void> Evolution::reuse(InFlight& item, CandidateId first) {
  const auto other = in_flight_.find(first);
  if (other != in_flight_.end() && !other->second.evaluation) {
    item.waits_for = first;
    return {};
  }
  Evaluation evaluation;
  if (other != in_flight_.end()) {
    evaluation = *other->second.evaluation;
  } else if (first == kBaselineId) {
    evaluation = *baseline_evaluation_;
  } else {
    Result<StoredEvaluation> stored = parts_.store.evaluation(first);
    if (!stored) return stored.error();
    evaluation = std::move(stored->evaluation);
  }
  evaluation.reused_from = first;
  finish(item, std::move(evaluation));
  return {};
}

void Evolution::reject(InFlight& item, EvaluationStatus status, std::string reason) {
  item.proposal.reason = reason;
  Evaluation evaluation;
  evaluation.status = status;
  evaluation.reason = std::move(reason);
  evaluation.stages.push_back({});
  evaluation.stages.back().status = StageStatus::failed;
  finish(item, std::move(evaluation));
}

void Evolution::evaluate(const InFlight& item) {
  EvaluateOptions how;
  how.anew = item.proposal.emitter == kRemeasureEmitter;
  how.noise_floor = parts_.host.noise_floor();
  // The decision at hand: is it better than what it was made from?
  const Elite* parent = parts_.scheduler.archive(item.proposal.island).find(item.proposal.ask.parent);
  if (parent != nullptr && parent->evaluation->benchmark) how.bar = parent->evaluation->benchmark->speedup();
  if (item.elites) {
    how.standing = [elites = *item.elites, candidate = item.candidate](const Evaluation& of) {
      return elites.of(*candidate, of);
    };
  }
  ++evaluating_;
  parts_.workers.submit([&evaluator = parts_.evaluator, inbox = inbox_, stop = evaluations_.get_token(), how,
                         id = item.proposal.id, candidate = item.candidate] {
    inbox->push(Evaluated{id, evaluator.evaluate(*candidate, how, stop)});
  });
}

/// In turn with the candidates: nobody waits for it.
void Evolution::test_host() {
  parts_.host.begin_test(told_);
  ComparisonOptions how;
  how.pairs = HostWatch::kPairs;
  how.builds_afresh = false;
  how.seed = options_.seed + told_;
  ++evaluating_;
  parts_.workers.submit(
      [&evaluator = parts_.evaluator, inbox = inbox_, stop = evaluations_.get_token(), how, baseline = baseline_] {
        inbox->push(Tested{evaluator.compare(*baseline, *baseline, how, stop)});
      });
}

void Evolution::finish(InFlight& item, Evaluation evaluation) {
  evaluation.id = item.proposal.id;
  item.evaluation = std::move(evaluation);
  finished_.push_back(item.proposal.id);
}

// ---- Wait ----------------------------------------------------------------------------------------------------------

Result<void> Evolution::wait_for_event() {
  std::optional<Event> event = inbox_->pop(kTick);
  if (!event) {
    refresh_progress();
    parts_.events.on_tick(progress_);
    return {};
  }
  // With it whatever else has come by now: what ends together is told in one commit.
  for (; event; event = inbox_->pop(std::chrono::milliseconds(0))) {
    auto taken = std::visit([this](auto&& what) { return take(std::move(what)); }, std::move(*event));
    if (!taken) return taken;
  }
  return {};
}

Result<void> Evolution::take(Replied event) {
  InFlight& item = in_flight_.at(event.id);
  item.asks_model = false;
  if (event.reply) {
    endpoint_answered_ = true;
    replies_missed_in_a_row_ = 0;
    item.proposal.reply = std::move(event.reply->text);
    item.proposal.usage = event.reply->usage;
    item.proposal.latency = event.reply->latency;
    const SourceTree& tree = item.parent.candidate->tree;
    const std::string only_file = tree.size() == 1 ? tree.begin()->first : "";
    Result<Patch> patch = parse_patch(item.proposal.reply, only_file);
    if (!patch && event.reply->finish_reason == "length") {
      patch = Error{patch.error().code,
                    patch.error().message + " (the reply was cut off at max_tokens; make the patch smaller)"};
    }
    return propose(item, std::move(patch));
  }
  const Error& error = event.reply.error();
  if (error.code == Error::Code::cancelled) return {};
  const bool is_useless = error.code == Error::Code::invalid_argument || error.code == Error::Code::not_found;
  const int patience = endpoint_answered_ ? kMissedRepliesToGiveUp : kMissedRepliesToGiveUpAtFirst;
  if (++replies_missed_in_a_row_ >= patience || (is_useless && !endpoint_answered_)) {
    return Error{Error::Code::unavailable,
                 fmt::format("{}; the run is saved, `aiopt resume` goes on with it", error.message)};
  }
  reject(item, EvaluationStatus::no_reply, error.message);
  return {};
}

Result<void> Evolution::take(Evaluated event) {
  --evaluating_;
  if (!event.evaluation) {
    if (event.evaluation.error().code != Error::Code::cancelled) return event.evaluation.error();
    in_flight_.erase(event.id);
    return {};
  }
  const auto ended = in_flight_.find(event.id);
  if (ended == in_flight_.end() || ended->second.waits_for) return {};  // It gave way.
  finish(ended->second, std::move(*event.evaluation));
  for (auto& [id, item] : in_flight_) {
    if (item.waits_for != event.id || item.evaluation) continue;
    if (auto reused = reuse(item, event.id); !reused) return reused.error();
  }
  return {};
}

Result<void> Evolution::take(Tested event) {
  --evaluating_;
  if (!event.test) {
    if (event.test.error().code == Error::Code::cancelled) return {};
    return event.test.error();
  }
  const NoiseFloor floor = parts_.host.end_test(event.test->benchmark);
  if (floor.sentence.empty()) return {};  // Of fewer than two pairs there is nothing to say.
  parts_.events.on_notice(floor.sentence);
  return parts_.store.add_observation({StoredObservation::Kind::noise_floor, told_, progress_.seconds, floor.json});
}

// ---- Tell ----------------------------------------------------------------------------------------------------------

Evolution::InFlight* Evolution::next_to_tell() {
  if (finished_.empty()) return nullptr;
  if (!options_.reproducible) return &in_flight_.at(finished_.front());
  InFlight& oldest = in_flight_.begin()->second;
  return oldest.evaluation ? &oldest : nullptr;
}

/// All that can be told, in one commit: what is reported is on disk. With --reproducible it is one, for how many end at
/// the same time is chance, and the next ask would depend on it.
Result<void> Evolution::tell_finished() {
  std::vector<StoredEvaluation> told;
  std::vector<RunProgress> progress;
  std::optional<Error> failure;
  do {
    Result<StoredEvaluation> next = tell(next_to_tell()->proposal.id);
    if (!next) {
      failure = next.error();
      break;
    }
    told.push_back(std::move(*next));
    progress.push_back(progress_);
  } while (!options_.reproducible && next_to_tell() != nullptr);
  if (auto committed = parts_.store.commit(told, new_asks_, rng_.state()); !committed) return committed.error();
  new_asks_.clear();
  for (std::size_t i = 0; i < told.size(); ++i) {
    parts_.events.on_told(told[i].proposal, told[i].evaluation, told[i].fitness, told[i].added, progress[i]);
  }
  if (failure) return *failure;
  return {};
}

Result<StoredEvaluation> Evolution::tell(CandidateId id) {
  InFlight item = std::move(in_flight_.extract(id).mapped());
  std::erase(finished_, id);
  StoredEvaluation stored;
  if (item.candidate) {
    const bool is_again = item.proposal.emitter == kRemeasureEmitter;
    if (id != kBaselineId && !is_again) {
      check_causal_bound(parts_.task.gates, baseline_evaluation_->profile, *item.evaluation);
    }
    Result<std::optional<Fitness>> fitness =
        is_again ? fitness_of_all(item) : fitness_of(*item.candidate, *item.evaluation);
    if (!fitness) return fitness.error();
    stored.fitness = std::move(*fitness);
    stored.tree_sha256 = item.candidate->tree_sha256;
    stored.generation = item.candidate->generation;
    stored.changed_function = item.candidate->changed_function;
  }
  // The archive keeps the figures; what the stages printed is in run.db.
  stored.evaluation = std::move(*item.evaluation);
  const auto evaluation = std::make_shared<const Evaluation>(without_outputs(stored.evaluation));
  Result<std::optional<AddResult>> added =
      parts_.scheduler.tell(item.proposal, item.candidate, evaluation, stored.fitness);
  if (!added) return added.error();
  if (id != kBaselineId) ++told_;
  if (evaluation->benchmark && !evaluation->reused_from) {
    if (const auto change = parts_.host.note(*evaluation->benchmark)) parts_.events.on_notice(*change);
  }
  count(item.proposal, *evaluation);
  remember_failure(item.proposal, *evaluation);
  repairs_.note(item.proposal, *evaluation);
  refresh_progress();

  stored.proposal = std::move(item.proposal);
  stored.asked_after = item.asked_after;
  stored.told = told_;
  stored.exact = std::move(item.exact);
  stored.added = *added;
  stored.run_seconds = progress_.seconds;
  return stored;
}

/// Nothing for a candidate that did not pass. One whose benchmark lacks a metric that an axis needs, or printed what no
/// objective can be made of, did not.
Result<std::optional<Fitness>> Evolution::fitness_of(const Candidate& candidate, Evaluation& evaluation) const {
  if (evaluation.status != EvaluationStatus::passed) return std::optional<Fitness>{};
  Result<std::vector<Measure>> measures = measures_of(parts_.task.axes, candidate, evaluation);
  const double objective = parts_.fitness.objective(evaluation, *baseline_evaluation_);
  if (measures && !std::isfinite(objective)) {
    measures = Error{Error::Code::invalid_argument,
                     "benchmark: its figures make an objective that is not a finite number; are they right?"};
  }
  if (measures) {
    return std::optional(Fitness{objective, std::move(*measures),
                                 objective_standard_error(parts_.fitness, evaluation, *baseline_evaluation_)});
  }
  if (candidate.id == kBaselineId) return measures.error();
  evaluation.status = EvaluationStatus::benchmark_failed;
  evaluation.reason = measures.error().message;
  return std::optional<Fitness>{};
}

/// Of an elite that was measured again: of its earlier pairs and the new ones together. Its evaluation gets their
/// estimate, by which it is judged too. One that did not pass this time has an objective of 0, and leaves its cell to
/// the next.
Result<std::optional<Fitness>> Evolution::fitness_of_all(InFlight& item) const {
  const Elite* elite = parts_.scheduler.archive(item.proposal.island).find(item.proposal.ask.parent);
  // It was driven out meanwhile; or run.db is not as aiopt wrote it.
  if (elite == nullptr || !elite->evaluation->benchmark) return std::optional<Fitness>{};
  Evaluation& again = *item.evaluation;
  const auto unfit = std::optional(Fitness{0.0, elite->fitness.measures, 0.0});
  if (again.status != EvaluationStatus::passed || !again.benchmark) return unfit;
  Evaluation all = *elite->evaluation;
  all.status = again.status;  // The time before it may not have passed.
  all.reason.clear();
  append_pairs(*all.benchmark, *again.benchmark);
  all.benchmark->estimate = estimate_of_pairs(*all.benchmark);
  again.benchmark->estimate = all.benchmark->estimate;
  check_causal_bound(parts_.task.gates, baseline_evaluation_->profile, again);
  if (again.status != EvaluationStatus::passed) return unfit;
  return fitness_of(*item.candidate, all);
}

void Evolution::count(const Proposal& proposal, const Evaluation& evaluation) {
  progress_.tokens.prompt_tokens += proposal.usage.prompt_tokens;
  progress_.tokens.completion_tokens += proposal.usage.completion_tokens;
  progress_.usd += usd(parts_.task.llm.models, proposal.model, proposal.usage);
  if (proposal.id == kBaselineId) return;
  ++progress_.outcomes[evaluation.status];
  if (evaluation.reused_from) ++progress_.reused;
}

std::string Evolution::words_of(const Proposal& proposal) {
  return shorten_middle(proposal.reply.empty() ? proposal.ask.note : proposal.reply, kRememberedPatchBytes);
}

void Evolution::remember_failure(const Proposal& proposal, const Evaluation& evaluation) {
  if (evaluation.status == EvaluationStatus::passed || evaluation.status == EvaluationStatus::no_reply) return;
  failures_.push_back({proposal.id, evaluation.status, evaluation.reason, words_of(proposal)});
  if (failures_.size() > kRememberedFailures) failures_.pop_front();
}

void Evolution::refresh_progress() {
  progress_.evaluations = told_;
  progress_.evaluating = static_cast<std::uint64_t>(evaluating_);
  progress_.waiting_for_model = static_cast<std::uint64_t>(
      std::count_if(in_flight_.begin(), in_flight_.end(), [](const auto& entry) { return entry.second.asks_model; }));
  progress_.seconds = earlier_seconds_ + std::chrono::duration<double>(monotonic_now() - started_).count();
  const Lanes::Occupancy occupancy = parts_.occupancy();
  progress_.lane_busy_share = occupancy.lanes;
  progress_.builds_at_once = occupancy.builds;
  const Archive& archive = parts_.scheduler.archive(IslandId{0});
  progress_.archive = archive.stats();
  if (const Elite* elite = archive.best()) {
    progress_.best = elite->candidate->id;
    progress_.best_speedup = elite->evaluation->benchmark ? elite->evaluation->benchmark->speedup() : 1.0;
  }
}

}  // namespace aiopt
