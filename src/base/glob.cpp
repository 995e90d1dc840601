/// Globs, as a small automaton: whatever the pattern, a match costs at most its length times the path's.

#include "base/glob.hpp"

#include <bitset>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace aiopt {
namespace {

using ByteSet = std::bitset<256>;

constexpr int kDeepestBraces = 32;

std::size_t byte_of(char c) {
  return static_cast<unsigned char>(c);
}

/// A state reads one byte of its set and goes on to `next`, or reads nothing and goes to all of `jumps`.
struct State {
  ByteSet reads;
  std::size_t next = 0;
  std::vector<std::size_t> jumps;
};

/// Thompson's construction (CACM 11(6), 1968), a state at a time; the pattern is read once, left to right.
class Automaton {
 public:
  /// Nothing if the pattern can't be read.
  static std::optional<Automaton> from(std::string_view pattern) {
    Automaton automaton;
    automaton.rest_ = pattern;
    automaton.add_state();
    if (!automaton.sequence(0) || !automaton.rest_.empty()) return std::nullopt;
    return automaton;
  }

  bool matches(std::string_view path) const {
    std::vector<bool> active(states_.size());
    activate(0, active);
    for (const char c : path) {
      std::vector<bool> after(states_.size());
      for (std::size_t i = 0; i < states_.size(); ++i) {
        if (active[i] && states_[i].reads[byte_of(c)]) activate(states_[i].next, after);
      }
      active = std::move(after);
    }
    return active[end_];
  }

 private:
  std::size_t add_state() {
    states_.emplace_back();
    return states_.size() - 1;
  }

  /// From the end of what is built so far: reads one byte of the set.
  void read_one(const ByteSet& set) {
    const std::size_t next = add_state();
    states_[end_].reads = set;
    states_[end_].next = next;
    end_ = next;
  }

  /// Reads any number of bytes of the set.
  void read_many(const ByteSet& set) {
    const std::size_t loop = add_state();
    const std::size_t next = add_state();
    states_[end_].jumps.push_back(loop);
    states_[loop].reads = set;
    states_[loop].next = loop;
    states_[loop].jumps.push_back(next);
    end_ = next;
  }

  bool take(std::string_view token) {
    if (rest_.substr(0, token.size()) != token) return false;
    rest_.remove_prefix(token.size());
    at_component_start_ = token.back() == '/';
    return true;
  }

  /// Up to the end, or to the ',' or '}' that ends one of a brace's alternatives.
  bool sequence(int depth) {
    while (!rest_.empty()) {
      if (depth > 0 && (rest_.front() == ',' || rest_.front() == '}')) return true;
      if (!element(depth)) return false;
    }
    return depth == 0;
  }

  bool element(int depth) {
    if (at_component_start_ && take("**/")) return any_folders(), true;
    if (take("**")) return read_many(ByteSet().set()), true;
    if (take("*")) return read_many(within_component()), true;
    if (take("?")) return read_one(within_component()), true;
    if (take("[")) return byte_class();
    if (take("{")) return alternatives(depth + 1);
    if (take("\\") && rest_.empty()) return false;
    read_one(ByteSet().set(byte_of(rest_.front())));
    at_component_start_ = rest_.front() == '/';
    rest_.remove_prefix(1);
    return true;
  }

  static ByteSet within_component() { return ByteSet().set().reset(byte_of('/')); }

  /// Nothing, or anything that ends in '/'.
  void any_folders() {
    const std::size_t start = end_;
    read_many(ByteSet().set());
    read_one(ByteSet().set(byte_of('/')));
    states_[start].jumps.push_back(end_);
  }

  bool byte_class() {
    const bool negated = !rest_.empty() && (rest_.front() == '!' || rest_.front() == '^');
    if (negated) rest_.remove_prefix(1);
    ByteSet set;
    // A ']' that comes first is a member, as in POSIX.
    for (bool first = true; !rest_.empty() && (first || rest_.front() != ']'); first = false) {
      const char lower = rest_.front();
      rest_.remove_prefix(1);
      char upper = lower;
      if (rest_.size() >= 2 && rest_[0] == '-' && rest_[1] != ']') {
        upper = rest_[1];
        rest_.remove_prefix(2);
      }
      for (std::size_t byte = byte_of(lower); byte <= byte_of(upper); ++byte) set.set(byte);
    }
    if (!take("]")) return false;
    read_one((negated ? ~set : set) & within_component());
    return true;
  }

  bool alternatives(int depth) {
    if (depth > kDeepestBraces) return false;
    const std::size_t start = end_;
    const std::size_t join = add_state();
    do {
      end_ = add_state();
      states_[start].jumps.push_back(end_);
      if (!sequence(depth)) return false;
      states_[end_].jumps.push_back(join);
    } while (take(","));
    end_ = join;
    return take("}");
  }

  void activate(std::size_t first, std::vector<bool>& active) const {
    std::vector<std::size_t> waiting{first};
    while (!waiting.empty()) {
      const std::size_t state = waiting.back();
      waiting.pop_back();
      if (active[state]) continue;
      active[state] = true;
      waiting.insert(waiting.end(), states_[state].jumps.begin(), states_[state].jumps.end());
    }
  }

  std::vector<State> states_;
  std::size_t end_ = 0;  ///< Where what is built so far ends; when all is built, the state that accepts.
  std::string_view rest_;
  bool at_component_start_ = true;
};

bool goes_up(std::string_view pattern) {
  while (!pattern.empty()) {
    const std::size_t slash = pattern.find('/');
    if (pattern.substr(0, slash) == "..") return true;
    if (slash == std::string_view::npos) return false;
    pattern.remove_prefix(slash + 1);
  }
  return false;
}

}  // namespace

bool glob_matches(std::string_view pattern, std::string_view path) {
  const std::optional<Automaton> automaton = Automaton::from(pattern);
  return automaton && automaton->matches(path);
}

bool glob_is_valid(std::string_view pattern) {
  if (pattern.empty() || pattern.front() == '/' || pattern.find('\0') != std::string_view::npos) return false;
  return !goes_up(pattern) && Automaton::from(pattern).has_value();
}

}  // namespace aiopt
