/// The bottleneck card: what the profilers found of one program, in the words and the room that a prompt has for it.

#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/profile.hpp>
#include <aiopt/proposal.hpp>
#include <aiopt/source_tree.hpp>

#include "prompt/predicted_edit.hpp"

namespace aiopt {

/// What a card is made from. Borrowed for the call.
struct CardContext {
  const Profile& profile;
  const SourceTree& tree;             ///< Of the same program.
  const Profile* previous = nullptr;  ///< Of the program that this one was made from; null if there is none.
  CandidateId previous_id = kBaselineId;
  std::vector<PredictedEdit> edits = {};  ///< Oldest first; the last five are told.
  /// Paths of the tree's files that the prompt shows whole anyway: of these the card has only the line that a profile
  /// names and its neighbours.
  std::set<std::string_view> shown_files = {};
};

struct CardOptions {
  std::size_t max_bytes = 12'000;  ///< Of the whole card: about 3,000 tokens, of 4 bytes each.
};

/// Markdown, with headings of the third order; valid UTF-8. Empty if nothing was profiled.
///
/// Where room is short the end of this list goes first: the class of the bottleneck (bottleneck_class.hpp), causal
/// targets, blockers, what edits gave against what was predicted, the difference to the previous profile, call paths,
/// the source of the places named, that of the first target last. What a part has no room for is left out line by line
/// from its end, and then all parts behind it.
///
/// Names and paths come out of a profile that a hostile build may have written: each is one line of bounded length
/// within a code span or a fence that it cannot end. Numbers may be anything.
std::string bottleneck_card(const CardContext& context, const CardOptions& options = {});

}  // namespace aiopt
