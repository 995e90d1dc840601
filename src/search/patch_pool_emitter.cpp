/// The patch_pool emitter: a GA over which patches of a folder are applied together.

#include <algorithm>
#include <cstddef>
#include <deque>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "base/files.hpp"
#include "search/emitters.hpp"
#include "source/patch_parser.hpp"

namespace aiopt {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMaxPatchFileBytes = 4 << 20;
constexpr std::size_t kMaxRemembered = 1024;  // Of each group of patches.

/// How often a draw is repeated when it gives a tree that was proposed before.
constexpr int kBreedTries = 60;
constexpr std::size_t kTournament = 3;
constexpr double kUnionShare = 0.15;
constexpr double kOneMoreShare = 0.35;
constexpr std::size_t kMaxParents = 32;
constexpr std::size_t kMaxFailedSets = 200;

// How likely a patch is in a set that is drawn anew, by what it did alone. A gain of a hundredth is within the noise.
constexpr double kNoise = 0.01;
constexpr double kClearLoss = 0.15;  ///< More than noise.
constexpr double kChanceIfBetter = 0.85;
constexpr double kChanceIfSame = 0.5;
constexpr double kChanceIfWorse = 0.1;
/// A patch that failed alone nearly always fails in company; but it may need another that comes before it.
constexpr double kChanceIfFailed = 0.03;
/// The same of a larger set that failed: what holds it whole is mostly drawn again.
constexpr double kChanceOfFailedSet = 0.1;

/// members[i]: the i-th patch of the pool is in it.
using Members = std::vector<bool>;

struct MeasuredSet {
  Members members;
  double objective = 0.0;
};

/// What became of a patch that was tried alone.
struct Alone {
  bool failed = false;
  std::optional<double> objective;  ///< Empty if it failed, or is not known yet.
};

bool holds_all(const Members& set, const Members& part) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] && !set[i]) return false;
  }
  return true;
}

std::size_t count(const Members& members) {
  return static_cast<std::size_t>(std::count(members.begin(), members.end(), true));
}

std::uint64_t size_of(const Patch& patch) {
  std::uint64_t bytes = 0;
  for (const Edit& edit : patch.edits) bytes += edit.text.size();
  return bytes;
}

/// Applies sets of patches to the baseline. Patches that share no file, directly or through others, do not touch each
/// other: each such group is applied on its own, and what a subset of it gives is remembered.
class PatchSets {
 public:
  struct Tree {
    Members applied;  ///< Without those that did not apply.
    SourceTree files;
    Patch patch;  ///< From the baseline.
  };

  PatchSets(std::vector<PoolPatch> pool, SourceTree baseline, PatchRules rules)
      : pool_(std::move(pool)), baseline_(std::move(baseline)), rules_(std::move(rules)) {
    for (std::size_t i = 0; i < pool_.size(); ++i) add_to_groups(i);
  }

  std::size_t size() const { return pool_.size(); }
  const std::string& name(std::size_t index) const { return pool_[index].name; }
  const SourceTree& baseline() const { return baseline_; }
  std::uint64_t max_patch_bytes() const { return rules_.max_patch_bytes; }

  Tree apply(const Members& members) {
    Tree tree{Members(pool_.size()), baseline_, {}};
    for (Group& group : groups_) {
      const Outcome& outcome = apply_group(group, members);
      for (const std::size_t i : outcome.applied) tree.applied[i] = true;
      for (const auto& [path, file] : outcome.files) {
        if (file) {
          tree.files.insert_or_assign(path, *file);
        } else {
          tree.files.erase(path);
        }
      }
      tree.patch.edits.insert(tree.patch.edits.end(), outcome.exact.edits.begin(), outcome.exact.edits.end());
    }
    return tree;
  }

 private:
  /// What a subset of a group does to the files that the group names.
  struct Outcome {
    std::vector<std::size_t> applied;
    std::vector<std::pair<std::string, std::optional<SourceFile>>> files;
    Patch exact;
  };

  struct Group {
    std::vector<std::size_t> patches;  ///< In pool order.
    std::set<std::string> paths;
    std::unordered_map<Members, Outcome> outcomes;  ///< By which of `patches` are wanted.
  };

  void add_to_groups(std::size_t index) {
    Group joined;
    for (const Edit& edit : pool_[index].patch.edits) joined.paths.insert(edit.path);
    for (auto group = groups_.begin(); group != groups_.end();) {
      const bool shares = std::any_of(group->paths.begin(), group->paths.end(),
                                      [&joined](const std::string& path) { return joined.paths.contains(path); });
      if (!shares) {
        ++group;
        continue;
      }
      joined.patches.insert(joined.patches.end(), group->patches.begin(), group->patches.end());
      joined.paths.merge(group->paths);
      group = groups_.erase(group);
    }
    joined.patches.push_back(index);
    std::sort(joined.patches.begin(), joined.patches.end());
    groups_.push_back(std::move(joined));
  }

  const Outcome& apply_group(Group& group, const Members& members) {
    Members wanted;
    for (const std::size_t i : group.patches) wanted.push_back(members[i]);
    if (const auto known = group.outcomes.find(wanted); known != group.outcomes.end()) return known->second;
    if (group.outcomes.size() >= kMaxRemembered) group.outcomes.clear();
    std::vector<std::size_t> patches;
    for (const std::size_t i : group.patches) {
      if (members[i]) patches.push_back(i);
    }
    return group.outcomes.emplace(std::move(wanted), apply_in_order(group, patches)).first->second;
  }

  /// All at once, which costs one look at each file; if that fails one by one, dropping what does not apply.
  Outcome apply_in_order(const Group& group, const std::vector<std::size_t>& patches) const {
    SourceTree tree;
    for (const std::string& path : group.paths) {
      if (const auto file = baseline_.find(path); file != baseline_.end()) tree.insert(*file);
    }
    Outcome outcome;
    if (patches.empty()) return outcome;
    Patch together;
    for (const std::size_t i : patches) append(pool_[i].patch, together);
    if (Result<AppliedPatch> all = apply_patch(tree, together, rules_)) {
      outcome.applied = patches;
      outcome.exact = std::move(all->exact);
      tree = std::move(all->tree);
    } else {
      for (const std::size_t i : patches) {
        Result<AppliedPatch> one = apply_patch(tree, pool_[i].patch, rules_);
        if (!one) continue;
        outcome.applied.push_back(i);
        append(one->exact, outcome.exact);
        tree = std::move(one->tree);
      }
    }
    for (const std::string& path : group.paths) {
      const auto file = tree.find(path);
      outcome.files.emplace_back(path, file == tree.end() ? std::nullopt : std::optional(file->second));
    }
    return outcome;
  }

  static void append(const Patch& patch, Patch& to) {
    to.edits.insert(to.edits.end(), patch.edits.begin(), patch.edits.end());
  }

  std::vector<PoolPatch> pool_;
  SourceTree baseline_;
  PatchRules rules_;
  std::vector<Group> groups_;
};

class PatchPoolEmitter : public Emitter {
 public:
  PatchPoolEmitter(std::vector<PoolPatch> pool, SourceTree baseline, PatchRules rules)
      : sets_(std::move(pool), std::move(baseline), std::move(rules)), alone_(sets_.size()) {
    for (std::size_t i = 0; i < sets_.size(); ++i) index_of_.emplace(sets_.name(i), i);
    proposed_trees_.insert(tree_sha256(sets_.baseline()));
  }

  std::string_view name() const override { return "patch_pool"; }

  std::optional<Ask> ask(const Archive& archive, SelectionStrategy&, Rng& rng) override {
    if (sets_.size() == 0) return std::nullopt;
    note_baseline(archive);
    if (singles_.empty()) shuffle_singles(rng);
    while (next_single_ < singles_.size()) {
      Members members(sets_.size());
      members[singles_[next_single_++]] = true;
      if (auto ask = propose(members)) {
        ++singles_awaited_;
        return ask;
      }
    }
    if (singles_awaited_ == 0 && !best_guess_) {
      auto ask = propose(all_above(reference() * (1.0 + kNoise)));
      best_guess_ = ask ? ask->note : "";
      best_guess_passed_ = !ask;  // One that gained, or none: that is known already.
      if (ask) return ask;
    }
    if (best_guess_passed_ && !wide_guess_proposed_) {
      wide_guess_proposed_ = true;
      if (auto ask = propose(all_above(reference() * (1.0 - kClearLoss)))) return ask;
    }
    for (int i = 0; i < kBreedTries; ++i) {
      if (auto ask = propose(breed(rng, i))) return ask;
    }
    return std::nullopt;
  }

  void tell(const Proposal& proposal, const Evaluation& evaluation, const std::optional<Fitness>& fitness,
            const std::optional<AddResult>&) override {
    const std::optional<Members> members = members_of(proposal.ask.note);
    if (!members) return;
    const bool single = count(*members) == 1;
    if (single && singles_awaited_ > 0) --singles_awaited_;
    if (fitness) {
      remember({*members, fitness->objective});
      best_guess_passed_ = best_guess_passed_ || proposal.ask.note == best_guess_;
    } else if (!single && evaluation.status != EvaluationStatus::passed) {
      if (failed_.size() == kMaxFailedSets) failed_.pop_front();
      failed_.push_back(*members);
    }
    if (single) {
      const auto index = static_cast<std::size_t>(std::find(members->begin(), members->end(), true) - members->begin());
      alone_[index].failed = !fitness;
      if (fitness) alone_[index].objective = fitness->objective;
    }
  }

 private:
  void remember(MeasuredSet set) {
    const auto place =
        std::upper_bound(measured_.begin(), measured_.end(), set,
                         [](const MeasuredSet& a, const MeasuredSet& b) { return a.objective > b.objective; });
    measured_.insert(place, std::move(set));
    if (measured_.size() > kMaxParents) measured_.pop_back();
  }

  void note_baseline(const Archive& archive) {
    if (baseline_objective_) return;
    if (const Elite* baseline = archive.find(kBaselineId)) baseline_objective_ = baseline->fitness.objective;
  }

  void shuffle_singles(Rng& rng) {
    singles_.resize(sets_.size());
    std::iota(singles_.begin(), singles_.end(), 0);
    for (std::size_t i = singles_.size(); i > 1; --i) std::swap(singles_[i - 1], singles_[rng.index(i)]);
  }

  /// What a gain is measured against: the baseline, or if that is not known the middle one of the patches alone.
  double reference() const {
    if (baseline_objective_) return *baseline_objective_;
    std::vector<double> objectives;
    for (const Alone& alone : alone_) {
      if (alone.objective) objectives.push_back(*alone.objective);
    }
    if (objectives.empty()) return 0.0;
    const auto middle = objectives.begin() + static_cast<std::ptrdiff_t>(objectives.size() / 2);
    std::nth_element(objectives.begin(), middle, objectives.end());
    return *middle;
  }

  double chance(std::size_t index, double reference) const {
    const Alone& alone = alone_[index];
    if (alone.failed) return kChanceIfFailed;
    if (!alone.objective) return kChanceIfSame;
    if (*alone.objective > reference * (1.0 + kNoise)) return kChanceIfBetter;
    return *alone.objective < reference * (1.0 - kNoise) ? kChanceIfWorse : kChanceIfSame;
  }

  /// Every patch that alone had more than that objective.
  Members all_above(double objective) const {
    Members members(sets_.size());
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      members[i] = !alone_[i].failed && alone_[i].objective && *alone_[i].objective > objective;
    }
    return members;
  }

  const Members& tournament(Rng& rng) const {
    // Sorted by objective: the lowest index wins.
    std::size_t best = measured_.size() - 1;
    for (std::size_t i = 0; i < kTournament; ++i) best = std::min(best, rng.index(measured_.size()));
    return measured_[best].members;
  }

  Members draw_anew(Rng& rng) const {
    const double base = reference();
    Members members(sets_.size());
    for (std::size_t i = 0; i < sets_.size(); ++i) members[i] = rng.uniform() < chance(i, base);
    return members;
  }

  /// Both sets joined, or each bit from either (uniform crossover).
  Members crossed(const Members& mother, const Members& father, bool join, Rng& rng) const {
    Members child(sets_.size());
    for (std::size_t i = 0; i < child.size(); ++i) {
      child[i] = join ? mother[i] || father[i] : (rng.uniform() < 0.5 ? mother[i] : father[i]);
    }
    return child;
  }

  /// A bit that mutates is drawn by what the patch did alone, so it mostly flips to the better side.
  void mutate(Members& child, double share, Rng& rng) const {
    const double base = reference();
    for (std::size_t i = 0; i < child.size(); ++i) {
      if (rng.uniform() < share) child[i] = rng.uniform() < chance(i, base);
      if (child[i] && alone_[i].failed) child[i] = rng.uniform() < kChanceIfFailed;
    }
  }

  /// A good set grows by a likely patch: the way on where all the good ones together fail.
  Members with_one_more(Members set, Rng& rng) const {
    const double base = reference();
    double total = 0.0;
    std::vector<double> weights(sets_.size());
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      weights[i] = set[i] ? 0.0 : chance(i, base);
      total += weights[i];
    }
    double rest = rng.uniform() * total;
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      rest -= weights[i];
      if (weights[i] > 0.0 && rest < 0.0) {
        set[i] = true;
        break;
      }
    }
    return set;
  }

  /// The later the try, the more bits flip: what is near by has been proposed.
  Members breed(Rng& rng, int tried) const {
    if (measured_.size() < 2) return draw_anew(rng);
    const double how = rng.uniform();
    const Members& mother = tournament(rng);
    Members child;
    if (how < kOneMoreShare) {
      child = with_one_more(mother, rng);
    } else {
      const Members& father = tournament(rng);
      child = crossed(mother, father, how < kOneMoreShare + kUnionShare, rng);
      mutate(child, (1.0 + tried / 10) / static_cast<double>(sets_.size()), rng);
    }
    for (const Members& failed : failed_) {
      if (holds_all(child, failed) && rng.uniform() >= kChanceOfFailedSet) return Members(sets_.size());
    }
    return child;
  }

  /// Nothing if the set gives no tree that is new.
  std::optional<Ask> propose(const Members& members) {
    if (count(members) == 0 || !proposed_sets_.insert(members).second) return std::nullopt;
    PatchSets::Tree tree = sets_.apply(members);
    if (tree.patch.edits.empty() || size_of(tree.patch) > sets_.max_patch_bytes()) return std::nullopt;
    if (!proposed_trees_.insert(tree_sha256(tree.files)).second) return std::nullopt;
    nlohmann::json names = nlohmann::json::array();
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      if (tree.applied[i]) names.push_back(sets_.name(i));
    }
    const nlohmann::json note = {{"patches", std::move(names)}};
    Ask ask;
    ask.parent = kBaselineId;
    ask.change = std::move(tree.patch);
    ask.note = note.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return ask;
  }

  /// Nothing if the note is not ours, or of another pool.
  std::optional<Members> members_of(const std::string& note) const {
    const nlohmann::json json = nlohmann::json::parse(note, nullptr, false);
    if (!json.is_object() || !json.contains("patches") || !json["patches"].is_array()) return std::nullopt;
    Members members(sets_.size());
    for (const nlohmann::json& patch : json["patches"]) {
      if (!patch.is_string()) return std::nullopt;
      const auto found = index_of_.find(patch.get_ref<const std::string&>());
      if (found == index_of_.end()) return std::nullopt;
      members[found->second] = true;
    }
    return members;
  }

  PatchSets sets_;
  std::unordered_map<std::string, std::size_t> index_of_;
  std::vector<Alone> alone_;
  std::vector<std::size_t> singles_;  ///< The pool in the order in which it is tried one by one.
  std::size_t next_single_ = 0;
  std::size_t singles_awaited_ = 0;
  /// Note of the proposal of all that gained: right if patches neither help nor hinder each other.
  std::optional<std::string> best_guess_;
  bool best_guess_passed_ = false;
  bool wide_guess_proposed_ = false;  ///< All that did not lose: some only pay once the largest brake is off.
  std::optional<double> baseline_objective_;
  std::vector<MeasuredSet> measured_;  ///< The best ones, the very best first.
  std::deque<Members> failed_;         ///< The last sets of two and more that did.
  std::unordered_set<Members> proposed_sets_;
  std::unordered_set<std::string> proposed_trees_;
};

}  // namespace

Result<std::vector<PoolPatch>> load_patch_pool(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string ending = entry->path().extension().string();
    if (ending == ".patch" || ending == ".diff") files.push_back(entry->path());
  }
  if (error) {
    return Error{Error::Code::io, fmt::format("cannot read the patches in {}: {}", folder.string(), error.message())};
  }
  if (files.empty()) {
    return Error{Error::Code::not_found, fmt::format("no *.patch or *.diff in {}", folder.string())};
  }
  std::sort(files.begin(), files.end(),
            [](const fs::path& a, const fs::path& b) { return a.filename() < b.filename(); });

  std::vector<PoolPatch> pool;
  std::set<std::string> names;
  for (const fs::path& file : files) {
    const Result<std::string> text = read_file(file, kMaxPatchFileBytes);
    if (!text) return text.error();
    Result<Patch> patch = parse_patch(*text);
    if (!patch) {
      return Error{Error::Code::invalid_argument,
                   fmt::format("{}: cannot be read as a patch: {}", file.string(), patch.error().message)};
    }
    const std::string name = file.stem().string();
    if (!names.insert(name).second) {
      return Error{Error::Code::invalid_argument,
                   fmt::format("{}: another patch of the folder is named {} too; rename one", file.string(), name)};
    }
    pool.push_back({name, *std::move(patch)});
  }
  return pool;
}

std::unique_ptr<Emitter> make_patch_pool_emitter(std::vector<PoolPatch> pool, SourceTree baseline, PatchRules rules) {
  return std::make_unique<PatchPoolEmitter>(std::move(pool), std::move(baseline), std::move(rules));
}

}  // namespace aiopt
