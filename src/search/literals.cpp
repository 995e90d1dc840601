/// A tokenizer for as much of C and C++ as numeric literals need.

#include "search/literals.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

namespace aiopt {

namespace {

constexpr std::size_t kLongestList = 8;
constexpr double kLargestInteger = 9007199254740992.0;  // 2^53: beyond it a double skips integers.
constexpr std::string_view kHintMark = "aiopt: tune";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}
bool is_word(char c) {
  return is_digit(c) || is_letter(c);
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = lower(c);
  return lowered;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// What may stand after the digits and keeps its meaning with other digits.
bool is_known_suffix(std::string_view suffix, bool integer) {
  if (suffix.empty() || suffix.front() == '_') return true;
  const std::string name = lower(suffix);
  constexpr std::array<std::string_view, 13> kInteger = {"u", "l",  "ul", "lu", "ll", "ull", "llu",
                                                         "z", "uz", "zu", "ms", "us", "ns"};
  constexpr std::array<std::string_view, 10> kFloating = {"f", "l", "f16", "f32", "f64", "ms", "us", "ns", "s", "h"};
  constexpr std::array<std::string_view, 3> kTime = {"s", "min", "h"};
  if (!integer) return std::find(kFloating.begin(), kFloating.end(), name) != kFloating.end();
  return std::find(kInteger.begin(), kInteger.end(), name) != kInteger.end() ||
         std::find(kTime.begin(), kTime.end(), name) != kTime.end();
}

std::string without_separators(std::string_view digits) {
  std::string plain;
  for (const char c : digits) {
    if (c != '\'') plain += c;
  }
  return plain;
}

bool read_integer(std::string_view digits, int base, Literal& literal) {
  const std::string plain = without_separators(digits);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value, base);
  if (error != std::errc() || end != plain.data() + plain.size()) return false;
  literal.integer = true;
  literal.base = base;
  literal.value = static_cast<double>(value);
  return literal.value <= kLargestInteger;
}

bool read_floating(std::string_view digits, Literal& literal) {
  const std::string plain = without_separators(digits);
  double value = 0.0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (error != std::errc() || end != plain.data() + plain.size()) return false;
  literal.integer = false;
  literal.base = 10;
  literal.value = value;
  return std::isfinite(value);
}

/// Index of the first character that is no digit of the base and no separator.
std::size_t end_of_digits(std::string_view text, std::size_t from, int base) {
  std::size_t at = from;
  while (at < text.size()) {
    const char c = lower(text[at]);
    const bool digit = base == 16 ? is_digit(c) || (c >= 'a' && c <= 'f') : is_digit(c);
    if (!digit && !(c == '\'' && at > from)) break;
    ++at;
  }
  return at;
}

/// Reads a preprocessing number ([lex.ppnumber]) as a literal; false if it is none that can be tuned.
bool read_number(std::string_view token, Literal& literal) {
  const char second = token.size() > 1 ? lower(token[1]) : '\0';
  std::size_t end = 0;
  bool good = false;
  if (token[0] == '0' && (second == 'x' || second == 'b')) {
    const int base = second == 'x' ? 16 : 2;
    end = end_of_digits(token, 2, base);
    good = read_integer(token.substr(2, end - 2), base, literal);
  } else {
    end = end_of_digits(token, 0, 10);
    const bool fraction = end < token.size() && token[end] == '.';
    if (fraction) end = end_of_digits(token, end + 1, 10);
    bool exponent = end + 1 < token.size() && lower(token[end]) == 'e';
    if (exponent) {
      const std::size_t digits = end + (token[end + 1] == '+' || token[end + 1] == '-' ? 2 : 1);
      exponent = digits < token.size() && is_digit(token[digits]);
      if (exponent) end = end_of_digits(token, digits, 10);
    }
    const std::string_view digits = token.substr(0, end);
    if (fraction || exponent) {
      good = read_floating(digits, literal);
    } else if (digits.size() > 1 && digits[0] == '0') {
      good = read_integer(digits.substr(1), 8, literal);
    } else {
      good = read_integer(digits, 10, literal);
    }
  }
  literal.suffix = token.substr(end);
  return good && is_known_suffix(literal.suffix, literal.integer);
}

/// File modes, masks and polynomials: an octal number, hexadecimal ones in a row, or a large hexadecimal number.
bool is_bit_pattern(const Literal& literal) {
  if (literal.base == 8) return true;
  if (literal.base != 16) return false;
  const auto value = static_cast<std::uint64_t>(literal.value);
  const bool power_of_two = (value & (value - 1)) == 0;
  const bool ones = (value & (value + 1)) == 0;
  return ones || (value > 0xffff && !power_of_two);
}

/// A bound of a hint's range.
std::optional<double> read_bound(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t+");
  if (first == std::string_view::npos) return std::nullopt;
  text.remove_prefix(first);
  text = text.substr(0, text.find_last_not_of(" \t") + 1);
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

/// Takes the next word off the front of `rest`.
std::string_view next_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t,|"), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t,|\r*"));
  rest.remove_prefix(word.size());
  return word;
}

/// A range that cannot be read is no range; the line is still marked.
TuneHint read_hint(std::string_view comment) {
  TuneHint hint;
  std::string_view rest = comment.substr(comment.find(kHintMark) + kHintMark.size());
  rest = rest.substr(0, rest.find('\n'));
  const std::size_t open = rest.find('[');
  const std::size_t comma = rest.find(',', open == std::string_view::npos ? 0 : open);
  const std::size_t close = rest.find(']', comma == std::string_view::npos ? 0 : comma);
  if (open != std::string_view::npos && comma != std::string_view::npos && close != std::string_view::npos) {
    const std::optional<double> low = read_bound(rest.substr(open + 1, comma - open - 1));
    const std::optional<double> high = read_bound(rest.substr(comma + 1, close - comma - 1));
    if (low && high && *low<*high&& * high> 0.0) {
      hint.lower = std::max(*low, 0.0);
      hint.upper = *high;
    }
    rest = rest.substr(close + 1);
  }
  // The two words may only come first: what follows is the author's prose.
  for (std::string_view word = next_word(rest); word == "log" || word == "int"; word = next_word(rest)) {
    (word == "log" ? hint.log : hint.integer) = true;
  }
  return hint;
}

/// One pass over the text, with as much memory of what came before as the rules need.
class Tokenizer {
 public:
  explicit Tokenizer(std::string_view text) : text_(text) {}

  std::vector<Literal> run() {
    while (at_ < text_.size()) step();
    while (!braces_.empty()) close_brace();
    leave_out_tables();
    std::vector<Literal> tunable;
    for (Found& found : found_) {
      const auto hint = find_hint(found.literal.line);
      if (hint != hints_.end()) found.literal.hint = hint->second;
      const bool wanted = !found.left_out || found.literal.hint.has_value();
      if (wanted && !found.never) tunable.push_back(std::move(found.literal));
    }
    return tunable;
  }

 private:
  struct Found {
    Literal literal;
    bool left_out = false;  ///< By a rule that a hint overrules.
    bool never = false;     ///< By one that it does not.
  };

  struct Brace {
    std::size_t first_literal = 0;
    std::size_t literals = 0;  ///< Directly in it, and in lists within.
    bool statements = false;   ///< It holds a ';': a block, not a list.
  };

  /// Whether a declaration of a constant is being read, and how far.
  enum class Constant { none, declared, value };

  using Hints = std::vector<std::pair<std::uint32_t, TuneHint>>;

  Hints::iterator find_hint(std::uint32_t line) {
    const auto found = std::lower_bound(hints_.begin(), hints_.end(), line,
                                        [](const auto& hint, std::uint32_t wanted) { return hint.first < wanted; });
    return found != hints_.end() && found->first == line ? found : hints_.end();
  }

  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void newline() {
    ++line_;
    ++at_;
    literals_on_line_ = 0;
    line_start_ = at_;
    if (!continued_) {
      in_define_ = false;
      first_on_line_ = true;
    }
    continued_ = false;
  }

  void step() {
    const char c = peek();
    if (c == '\n') return newline();
    if (c == '\\' && (peek(1) == '\n' || (peek(1) == '\r' && peek(2) == '\n'))) {
      continued_ = true;
      at_ += peek(1) == '\r' ? 2 : 1;
      return;
    }
    if (c == ' ' || c == '\t' || c == '\r') {
      ++at_;
      return;
    }
    if (c == '/' && peek(1) == '/') return line_comment();
    if (c == '/' && peek(1) == '*') return block_comment();
    if (c == '#' && first_on_line_) return directive();
    first_on_line_ = false;
    if (c == '"' || c == '\'') return quoted(c);
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number();
    if (is_letter(c)) return word();
    punctuation(c);
  }

  void line_comment() {
    const std::size_t start = at_;
    while (at_ < text_.size()) {
      const std::size_t end = std::min(text_.find('\n', at_), text_.size());
      at_ = end;
      const bool goes_on = end > start && text_[end - 1] == '\\';
      if (!goes_on || end == text_.size()) break;
      ++line_;
      ++at_;
    }
    read_comment(text_.substr(start, at_ - start));
  }

  void block_comment() {
    const std::size_t start = at_;
    const std::size_t end = text_.find("*/", at_ + 2);
    const std::size_t stop = end == std::string_view::npos ? text_.size() : end + 2;
    read_comment(text_.substr(start, stop - start));
    line_ += static_cast<std::uint32_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(start),
                                                   text_.begin() + static_cast<std::ptrdiff_t>(stop), '\n'));
    at_ = stop;
  }

  void read_comment(std::string_view comment) {
    if (contains(comment, kHintMark)) {
      if (hints_.empty() || hints_.back().first != line_) hints_.emplace_back(line_, read_hint(comment));
    }
  }

  /// Only what a #define says is code.
  void directive() {
    first_on_line_ = false;
    ++at_;
    while (peek() == ' ' || peek() == '\t') ++at_;
    const std::size_t start = at_;
    while (is_word(peek())) ++at_;
    if (text_.substr(start, at_ - start) == "define") {
      in_define_ = true;
      while (peek() == ' ' || peek() == '\t') ++at_;
      while (is_word(peek())) ++at_;
      return;
    }
    while (at_ < text_.size() && text_[at_] != '\n') {
      if (text_[at_] == '/' && peek(1) == '*') {
        block_comment();
        continue;
      }
      if (text_[at_] == '/' && peek(1) == '/') {
        line_comment();
        continue;
      }
      const bool splice = text_[at_] == '\\' && (peek(1) == '\n' || (peek(1) == '\r' && peek(2) == '\n'));
      if (splice) {
        at_ += peek(1) == '\r' ? 2 : 1;
        ++line_;
      }
      ++at_;
    }
  }

  void quoted(char quote) {
    ++at_;
    while (at_ < text_.size() && text_[at_] != quote && text_[at_] != '\n') {
      // A line that ends in a backslash goes on with the string.
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        if (peek() == '\r' && peek(1) == '\n') ++at_;
        if (peek() == '\n') ++line_;
      }
      ++at_;
    }
    if (peek() == quote) ++at_;
    previous_ = quote;
  }

  void raw_string() {
    const std::size_t open = text_.find('(', at_);
    // [lex.string]: at most 16 characters, none of them white space, backslash or parenthesis.
    if (open == std::string_view::npos || open - at_ > 17) return quoted('"');
    const std::string end_mark = ")" + std::string(text_.substr(at_ + 1, open - at_ - 1)) + "\"";
    const std::size_t end = text_.find(end_mark, open);
    const std::size_t stop = end == std::string_view::npos ? text_.size() : end + end_mark.size();
    line_ += static_cast<std::uint32_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                                   text_.begin() + static_cast<std::ptrdiff_t>(stop), '\n'));
    at_ = stop;
    previous_ = '"';
  }

  void word() {
    const std::size_t start = at_;
    while (is_word(peek())) ++at_;
    const std::string_view name = text_.substr(start, at_ - start);
    const char before = previous_;
    previous_ = 'a';
    const bool raw = name == "R" || name == "LR" || name == "uR" || name == "UR" || name == "u8R";
    if (raw && peek() == '"') return raw_string();
    if (name == "case") in_case_ = true;
    if (name == "static_assert" || name == "_Static_assert") assert_depth_ = parentheses_ + 1;
    // Not of a parameter, nor behind a member function's head.
    const bool constant = name == "const" || name == "constexpr" || name == "constinit";
    if (constant && parentheses_ == 0 && before != ')') constant_ = Constant::declared;
  }

  void number() {
    const std::size_t start = at_;
    ++at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      const char before = lower(text_[at_ - 1]);
      const bool sign = (c == '+' || c == '-') && (before == 'e' || before == 'p');
      const bool hexadecimal = text_[start] == '0' && lower(text_[start + 1]) == 'x';
      if (sign && before == 'e' && hexadecimal) break;
      const bool separator = c == '\'' && is_word(peek(1));
      if (!is_word(c) && c != '.' && !sign && !separator) break;
      ++at_;
    }
    const std::string_view token = text_.substr(start, at_ - start);
    const char before = previous_;
    previous_ = '1';
    Found found;
    found.literal.offset = start;
    found.literal.length = token.size();
    found.literal.line = line_;
    found.literal.on_line = literals_on_line_++;
    found.literal.constant = in_define_ || (constant_ == Constant::value && before != '[');
    if (!braces_.empty()) ++braces_.back().literals;
    found.never = !read_number(token, found.literal) || line_says_version();
    const bool trivial = found.literal.value == 0.0 || found.literal.value == 1.0;
    const bool whole_value = in_define_ || (found.literal.constant && (before == '=' || before == '{'));
    found.left_out = (trivial && !whole_value) || in_case_ || assert_depth_ != 0 || is_bit_pattern(found.literal);
    found_.push_back(std::move(found));
  }

  bool line_says_version() {
    if (version_asked_ != line_) {
      version_asked_ = line_;
      // A line of a megabyte is a table.
      const std::string_view line = text_.substr(line_start_, 400);
      says_version_ = contains(lower(line.substr(0, line.find('\n'))), "version");
    }
    return says_version_;
  }

  void punctuation(char c) {
    ++at_;
    const char before = previous_;
    previous_ = c;
    switch (c) {
      case '{':
        // "constexpr int kSize{5}", but not the body of "constexpr int size() {".
        if (constant_ == Constant::declared) constant_ = before == ')' ? Constant::none : Constant::value;
        braces_.push_back({found_.size(), 0, false});
        break;
      case '=':
        if (constant_ == Constant::declared) constant_ = Constant::value;
        break;
      case '}':
        if (!braces_.empty()) close_brace();
        break;
      case '(':
        if (constant_ == Constant::declared) constant_ = Constant::none;
        ++parentheses_;
        break;
      case ')':
        if (parentheses_ == assert_depth_) assert_depth_ = 0;
        if (parentheses_ > 0) --parentheses_;
        break;
      case ';':
        if (!braces_.empty()) braces_.back().statements = true;
        constant_ = Constant::none;
        in_case_ = false;
        assert_depth_ = 0;
        break;
      case ':':
        // "case A::b:": a double colon does not end the label.
        if (peek() == ':') {
          ++at_;
        } else {
          in_case_ = false;
        }
        break;
      default:
        break;
    }
  }

  void close_brace() {
    const Brace brace = braces_.back();
    braces_.pop_back();
    if (brace.statements) return;
    if (brace.literals > kLongestList) tables_.emplace_back(brace.first_literal, found_.size());
    if (!braces_.empty()) braces_.back().literals += brace.literals;
  }

  /// Tables lie in each other: outer ones come after the inner, so that going backwards nothing is marked twice.
  void leave_out_tables() {
    std::size_t marked_from = found_.size();
    for (auto table = tables_.rbegin(); table != tables_.rend(); ++table) {
      const std::size_t end = std::min(table->second, marked_from);
      for (std::size_t i = table->first; i < end; ++i) found_[i].left_out = true;
      marked_from = std::min(marked_from, table->first);
    }
  }

  const std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_start_ = 0;
  std::uint32_t line_ = 1;
  std::uint32_t literals_on_line_ = 0;
  char previous_ = '\0';  ///< What the last token was: its character, 'a' for a word, '1' for a number.
  bool first_on_line_ = true;
  bool continued_ = false;
  bool in_define_ = false;
  bool in_case_ = false;
  Constant constant_ = Constant::none;
  bool says_version_ = false;
  std::uint32_t version_asked_ = 0;  ///< The line that `says_version_` is about.
  std::size_t parentheses_ = 0;
  std::size_t assert_depth_ = 0;  ///< Of the parenthesis of a static_assert; 0 outside.
  std::vector<Brace> braces_;
  std::vector<Found> found_;
  std::vector<std::pair<std::size_t, std::size_t>> tables_;  ///< First literal, and one past the last.
  Hints hints_;
};

std::string in_base(std::uint64_t value, int base) {
  std::array<char, 64> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
  return error == std::errc() ? std::string(digits.data(), end) : "0";
}

}  // namespace

std::vector<Literal> tunable_literals(std::string_view text) {
  return Tokenizer(text).run();
}

std::string write_literal(const Literal& literal, double value) {
  if (!literal.integer) {
    std::string digits = fmt::format("{:.6g}", value);
    if (!contains(digits, ".") && !contains(digits, "e")) digits += ".0";
    return digits + literal.suffix;
  }
  const auto whole = static_cast<std::uint64_t>(value);
  const char* prefix = literal.base == 16 ? "0x" : literal.base == 8 ? "0" : literal.base == 2 ? "0b" : "";
  return prefix + in_base(whole, literal.base) + literal.suffix;
}

}  // namespace aiopt
