/// The constants emitter: other values for the numbers in the code, by a step size that adapts.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <numbers>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "search/emitters.hpp"
#include "search/literals.hpp"
#include "source/evolve_block.hpp"
#include "source/text_match.hpp"

namespace aiopt {

namespace {

constexpr double kFirstStep = 0.7;  // About a doubling or a halving.
constexpr double kSmallestStep = 0.05;
constexpr double kLargestStep = 2.0;
constexpr double kLongestJump = 4.0;  // In the exponent: no value is multiplied by more than 55 at once.
// One success pays for four failures: the step holds where a fifth of the changes succeed (Rechenberg 1973).
constexpr double kStepUp = 0.2;
constexpr double kStepDown = kStepUp / 4.0;

constexpr double kSecondLiteralShare = 0.3;
constexpr double kStayPowerOfTwo = 0.8;
constexpr double kFailuresToLeaveOut = 2.0;
constexpr int kMutationTries = 16;
constexpr double kStepOfNextTry = 1.3;
constexpr std::size_t kMaxContextLines = 20;
constexpr std::size_t kMaxCachedFiles = 4096;

struct TunableLiteral {
  Literal literal;
  /// Names the literal in all trees: a hash of path, place on the line, and the line without its numbers. Two lines
  /// that differ in their numbers only share what is learned of them.
  std::uint64_t key = 0;
};

using FileLiterals = std::vector<TunableLiteral>;

/// One that was drawn, of one file of the parent.
struct Choice {
  const std::string* path = nullptr;
  const SourceFile* file = nullptr;
  const TunableLiteral* tunable = nullptr;
};

/// What became of changes of one literal.
struct Record {
  double failures = 0.0;  ///< Changes of it alone count one, of two at once a half each.
  int passes = 0;
  int improvements = 0;
};

std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = 14695981039346656037u) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return hash;
}

bool is_c_or_cpp(std::string_view path) {
  constexpr std::array<std::string_view, 16> kEndings = {"c",   "cc",  "cpp", "cxx", "c++", "h",   "hh", "hpp",
                                                         "hxx", "h++", "inl", "ipp", "tcc", "tpp", "cu", "cuh"};
  const std::size_t dot = path.rfind('.');
  return dot != std::string_view::npos &&
         std::find(kEndings.begin(), kEndings.end(), path.substr(dot + 1)) != kEndings.end();
}

std::string_view line_at(std::string_view text, std::size_t offset) {
  const std::size_t before = text.rfind('\n', offset);
  const std::size_t start = before == std::string_view::npos ? 0 : before + 1;
  return text.substr(start, std::min(text.find('\n', offset), text.size()) - start);
}

/// The line with '#' for each number.
std::string without_numbers(std::string_view line) {
  const auto is_word = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
  };
  std::string plain;
  for (std::size_t i = 0; i < line.size();) {
    const std::size_t start = i;
    while (i < line.size() && is_word(line[i])) ++i;
    if (i == start) {
      plain += line[i++];
    } else if (line[start] >= '0' && line[start] <= '9') {
      plain += '#';
    } else {
      plain.append(line.substr(start, i - start));
    }
  }
  return plain;
}

FileLiterals find_literals(const std::string& path, const std::string& text) {
  FileLiterals found;
  if (!is_c_or_cpp(path)) return found;
  const Result<std::vector<EvolveBlock>> blocks = find_evolve_blocks(text);
  if (!blocks) return found;  // Any change of such a file is refused.
  std::string_view line;
  std::uint64_t line_hash = 0;
  for (Literal& literal : tunable_literals(text)) {
    const bool inside = std::any_of(blocks->begin(), blocks->end(), [&literal](const EvolveBlock& block) {
      return block.begin <= literal.offset && literal.offset < block.end;
    });
    if (!blocks->empty() && !inside) continue;
    const bool same_line = !line.empty() && text.data() + literal.offset < line.data() + line.size();
    if (!same_line) {
      line = line_at(text, literal.offset);
      line_hash = fnv1a(trim(without_numbers(line)), fnv1a(path));
    }
    const std::uint64_t key = fnv1a(std::to_string(literal.on_line), line_hash);
    found.push_back({std::move(literal), key});
  }
  return found;
}

bool is_power_of_two(double value) {
  int exponent = 0;
  return value >= 1.0 && std::frexp(value, &exponent) == 0.5;
}

/// The value a step away, before it is held to its range.
double stepped(const Literal& literal, double step, Rng& rng) {
  const bool ranged = literal.hint && literal.hint->lower && !literal.hint->log;
  if (ranged) return literal.value + step * (*literal.hint->upper - *literal.hint->lower) / 4.0;
  if (literal.value == 0.0) return std::exp(step);
  const bool even_power = literal.integer && literal.value >= 2.0 && is_power_of_two(literal.value);
  if (even_power && rng.uniform() < kStayPowerOfTwo) {
    const double doublings = std::round(step / std::numbers::ln2);
    return literal.value * std::exp2(doublings != 0.0 ? doublings : std::copysign(1.0, step));
  }
  return literal.value * std::exp(step);
}

/// A new value for the literal; nothing if none is allowed.
std::optional<double> next_value(const Literal& literal, double step, Rng& rng) {
  const bool whole = literal.integer || (literal.hint && literal.hint->integer);
  double value = stepped(literal, step, rng);
  // Integers move by at least one.
  if (whole && std::round(value) == literal.value) value = literal.value + std::copysign(1.0, step);
  // Without a hint no integer becomes 0 (what it counts or divides would be gone), and int stays in its range.
  double lower = literal.integer ? 1.0 : 0.0;
  double upper = !literal.integer ? 1e300 : literal.value <= 2147483647.0 ? 2147483647.0 : 9007199254740991.0;
  if (literal.hint && literal.hint->lower) {
    lower = *literal.hint->lower;
    upper = std::min(upper, *literal.hint->upper);
  }
  if (whole) {
    lower = std::ceil(lower);
    upper = std::floor(upper);
    value = std::round(value);
  }
  if (lower > upper) return std::nullopt;
  value = std::clamp(value, lower, upper);
  // At an edge: one step back inside.
  if (whole && value == literal.value) value = literal.value < upper ? literal.value + 1.0 : literal.value - 1.0;
  if (value < lower || value > upper) return std::nullopt;
  return value;
}

std::uint32_t line_number(std::string_view text, std::size_t offset) {
  return 1 +
         static_cast<std::uint32_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

/// The edit that puts `replacement` in the place of [offset, offset + length): whole lines, as many around as it takes
/// to occur once.
Edit edit_lines(const std::string& path, std::string_view text, std::size_t offset, std::size_t length,
                std::string_view replacement) {
  const auto start_of_line = [text](std::size_t at) {
    const std::size_t before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
    return before == std::string_view::npos ? 0 : before + 1;
  };
  const auto end_of_line = [text](std::size_t at) {
    const std::size_t end = text.find('\n', at);
    return end == std::string_view::npos ? text.size() : end + 1;
  };
  std::size_t begin = start_of_line(offset);
  std::size_t end = end_of_line(offset + length);
  for (std::size_t i = 0; i < kMaxContextLines && !occurs_once(text, text.substr(begin, end - begin)); ++i) {
    if (i % 2 == 0 && begin > 0) {
      begin = start_of_line(begin - 1);
    } else if (end < text.size()) {
      end = end_of_line(end);
    }
  }
  Edit edit;
  edit.kind = Edit::Kind::replace;
  edit.path = path;
  edit.search = text.substr(begin, end - begin);
  edit.text = edit.search;
  edit.text.replace(offset - begin, length, replacement);
  edit.line = line_number(text, begin);
  return edit;
}

std::string hex(std::uint64_t value) {
  return fmt::format("{:016x}", value);
}

class ConstantsEmitter : public Emitter {
 public:
  explicit ConstantsEmitter(PatchRules rules) : rules_(std::move(rules)) {}

  std::string_view name() const override { return "constants"; }

  bool has_literals(const SourceTree& tree) {
    return std::any_of(tree.begin(), tree.end(),
                       [this](const auto& file) { return !literals_of(file.first, file.second)->empty(); });
  }

  std::optional<Ask> ask(const Archive& archive, SelectionStrategy& selection, Rng& rng) override {
    const CandidateId parent = selection.select(archive, 1, rng).at(0);
    const Elite* elite = archive.find(parent);
    if (elite == nullptr) return std::nullopt;
    const std::vector<Choice> choices = choices_of(elite->candidate->tree);
    // What was asked before lies close by: each try goes further, and the later ones take what failed twice too.
    double step = step_;
    for (int i = 0; i < kMutationTries; ++i, step = std::min(kStepOfNextTry * step, kLargestStep)) {
      std::vector<const Choice*> drawn = draw(choices, i < kMutationTries / 2 ? Failed::left_out : Failed::too, rng);
      if (drawn.empty()) drawn = draw(choices, Failed::too, rng);
      if (drawn.empty()) return std::nullopt;
      if (auto ask = change(*elite, drawn, step, rng)) return ask;
    }
    return std::nullopt;
  }

  void tell(const Proposal& proposal, const Evaluation& evaluation, const std::optional<Fitness>& fitness,
            const std::optional<AddResult>&) override {
    const nlohmann::json note = nlohmann::json::parse(proposal.ask.note, nullptr, false);
    if (!note.is_object() || !note.contains("changes") || !note["changes"].is_array()) return;
    const bool passed = evaluation.status == EvaluationStatus::passed && fitness.has_value();
    const auto parent_objective = note.find("parent_objective");
    const bool comparable = passed && parent_objective != note.end() && parent_objective->is_number();
    const bool better = comparable && fitness->objective > parent_objective->get<double>();
    if (comparable) {
      step_ = std::clamp(step_ * std::exp(better ? kStepUp : -kStepDown), kSmallestStep, kLargestStep);
    }
    const double share = 1.0 / static_cast<double>(std::max<std::size_t>(note["changes"].size(), 1));
    for (const nlohmann::json& one : note["changes"]) {
      if (!one.is_object() || !one.contains("key") || !one["key"].is_string()) continue;
      const std::string& digits = one["key"].get_ref<const std::string&>();
      std::uint64_t key = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), key, 16);
      Record& record = records_[key];
      if (!passed) record.failures += share;
      if (passed) ++record.passes;
      if (better) ++record.improvements;
    }
  }

 private:
  /// Of equal files the literals are looked for once.
  std::shared_ptr<const FileLiterals> literals_of(const std::string& path, const SourceFile& file) {
    std::string key = path + '\n' + file.sha256;
    if (const auto known = files_.find(key); known != files_.end()) return known->second;
    if (files_.size() >= kMaxCachedFiles) files_.clear();
    auto found = std::make_shared<const FileLiterals>(find_literals(path, *file.text));
    return files_.emplace(std::move(key), std::move(found)).first->second;
  }

  std::vector<Choice> choices_of(const SourceTree& tree) {
    std::vector<Choice> choices;
    held_.clear();
    for (const auto& [path, file] : tree) {
      held_.push_back(literals_of(path, file));
      for (const TunableLiteral& tunable : *held_.back()) choices.push_back({&path, &file, &tunable});
    }
    return choices;
  }

  /// Whether what failed twice is drawn.
  enum class Failed { left_out, too };

  /// Named and marked constants are what their authors would tune. What passed before is safe, what improved promises
  /// more.
  double weight(const TunableLiteral& tunable, Failed failed) const {
    const double kind = tunable.literal.hint ? 4.0 : tunable.literal.constant ? 2.0 : 1.0;
    const auto found = records_.find(tunable.key);
    if (found == records_.end()) return kind;
    const Record& record = found->second;
    if (record.failures >= kFailuresToLeaveOut && failed == Failed::left_out) return 0.0;
    const double doubt = record.failures > 0.0 ? 0.4 : 1.0;
    return kind * doubt * (1.0 + 0.25 * std::min(record.passes, 2) + std::min(record.improvements, 3));
  }

  /// One or two different ones; none if none is left.
  std::vector<const Choice*> draw(const std::vector<Choice>& choices, Failed failed, Rng& rng) const {
    std::vector<double> weights;
    weights.reserve(choices.size());
    double total = 0.0;
    for (const Choice& choice : choices) {
      weights.push_back(weight(*choice.tunable, failed));
      total += weights.back();
    }
    std::vector<const Choice*> drawn;
    const int wanted = rng.uniform() < kSecondLiteralShare ? 2 : 1;
    while (static_cast<int>(drawn.size()) < wanted && total > 1e-9) {
      double rest = rng.uniform() * total;
      std::size_t picked = choices.size();
      for (std::size_t i = 0; i < choices.size() && rest >= 0.0; ++i) {
        if (weights[i] <= 0.0) continue;
        picked = i;
        rest -= weights[i];
      }
      if (picked == choices.size()) break;
      drawn.push_back(&choices[picked]);
      total -= std::exchange(weights[picked], 0.0);
    }
    return drawn;
  }

  /// Nothing if a value cannot change, or the same was asked before.
  std::optional<Ask> change(const Elite& parent, const std::vector<const Choice*>& drawn, double spread, Rng& rng) {
    struct Replacement {
      const Choice* choice;
      std::string to;
    };
    std::vector<Replacement> replacements;
    for (const Choice* choice : drawn) {
      const Literal& literal = choice->tunable->literal;
      const double step = std::clamp(rng.normal() * spread, -kLongestJump, kLongestJump);
      const std::optional<double> value = next_value(literal, step, rng);
      if (!value) return std::nullopt;
      std::string to = write_literal(literal, *value);
      if (to == write_literal(literal, literal.value)) return std::nullopt;
      replacements.push_back({choice, std::move(to)});
    }
    // From the end of a file to its start: what is before an edit keeps its offsets.
    std::sort(replacements.begin(), replacements.end(), [](const Replacement& a, const Replacement& b) {
      if (*a.choice->path != *b.choice->path) return *a.choice->path < *b.choice->path;
      return a.choice->tunable->literal.offset > b.choice->tunable->literal.offset;
    });

    Patch patch;
    nlohmann::json changes = nlohmann::json::array();
    std::string text;
    const std::string* open_path = nullptr;
    std::uint64_t signature = fnv1a(std::to_string(to_number(parent.candidate->id)));
    for (const Replacement& replacement : replacements) {
      const Choice& choice = *replacement.choice;
      const Literal& literal = choice.tunable->literal;
      if (choice.path != open_path) text = *choice.file->text;
      open_path = choice.path;
      const std::string from = text.substr(literal.offset, literal.length);
      patch.edits.push_back(edit_lines(*choice.path, text, literal.offset, literal.length, replacement.to));
      text.replace(literal.offset, literal.length, replacement.to);
      changes.push_back({{"file", *choice.path},
                         {"line", literal.line},
                         {"from", from},
                         {"to", replacement.to},
                         {"key", hex(choice.tunable->key)}});
      signature = fnv1a(fmt::format("{}:{}={};", *choice.path, literal.offset, replacement.to), signature);
    }
    std::uint64_t bytes = 0;
    for (const Edit& edit : patch.edits) bytes += edit.text.size();
    if (bytes > rules_.max_patch_bytes || !asked_.insert(signature).second) return std::nullopt;

    const nlohmann::json note = {{"changes", std::move(changes)}, {"parent_objective", parent.fitness.objective}};
    Ask ask;
    ask.parent = parent.candidate->id;
    ask.change = std::move(patch);
    ask.note = note.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return ask;
  }

  PatchRules rules_;
  double step_ = kFirstStep;
  std::unordered_map<std::uint64_t, Record> records_;  ///< By the literal's key.
  std::unordered_set<std::uint64_t> asked_;
  std::unordered_map<std::string, std::shared_ptr<const FileLiterals>> files_;
  std::vector<std::shared_ptr<const FileLiterals>> held_;  ///< What an ask's choices point into.
};

}  // namespace

Result<std::unique_ptr<Emitter>> make_constants_emitter(const SourceTree& baseline, PatchRules rules) {
  auto emitter = std::make_unique<ConstantsEmitter>(std::move(rules));
  if (!emitter->has_literals(baseline)) {
    return Error{Error::Code::invalid_argument,
                 "the constants emitter has nothing to do: no number in the editable C and C++ files is worth tuning; "
                 "mark one with '// aiopt: tune [lo, hi]', or leave the emitter out"};
  }
  return std::unique_ptr<Emitter>(std::move(emitter));
}

}  // namespace aiopt
