/// Writes the parts of a card, and keeps as many of them as there is room for.

#include "prompt/bottleneck_card.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "prompt/bottleneck_class.hpp"
#include "prompt/call_paths.hpp"
#include "prompt/card_words.hpp"
#include "prompt/markdown_text.hpp"
#include "prompt/source_excerpt.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kMaxTargets = 5;
constexpr std::size_t kMaxContended = 2;
constexpr std::size_t kMaxNoEffect = 6;
constexpr std::size_t kMaxBlockers = 5;
/// In the call paths: the lighter ones say where else the same callers wait.
constexpr std::size_t kMaxPathBlockers = 10;
constexpr std::size_t kMaxPathLines = 25;
constexpr std::size_t kMaxEdits = 5;
constexpr std::size_t kMaxChangedBlockers = 4;

/// Of the threads' time: a blocker with less is not worth a line.
constexpr double kLeastBlocker = 0.02;

constexpr std::size_t kFunctionBytes = 120;
constexpr std::size_t kPathBytes = 100;
constexpr std::size_t kKernelFunctionBytes = 60;
constexpr std::size_t kPointBytes = 60;
constexpr std::size_t kSourceNameBytes = 40;
constexpr std::size_t kNoteBytes = 160;

constexpr std::size_t kMaxExcerpts = 6;
constexpr std::size_t kFunctionLines = 40;
constexpr std::size_t kLinesAround = 12;
constexpr std::size_t kLinesAroundShown = 2;

/// Between two profiles of the same program shares differ by up to a point; what is told is beyond that.
constexpr double kTellingChange = 0.03;

/// A part of the card: a heading, and lines or blocks that are of use without the ones behind them.
struct CardPart {
  std::string heading;  ///< May be more than a line; not shown alone. Empty: the blocks stand on their own.
  std::vector<std::string> blocks;
};

// Words ------------------------------------------------------------------------------------------------------------

/// "src/wal.cc:47" of a file of the tree; of others the last two components, for the rest is of some machine.
std::string file_and_line(const CodePlace& place, const SourceTree& tree) {
  if (place.file.empty()) return "";
  std::string path;
  if (const SourceTree::value_type* file = find_source(tree, place.file)) {
    path = file->first;
  } else {
    const std::size_t slash = place.file.rfind('/');
    const std::size_t before = slash == std::string::npos || slash == 0 ? slash : place.file.rfind('/', slash - 1);
    path = before == std::string::npos ? place.file : "..." + place.file.substr(before);
  }
  path = code_text(path, kPathBytes);
  return place.line > 0 ? fmt::format("{}:{}", path, place.line) : path;
}

/// "`walkv::Wal::append` (`src/wal.cc:47`)", or the half of it that is known.
std::string place_in_words(const CodePlace& place, const SourceTree& tree) {
  const std::string at = file_and_line(place, tree);
  if (place.function.empty()) return at.empty() ? "an unknown place" : "`" + at + "`";
  return code_span(place.function, kFunctionBytes) + (at.empty() ? "" : " (`" + at + "`)");
}

std::string_view waiting_for(BottleneckClass kind) {
  switch (kind) {
    case BottleneckClass::lock:
      return "waiting for locks (mutexes, condition variables, joins)";
    case BottleneckClass::io:
      return "waiting for I/O";
    case BottleneckClass::memory:
      return "waiting for memory (page faults, swap, reclaim)";
    case BottleneckClass::scheduling:
      return "ready to run, without a CPU";
    case BottleneckClass::cpu:
      return "computing (cache misses included)";
    default:
      return "sleeping or waiting for what is no lock, device or CPU";
  }
}

std::string_view scope_in_words(std::string_view scope) {
  constexpr std::pair<std::string_view, std::string_view> kScopes[] = {
      {"io", "all waits for I/O"},  {"lock", "all waits for locks"}, {"scheduling", "all waits for a CPU"},
      {"other", "all other waits"}, {"off-cpu", "all waits"},        {"on-cpu", "all computing"},
  };
  for (const auto& [name, words] : kScopes) {
    if (name == scope) return words;
  }
  return "";
}

std::string target_in_words(const CausalTarget& target, const SourceTree& tree) {
  const std::string_view scope = scope_in_words(target.scope);
  const bool has_place = !target.place.function.empty() || !target.place.file.empty();
  if (scope.empty() && !has_place && target.scope != "line") return code_span(target.scope, kPointBytes);
  if (scope.empty()) return place_in_words(target.place, tree);
  return std::string(scope) + (has_place ? " in " + place_in_words(target.place, tree) : "") +
         (target.given.empty() ? "" : ", with " + code_span(target.given, kPointBytes) + " sped up too");
}

// The bottleneck ---------------------------------------------------------------------------------------------------

/// Shares that are worth a line; one that is no number is not.
bool is_worth_telling(const Blocker& blocker) {
  return std::isfinite(blocker.share) && blocker.share >= kLeastBlocker;
}

std::vector<Blocker> top_blockers(const Profile& profile, std::size_t most) {
  std::vector<Blocker> blockers;
  if (!profile.off_cpu) return blockers;
  for (const Blocker& blocker : profile.off_cpu->top_blockers) {
    if (is_worth_telling(blocker) && blockers.size() < most) blockers.push_back(blocker);
  }
  return blockers;
}

/// ", mostly in X": the blocker of that class with the largest share.
std::string largest_blocker(const OffCpuProfile& profile, const TimeShare& of, const SourceTree& tree) {
  const Blocker* largest = nullptr;
  for (const Blocker& blocker : profile.top_blockers) {
    if (!is_worth_telling(blocker) || class_of(blocker) != of.kind) continue;
    if (largest == nullptr || blocker.share > largest->share) largest = &blocker;
  }
  if (largest == nullptr) return "";
  const std::string place = place_in_words(largest->place, tree);
  if (largest->share >= of.share / 2.0) return ", mostly in " + place;
  return fmt::format(", the largest part ({}) in {}", share_in_words(largest->share), place);
}

/// What the threads do in that share of their time.
std::string_view share_name(BottleneckClass kind) {
  return kind == BottleneckClass::cpu ? "computing" : name_of(kind);
}

std::string shares_in_words(std::span<const TimeShare> shares) {
  std::string words;
  for (const TimeShare& share : shares) {
    if (share.share <= 0.0) continue;
    words += fmt::format("{}{} {}", words.empty() ? "" : ", ", share_name(share.kind), share_in_words(share.share));
  }
  return words;
}

std::string unknown_in_words(const Profile& profile) {
  if (!profile.off_cpu) return "Bottleneck: not known. There is no off-CPU profile.";
  return fmt::format("Bottleneck: not known. The off-CPU profile has too few samples: {}, {} of them idle.",
                     profile.off_cpu->samples, profile.off_cpu->idle_samples);
}

std::string class_in_words(const Profile& profile, const SourceTree& tree) {
  const Bottleneck bottleneck = bottleneck_of(profile);
  if (bottleneck.kind == BottleneckClass::unknown) return unknown_in_words(profile);
  const std::string_view name = name_of(bottleneck.kind);
  if (!bottleneck.by_waits) return fmt::format("Bottleneck: {}, by the causal profile alone.", name);
  const std::vector<TimeShare> shares = time_shares(*profile.off_cpu);
  if (bottleneck.kind == BottleneckClass::mixed) {
    return fmt::format("Bottleneck: mixed, no class stands out. The threads' time: {}.", shares_in_words(shares));
  }
  const TimeShare& own = shares.front();
  const std::string words =
      fmt::format("Bottleneck: {}. {}{} of the threads' time is spent {}{}.", name,
                  own.kind == BottleneckClass::memory ? "At least " : "", share_in_words(own.share),
                  waiting_for(own.kind), largest_blocker(*profile.off_cpu, own, tree));
  const std::string rest = shares_in_words(std::span(shares).subspan(1));
  if (rest.empty()) return words;
  const bool waits_for_others = own.kind == BottleneckClass::lock;
  return words +
         fmt::format(" {}: {}.", waits_for_others ? "What they wait for happens in the rest" : "The rest", rest);
}

std::string off_cpu_source(const OffCpuProfile& profile) {
  std::string words =
      fmt::format("Off-CPU profile by {}, {} samples", code_span(profile.source, kSourceNameBytes), profile.samples);
  if (profile.idle_samples > 0 && profile.samples > 0) {
    const double idle = static_cast<double>(profile.idle_samples) / static_cast<double>(profile.samples);
    words += fmt::format("; idle waits, {} of them, are left out", share_in_words(idle));
  }
  if (profile.lost > 0) words += fmt::format("; {} records were lost", profile.lost);
  return words + ".";
}

CardPart bottleneck_part(const CardContext& context) {
  CardPart part;
  part.blocks.push_back(class_in_words(context.profile, context.tree));
  if (context.profile.off_cpu) part.blocks.push_back(off_cpu_source(*context.profile.off_cpu));
  return part;
}

// Causal targets ---------------------------------------------------------------------------------------------------

using Targets = std::vector<const CausalTarget*>;

/// Those that are told of a causal profile, each kind largest effect first.
struct TargetChoice {
  Targets credible;
  Targets contended;
  Targets without_effect;
  bool has_more_points = false;  ///< More than one progress point.
};

TargetChoice choose_targets(const CausalProfile& profile) {
  TargetChoice choice;
  for (const CausalTarget& target : profile.targets) {
    choice.has_more_points |= target.progress_point != profile.targets.front().progress_point;
    if (telling_point(target) == nullptr) continue;
    if (target.max_effect > 0.0) {
      choice.credible.push_back(&target);
    } else {
      (target.contention ? choice.contended : choice.without_effect).push_back(&target);
    }
  }
  const auto by_size = [](const CausalTarget* a, const CausalTarget* b) { return a->max_effect > b->max_effect; };
  const auto by_harm = [](const CausalTarget* a, const CausalTarget* b) {
    return telling_point(*a)->effect < telling_point(*b)->effect;
  };
  std::stable_sort(choice.credible.begin(), choice.credible.end(), by_size);
  std::stable_sort(choice.contended.begin(), choice.contended.end(), by_harm);
  choice.credible.resize(std::min(choice.credible.size(), kMaxTargets));
  choice.contended.resize(std::min(choice.contended.size(), kMaxContended));
  return choice;
}

std::string effect_line(const CausalTarget& target, const TargetChoice& choice, const SourceTree& tree) {
  const CausalPoint& point = *telling_point(target);
  const std::string of = choice.has_more_points ? " of " + code_span(target.progress_point, kPointBytes) : "";
  std::string words = fmt::format("{}: {} at virtual speed-up {}{}.", target_in_words(target, tree),
                                  effect_in_words({point.effect, point.lower, point.upper}, target.is_latency),
                                  share_in_words(point.virtual_speedup), of);
  if (!target.contention) return words;
  return words + (target.max_effect > 0.0 ? " Contention: at some other speed-up it slows the program."
                                          : " Contention: making it faster slows the program.");
}

/// "`f`, `g`": each once.
std::string names_of(const Targets& targets, const SourceTree& tree) {
  std::vector<std::string> names;
  for (const CausalTarget* target : targets) {
    const std::string& function = target->place.function;
    std::string name = function.empty() ? target_in_words(*target, tree) : code_span(function, kFunctionBytes);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    if (names.size() == kMaxNoEffect) break;
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

/// Why there may be nothing to tell, in the profiler's words.
std::string first_note(const CausalProfile& profile) {
  return profile.notes.empty() ? "" : " Its note: " + code_span(profile.notes.front(), kNoteBytes) + ".";
}

std::string causal_heading(const CausalProfile& profile, const TargetChoice& choice) {
  return fmt::format(
      "### What pays off\n\n"
      "From {} experiments by {}: the time per {}, with its 95 % interval, if that place alone took less time "
      "(none at virtual speed-up 100 %).\n",
      profile.experiments, code_span(profile.source, kSourceNameBytes),
      choice.has_more_points ? "visit of a progress point"
                             : code_span(profile.targets.front().progress_point, kPointBytes));
}

CardPart causal_part(const CardContext& context) {
  if (!context.profile.causal) {
    return {"", {"There is no causal profile: whether the program gets faster where it waits less was not tried."}};
  }
  const CausalProfile& profile = *context.profile.causal;
  const TargetChoice choice = choose_targets(profile);
  if (choice.credible.empty() && choice.contended.empty() && choice.without_effect.empty()) {
    return {"",
            {fmt::format("The causal profile (by {}, {} experiments) has no result.{}",
                         code_span(profile.source, kSourceNameBytes), profile.experiments, first_note(profile))}};
  }
  CardPart part{causal_heading(profile, choice), {}};
  for (const CausalTarget* target : choice.credible) {
    part.blocks.push_back(fmt::format("{}. {}", part.blocks.size() + 1, effect_line(*target, choice, context.tree)));
  }
  if (choice.credible.empty()) {
    part.blocks.push_back("- No place has a credible gain." + first_note(profile));
  }
  for (const CausalTarget* target : choice.contended) {
    part.blocks.push_back("- " + effect_line(*target, choice, context.tree));
  }
  if (!choice.without_effect.empty()) {
    part.blocks.push_back(fmt::format("- No credible effect ({} {}): {}.", choice.without_effect.size(),
                                      choice.without_effect.size() == 1 ? "place" : "places",
                                      names_of(choice.without_effect, context.tree)));
  }
  return part;
}

// Blockers ---------------------------------------------------------------------------------------------------------

CardPart blockers_part(const CardContext& context) {
  CardPart part{"### Where threads wait, by share of their time\n", {}};
  for (const Blocker& blocker : top_blockers(context.profile, kMaxBlockers)) {
    const std::string in = blocker.kernel_function.empty()
                               ? ""
                               : ", in the kernel's " + code_span(blocker.kernel_function, kKernelFunctionBytes);
    part.blocks.push_back(fmt::format("- {} {}: {}{}", share_in_words(blocker.share), name_of(class_of(blocker)),
                                      place_in_words(blocker.place, context.tree), in));
  }
  return part;
}

CardPart call_paths_part(const CardContext& context) {
  const std::string paths = call_paths(top_blockers(context.profile, kMaxPathBlockers), kMaxPathLines);
  CardPart part{"### How they get there, each by its most frequent path\n", {}};
  if (!paths.empty()) part.blocks.push_back(fenced(paths));
  return part;
}

// Earlier profiles and edits ---------------------------------------------------------------------------------------

std::string candidate_in_words(CandidateId id) {
  return id == kBaselineId ? "the baseline" : fmt::format("candidate {}", to_number(id));
}

/// "lock 71 -> 40 %" for each class that changed enough to tell.
std::vector<std::string> changed_shares(const OffCpuProfile& before, const OffCpuProfile& now) {
  const std::vector<TimeShare> old_shares = time_shares(before);
  std::vector<std::string> changes;
  for (const TimeShare& share : time_shares(now)) {
    const auto old = std::find_if(old_shares.begin(), old_shares.end(),
                                  [&share](const TimeShare& other) { return other.kind == share.kind; });
    if (old == old_shares.end() || std::abs(old->share - share.share) < kTellingChange) continue;
    changes.push_back(
        fmt::format("{} {:.0f} -> {}", share_name(share.kind), 100.0 * old->share, share_in_words(share.share)));
  }
  return changes;
}

using BlockerKey = std::pair<std::string, WaitClass>;  ///< By function: lines move with every patch.

std::map<BlockerKey, const Blocker*> blockers_by_place(std::span<const Blocker> blockers) {
  std::map<BlockerKey, const Blocker*> by_place;
  for (const Blocker& blocker : blockers) {
    if (!blocker.place.function.empty()) by_place.emplace(BlockerKey{blocker.place.function, blocker.kind}, &blocker);
  }
  return by_place;
}

/// "`Wal::sync` (23 % I/O)" of those in `blockers` that are not in `others`.
std::string blockers_missing_in(std::span<const Blocker> others, std::span<const Blocker> blockers) {
  const std::map<BlockerKey, const Blocker*> known = blockers_by_place(others);
  std::vector<std::string> names;
  for (const Blocker& blocker : blockers) {
    const bool tells = blocker.share >= kTellingChange && !blocker.place.function.empty();
    if (!tells || known.contains({blocker.place.function, blocker.kind}) || names.size() == kMaxChangedBlockers)
      continue;
    names.push_back(fmt::format("{} ({} {})", code_span(blocker.place.function, kFunctionBytes),
                                share_in_words(blocker.share), name_of(class_of(blocker))));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

double bounded_ratio(const OffCpuProfile& profile) {
  return std::isfinite(profile.ratio) ? std::clamp(profile.ratio, 0.0, 1.0) : 0.0;
}

CardPart difference_part(const CardContext& context) {
  if (context.previous == nullptr || !context.previous->off_cpu || !context.profile.off_cpu) return {};
  const OffCpuProfile& before = *context.previous->off_cpu;
  const OffCpuProfile& now = *context.profile.off_cpu;
  CardPart part{fmt::format("### Against {}, which it was made from\n", candidate_in_words(context.previous_id)), {}};
  const BottleneckClass old_class = bottleneck_of(*context.previous).kind;
  const BottleneckClass new_class = bottleneck_of(context.profile).kind;
  if (old_class != new_class) {
    part.blocks.push_back(fmt::format("- Bottleneck: was {}, is {}.", name_of(old_class), name_of(new_class)));
  }
  const std::vector<std::string> shares = changed_shares(before, now);
  const std::string ratio =
      fmt::format("- Off-CPU {:.0f} -> {:.0f} %; ", 100.0 * bounded_ratio(before), 100.0 * bounded_ratio(now));
  part.blocks.push_back(
      ratio + (shares.empty() ? "no class changed by 3 points or more." : fmt::format("{}.", fmt::join(shares, ", "))));
  const std::string gone = blockers_missing_in(now.top_blockers, before.top_blockers);
  const std::string added = blockers_missing_in(before.top_blockers, now.top_blockers);
  if (!gone.empty()) part.blocks.push_back("- No longer among the top blockers: " + gone + ".");
  if (!added.empty()) part.blocks.push_back("- New among them: " + added + ".");
  return part;
}

CardPart edits_part(const CardContext& context) {
  CardPart part{"### What was predicted of the time, and what the edit gave\n", {}};
  const std::size_t first = context.edits.size() - std::min(context.edits.size(), kMaxEdits);
  for (const PredictedEdit& edit : std::span(context.edits).subspan(first)) {
    part.blocks.push_back(fmt::format("- Candidate {}, {}: predicted {} at virtual speed-up {}, realised {}.",
                                      to_number(edit.id), code_span(edit.function, kFunctionBytes),
                                      change_in_words(edit.predicted), share_in_words(edit.virtual_speedup),
                                      change_in_words(edit.realised)));
  }
  return part;
}

// Source -----------------------------------------------------------------------------------------------------------

/// The places whose source is worth its room, in order: what pays off, what must not be touched lightly, what waits.
std::vector<CodePlace> places_of_interest(const Profile& profile) {
  std::vector<CodePlace> places;
  if (profile.causal) {
    const TargetChoice choice = choose_targets(*profile.causal);
    for (const CausalTarget* target : choice.credible) places.push_back(target->place);
    for (const CausalTarget* target : choice.contended) places.push_back(target->place);
  }
  for (const Blocker& blocker : top_blockers(profile, kMaxBlockers)) places.push_back(blocker.place);
  return places;
}

CardPart source_part(const CardContext& context) {
  CardPart part{"### The source of these places (the numbers before `|` are not part of it)\n", {}};
  std::map<std::string_view, std::vector<LineRange>> taken;
  for (const CodePlace& place : places_of_interest(context.profile)) {
    const SourceTree::value_type* file = find_source(context.tree, place.file);
    if (file == nullptr || place.line <= 0 || part.blocks.size() == kMaxExcerpts) continue;
    const auto line = static_cast<std::size_t>(place.line);
    const std::string& text = *file->second.text;
    const bool is_shown = context.shown_files.contains(file->first);
    const LineRange range = is_shown ? lines_around(text, line, 0, kLinesAroundShown)
                                     : lines_around(text, line, kFunctionLines, kLinesAround);
    std::vector<LineRange>& others = taken[file->first];
    const bool is_known =
        std::any_of(others.begin(), others.end(), [line](const LineRange& other) { return other.contains(line); });
    if (range.last == 0 || is_known) continue;
    others.push_back(range);
    part.blocks.push_back(fmt::format("{}:\n{}", place_in_words(place, context.tree),
                                      fenced(numbered_lines(text, range, line), language_of(file->first))));
  }
  return part;
}

// All of it --------------------------------------------------------------------------------------------------------

/// As many of its blocks as fit, heading first; empty if none does.
struct FittedPart {
  std::string text;
  bool is_whole = true;
};

FittedPart fit(const CardPart& part, std::size_t room) {
  FittedPart fitted;
  std::string text = part.heading;
  for (const std::string& block : part.blocks) {
    if (text.size() + (text.empty() ? 0 : 1) + block.size() > room) {
      fitted.is_whole = false;
      return fitted;
    }
    text.append(text.empty() ? "" : "\n").append(block);
    fitted.text = text;
  }
  return fitted;
}

}  // namespace

std::string bottleneck_card(const CardContext& context, const CardOptions& options) {
  if (!context.profile.off_cpu && !context.profile.causal) return "";
  // In the order shown; the number is the place in the order in which they get their room.
  const std::pair<std::size_t, CardPart> parts[] = {
      {0, bottleneck_part(context)}, {1, causal_part(context)},     {2, blockers_part(context)},
      {5, call_paths_part(context)}, {4, difference_part(context)}, {3, edits_part(context)},
      {6, source_part(context)},
  };
  constexpr std::string_view kBetween = "\n\n";
  std::string texts[std::size(parts)];
  std::size_t room = options.max_bytes;
  for (std::size_t turn = 0; turn < std::size(parts); ++turn) {
    const auto part =
        std::find_if(std::begin(parts), std::end(parts), [turn](const auto& p) { return p.first == turn; });
    const std::size_t between = turn == 0 ? 0 : kBetween.size();
    FittedPart fitted = fit(part->second, room - std::min(room, between));
    if (!fitted.text.empty()) room -= fitted.text.size() + between;
    texts[part - std::begin(parts)] = std::move(fitted.text);
    if (!fitted.is_whole) break;
  }
  std::string card;
  for (const std::string& text : texts) {
    if (!text.empty()) card.append(card.empty() ? "" : kBetween).append(text);
  }
  return card;
}

}  // namespace aiopt
