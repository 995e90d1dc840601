/// Patch, Ask and Proposal: a change that somebody suggests, before anything was built.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace aiopt {

/// 0 is the baseline; proposals count 1, 2, 3, ... in the order asked. Never used twice in a run.
enum class CandidateId : std::uint64_t {};
enum class IslandId : std::uint32_t {};

inline constexpr CandidateId kBaselineId{0};
constexpr std::uint64_t to_number(CandidateId id) {
  return static_cast<std::uint64_t>(id);
}

/// One change to one file.
struct Edit {
  enum class Kind {
    replace,      ///< `search` becomes `text`. It must occur once; `line` picks among several.
    whole_file,   ///< `text` is the whole new content of the file, which need not exist yet.
    remove_file,  ///< The file goes.
  };

  Kind kind = Kind::replace;
  std::string path;  ///< Relative to the task's source, with '/'.
  std::string search;
  std::string text;
  std::uint32_t line = 0;  ///< 1-based line where a unified diff expects `search`; 0 if not known.

  bool operator==(const Edit&) const = default;
};

/// Edits are applied in order, each to what the ones before it left: all of them, or none.
struct Patch {
  std::vector<Edit> edits;

  bool operator==(const Patch&) const = default;
};

struct TokenUsage {
  std::uint64_t prompt_tokens = 0;
  std::uint64_t completion_tokens = 0;

  bool operator==(const TokenUsage&) const = default;
};

/// A change that a model has to be asked for.
struct ModelQuestion {
  std::string prompt;  ///< A file of prompts/, without its ending: "diff_user".
  std::string model;   ///< Empty: the ensemble chooses.
  /// The engine's alone: a proposal of the same parent whose patch did not build. Its conversation goes on.
  std::optional<CandidateId> repairs = std::nullopt;
};

/// What an emitter wants tried: against which parent, and either a question or the patch itself.
struct Ask {
  CandidateId parent = kBaselineId;
  std::vector<CandidateId> inspirations;  ///< Other elites that a prompt may show.
  std::variant<Patch, ModelQuestion> change;
  std::string note;  ///< The emitter's own words, JSON; kept in run.db and given back by tell().
};

/// An Ask with its answer.
struct Proposal {
  CandidateId id = kBaselineId;
  IslandId island{0};
  std::string emitter;  ///< Emitter::name() of the one that asked; "remeasure" or "repair" if the engine did.
  Ask ask;

  /// The patch to try; empty if the model gave none that could be read, and then `reason` says why.
  std::optional<Patch> patch;
  std::string reason;

  std::string model;   ///< Which answered; empty without a model. So are the next four.
  std::string prompt;  ///< As sent: the messages, as JSON.
  std::string reply;
  TokenUsage usage;
  std::chrono::milliseconds latency{0};
};

}  // namespace aiopt
