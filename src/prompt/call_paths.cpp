/// Merges call paths by function, and folds what does not fork into one line.

#include "prompt/call_paths.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "prompt/bottleneck_class.hpp"
#include "prompt/card_words.hpp"
#include "prompt/markdown_text.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kMaxCallers = 8;
constexpr std::size_t kPathNameBytes = 60;
constexpr std::size_t kMaxNamesOnLine = 5;

constexpr auto kThreadStarts = std::to_array<std::string_view>({
    "_start",
    "start_thread",
    "clone",
    "clone3",
    "execute_native_thread_routine",
});

/// A function, what it calls, and what waits in it.
struct CallNode {
  std::string function;
  std::vector<CallNode> calls;
  std::vector<const Blocker*> waits;
};

/// "std::thread::...", "void std::__invoke_impl<...>", "__libc_start_main": nobody's to change.
bool is_library_function(std::string_view function) {
  const std::string_view name = function.substr(0, function.find('<'));
  return name.empty() || name.starts_with("__") || name.starts_with("std::") ||
         name.find(" std::") != std::string_view::npos ||
         std::find(kThreadStarts.begin(), kThreadStarts.end(), name) != kThreadStarts.end();
}

CallNode& child_of(CallNode& node, const std::string& function) {
  for (CallNode& child : node.calls) {
    if (child.function == function) return child;
  }
  node.calls.push_back({function, {}, {}});
  return node.calls.back();
}

/// From the outermost caller on.
void add_path(CallNode& root, const Blocker& blocker) {
  if (blocker.place.function.empty()) return;
  CallNode* node = &root;
  const auto go_to = [&node](const std::string& function) {
    // A function that calls itself says no more the second time.
    if (function != node->function) node = &child_of(*node, function);
  };
  for (std::size_t i = std::min(blocker.callers.size(), kMaxCallers); i-- > 0;) {
    if (!is_library_function(blocker.callers[i].function)) go_to(blocker.callers[i].function);
  }
  if (node == &root) return;
  go_to(blocker.place.function);
  node->waits.push_back(&blocker);
}

/// ": 41 % lock, 2 % I/O", or nothing. In one function threads may wait for several locks.
std::string waits_in_words(const CallNode& node) {
  std::vector<TimeShare> shares;
  for (const Blocker* blocker : node.waits) {
    const BottleneckClass kind = class_of(*blocker);
    const auto known = std::find_if(shares.begin(), shares.end(), [kind](const auto& s) { return s.kind == kind; });
    if (known == shares.end()) {
      shares.push_back({kind, blocker->share});
    } else {
      known->share += blocker->share;
    }
  }
  std::string words;
  for (const TimeShare& share : shares) {
    words += fmt::format("{}{} {}", words.empty() ? ": " : ", ", share_in_words(share.share), name_of(share.kind));
  }
  return words;
}

/// "main > Bench::run", the middle of a long one left out.
std::string chain_in_words(const std::vector<std::string>& names) {
  std::string chain;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool is_middle = names.size() > kMaxNamesOnLine && i >= 2 && i + 2 < names.size();
    if (is_middle && i > 2) continue;
    chain += (chain.empty() ? "" : " > ") + (is_middle ? std::string("...") : names[i]);
  }
  return chain;
}

void write_node(const CallNode& start, std::size_t depth, std::vector<std::string>& lines) {
  const CallNode* node = &start;
  std::vector<std::string> names = {code_text(node->function, kPathNameBytes)};
  while (node->waits.empty() && node->calls.size() == 1) {
    node = &node->calls.front();
    names.push_back(code_text(node->function, kPathNameBytes));
  }
  lines.push_back(std::string(2 * depth, ' ') + chain_in_words(names) + waits_in_words(*node));
  for (const CallNode& child : node->calls) write_node(child, depth + 1, lines);
}

std::vector<std::string> path_lines(std::span<const Blocker> blockers) {
  CallNode root;
  for (const Blocker& blocker : blockers) add_path(root, blocker);
  std::vector<std::string> lines;
  for (const CallNode& child : root.calls) write_node(child, 0, lines);
  return lines;
}

}  // namespace

std::string call_paths(std::span<const Blocker> blockers, std::size_t max_lines) {
  std::vector<std::string> lines = path_lines(blockers);
  while (lines.size() > max_lines) {
    blockers = blockers.first(blockers.size() - 1);
    lines = path_lines(blockers);
  }
  return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace aiopt
