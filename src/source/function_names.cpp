/// A light scanner over C and C++: see function_names.hpp.
///
/// Outside functions it collects the tokens of a declaration's head; at '{' it decides from them what the brace opens.
/// Inside functions it only counts braces. Where #if ... #else gives two heads for one body, the second branch starts
/// over from the state before the #if.

#include "source/function_names.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include <fmt/format.h>

#include "source/source_tree.hpp"
#include "source/text_lines.hpp"

namespace aiopt {
namespace {

constexpr std::size_t kMaxHeadTokens = 256;
constexpr std::size_t kMaxScopes = 64;
constexpr std::size_t kMaxConditions = 64;
constexpr std::size_t kLongestFunctionName = 256;  // With the limits above: what #if copies stays small.
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

enum CharacterClass : unsigned char { kPlain, kSpace, kWord, kQuote, kSlash, kHash, kOpen, kClose };

constexpr std::array<unsigned char, 256> make_classes() {
  std::array<unsigned char, 256> classes{};
  for (const char c : {' ', '\t', '\n', '\r', '\f', '\v'}) classes[static_cast<unsigned char>(c)] = kSpace;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
    if (letter || (c >= '0' && c <= '9')) classes[c] = kWord;
  }
  classes['"'] = classes['\''] = kQuote;
  classes['/'] = kSlash;
  classes['#'] = kHash;
  classes['{'] = kOpen;
  classes['}'] = kClose;
  return classes;
}
constexpr std::array<unsigned char, 256> kClasses = make_classes();

CharacterClass class_of(char c) {
  return static_cast<CharacterClass>(kClasses[static_cast<unsigned char>(c)]);
}

bool is_any(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

struct Token {
  enum class Kind { word, sign, braces };  ///< braces: "{...}" whole, in a constructor's initialisers.
  Kind kind = Kind::sign;
  std::string_view text;
  std::size_t partner = kNone;  ///< Of a bracket: index of the other one.
  std::size_t depth = 0;        ///< Brackets around it, angle brackets too.
};

/// A head: the tokens of a declaration up to its '{'.
using Head = std::vector<Token>;

/// Pairs (), [] and <>. A '<' without its '>' was a comparison.
void pair_brackets(Head& head, std::vector<std::size_t>& open) {
  open.clear();
  for (std::size_t i = 0; i < head.size(); ++i) {
    if (head[i].kind != Token::Kind::sign) continue;
    const char sign = head[i].text.front();
    const bool angle = sign == '<' && i > 0 && head[i - 1].kind == Token::Kind::word;
    if (sign == '(' || sign == '[' || angle) {
      open.push_back(i);
    } else if (sign == ')' || sign == ']' || sign == '>') {
      const char opening = sign == ')' ? '(' : sign == ']' ? '[' : '<';
      if (sign != '>') {
        while (!open.empty() && head[open.back()].text.front() == '<') open.pop_back();
      }
      if (open.empty() || head[open.back()].text.front() != opening) continue;
      head[open.back()].partner = i;
      head[i].partner = open.back();
      open.pop_back();
    }
  }
  std::size_t depth = 0;
  for (std::size_t i = 0; i < head.size(); ++i) {
    const bool paired = head[i].partner != kNone;
    if (paired && head[i].partner < i) --depth;
    head[i].depth = depth;
    if (paired && head[i].partner > i) ++depth;
  }
}

bool is_sign(const Head& head, std::size_t i, std::string_view text) {
  return i < head.size() && head[i].kind == Token::Kind::sign && head[i].text == text;
}

bool is_word(const Head& head, std::size_t i) {
  return i < head.size() && head[i].kind == Token::Kind::word;
}

/// Past "template <...>" and "requires ..." clauses' brackets, attributes and specifiers that take brackets.
bool takes_brackets(std::string_view word) {
  return is_any(word,
                {"noexcept", "decltype", "alignas", "__attribute__", "__declspec", "requires", "throw", "explicit",
                 "sizeof", "typeof", "__typeof__", "asm", "__asm__", "alignof", "_Alignas", "static_assert"});
}

bool is_builtin_type(std::string_view word) {
  return is_any(word, {"void", "int", "char", "bool", "short", "long", "float", "double", "unsigned", "signed", "auto",
                       "const", "volatile"});
}

/// The name that ends at token `last`: "Wal::append", "Foo<T>::~Foo" as "Foo::~Foo".
std::string name_ending_at(const Head& head, std::size_t last) {
  constexpr std::size_t kMostParts = 16;
  std::array<std::size_t, kMostParts> parts;  // From the last to the first.
  std::size_t count = 0;
  for (std::size_t i = last; count < kMostParts;) {
    if (is_sign(head, i, ">") && head[i].partner != kNone && head[i].partner > 0) i = head[i].partner - 1;
    if (!is_word(head, i)) break;
    parts[count++] = i;
    if (i > 0 && is_sign(head, i - 1, "~")) --i;
    if (i < 2 || !is_sign(head, i - 1, "::")) break;
    i -= 2;
  }
  std::string name;
  while (count > 0) {
    const std::size_t part = parts[--count];
    if (!name.empty()) name += "::";
    if (part > 0 && is_sign(head, part - 1, "~")) name += '~';
    name += head[part].text;
  }
  return name;
}

struct Opened {
  enum class Kind { scope, function, nothing };
  Kind kind = Kind::scope;
  std::string name;
};

/// Index of the bracket that opens the parameters of a function, or kNone.
std::size_t find_parameters(const Head& head) {
  std::size_t found = kNone;
  for (std::size_t i = 1; i < head.size(); ++i) {
    if (head[i].depth != 0) continue;
    if (found != kNone && (is_sign(head, i, ":") || is_sign(head, i, "->"))) break;
    if (!is_sign(head, i, "(") || head[i].partner == kNone) continue;
    const bool named = is_word(head, i - 1) || (is_sign(head, i - 1, ">") && head[i - 1].partner != kNone);
    if (!named || takes_brackets(head[i - 1].text)) continue;
    found = i;
    // "MACRO(x) void f(": a word that is no specifier and takes no brackets follows, so this was a macro.
    const std::size_t next = head[i].partner + 1;
    const bool macro = is_word(head, next) && !is_sign(head, next + 1, "(") &&
                       !is_any(head[next].text, {"const", "volatile", "noexcept", "override", "final", "mutable", "try",
                                                 "requires", "throw", "__attribute__"}) &&
                       std::any_of(head.begin() + static_cast<std::ptrdiff_t>(next), head.end(),
                                   [](const Token& token) { return token.text == "(" && token.depth == 0; });
    if (!macro) break;
  }
  return found;
}

/// The index after "template <...>", however many.
std::size_t after_templates(const Head& head) {
  std::size_t i = 0;
  while (is_word(head, i) && head[i].text == "template" && is_sign(head, i + 1, "<") && head[i + 1].partner != kNone) {
    i = head[i + 1].partner + 1;
  }
  return i;
}

std::string namespace_name(const Head& head, std::size_t keyword) {
  std::string name;
  for (std::size_t i = keyword + 1; i < head.size(); ++i) {
    if (head[i].depth != 0 || takes_brackets(head[i].text)) continue;
    if (!is_word(head, i) || head[i].text == "inline") continue;
    if (!name.empty()) name += "::";
    name += head[i].text;
  }
  return name;
}

/// "class EXPORT Foo<int> final : public Base" -> "Foo"
std::string class_name(const Head& head, std::size_t keyword) {
  std::size_t last = kNone;
  for (std::size_t i = keyword + 1; i < head.size(); ++i) {
    if (head[i].depth != 0) continue;
    if (is_sign(head, i, ":")) break;
    if (is_word(head, i) && head[i].text != "final" && !takes_brackets(head[i].text) && !is_sign(head, i + 1, "("))
      last = i;
  }
  return last == kNone ? "" : name_ending_at(head, last);
}

/// "struct Foo {", "class EXPORT(x) Foo : Base {", but not "struct Foo make(int) {".
bool is_class(const Head& head, std::size_t keyword) {
  for (std::size_t i = keyword + 1; i < head.size(); ++i) {
    if (head[i].depth != 0) continue;
    if (is_sign(head, i, ":")) return true;
    if (!is_sign(head, i, "(") || head[i].partner == kNone || takes_brackets(head[i - 1].text)) continue;
    const std::size_t next = head[i].partner + 1;
    const bool macro = i == keyword + 2 && is_word(head, next) && !is_any(head[next].text, {"const", "noexcept"});
    if (!macro) return false;
  }
  return true;
}

Opened what_opens(Head& head, std::vector<std::size_t>& scratch) {
  pair_brackets(head, scratch);
  const std::size_t first = after_templates(head);
  for (std::size_t i = first; i < head.size(); ++i) {
    if (head[i].depth != 0) continue;
    if (is_sign(head, i, "=")) return {Opened::Kind::nothing, ""};
    if (!is_word(head, i)) continue;
    if (head[i].text == "namespace") return {Opened::Kind::scope, namespace_name(head, i)};
    if (head[i].text == "enum") return {Opened::Kind::nothing, ""};
    if (is_any(head[i].text, {"class", "struct", "union"}) && is_class(head, i)) {
      return {Opened::Kind::scope, class_name(head, i)};
    }
  }
  const std::size_t parameters = find_parameters(head);
  if (parameters == kNone) return {Opened::Kind::scope, ""};
  std::size_t last = parameters - 1;
  if (is_word(head, last) && is_builtin_type(head[last].text)) {
    // "void (*f(int))(char)": a function that returns a pointer to one has its name inside.
    for (std::size_t i = parameters + 1; i < head[parameters].partner; ++i) {
      if (is_word(head, i) && is_sign(head, i + 1, "(")) last = i;
    }
  }
  std::string name = name_ending_at(head, last);
  if (is_any(name, {"if", "for", "while", "switch", "catch", "return", "do", "else"}))
    return {Opened::Kind::nothing, ""};
  return {Opened::Kind::function, std::move(name)};
}

class FunctionScanner {
 public:
  FunctionScanner(std::string_view text, std::size_t until) : text_(text), until_(std::min(until, text.size())) {}

  std::vector<FunctionSpan> scan() {
    while (position_ < until_ || (position_ < text_.size() && !is_between_declarations())) {
      if (state_.body_depth > 0) {
        scan_body();
      } else {
        scan_declaration();
      }
    }
    if (state_.body_depth > 0) close_function();  // Cut off: what is there belongs to it.
    return std::move(found_);
  }

 private:
  /// What #else goes back to.
  struct State {
    std::vector<std::string> scopes;  ///< One for each open brace outside functions.
    Head head;
    std::size_t head_begin = 0;
    std::size_t brackets = 0;    ///< Open ( in the head.
    std::size_t body_depth = 0;  ///< Braces open within a function or initialiser; 0 outside.
    bool keeps_head = false;     ///< The braces belong to the head: "a_{1}" or "f(int x = {})".
    bool is_function = false;
    std::size_t function_begin = 0;
    std::string function_name;
  };

  struct Condition {
    State before;
    std::size_t found = 0;  ///< Functions found before it.
  };

  bool is_between_declarations() const { return state_.body_depth == 0 && state_.head.empty(); }

  char at(std::size_t index) const { return index < text_.size() ? text_[index] : '\0'; }

  /// Past a comment; false if the slash at position_ starts none.
  bool skip_comment() {
    if (at(position_ + 1) == '*') {
      const std::size_t end = find_text(text_, "*/", position_ + 2);
      position_ = end == std::string_view::npos ? text_.size() : end + 2;
      return true;
    }
    if (at(position_ + 1) != '/') return false;
    skip_line();
    return true;
  }

  /// To the '\n' that ends the line; a backslash before it takes the next line in.
  void skip_line() {
    for (;;) {
      position_ = std::min(text_.find('\n', position_), text_.size());
      std::size_t last = position_;
      if (last > 0 && at(last - 1) == '\r') --last;
      if (position_ == text_.size() || last == 0 || text_[last - 1] != '\\') return;
      ++position_;
    }
  }

  /// Past the literal whose quote is at position_.
  void skip_literal() {
    const char quote = text_[position_];
    if (quote == '"' && position_ > 0 && text_[position_ - 1] == 'R' && is_raw_prefix()) return skip_raw_string();
    for (++position_; position_ < text_.size(); ++position_) {
      const char c = text_[position_];
      if (c == '\\') {
        ++position_;
      } else if (c == quote) {
        ++position_;
        return;
      } else if (c == '\n') {
        return;  // Not closed: #error text, or an apostrophe where none may be.
      }
    }
    position_ = std::min(position_, text_.size());
  }

  /// Whether the R before the quote is a prefix (R, LR, uR, UR, u8R) and not the end of a word.
  bool is_raw_prefix() const {
    std::size_t begin = position_ - 1;
    while (begin > 0 && position_ - begin < 4 && class_of(text_[begin - 1]) == kWord) --begin;
    return is_any(text_.substr(begin, position_ - begin), {"R", "LR", "uR", "UR", "u8R"});
  }

  void skip_raw_string() {
    const std::size_t open = text_.find('(', position_);
    constexpr std::size_t kLongestDelimiter = 16;  // [lex.string]
    if (open == std::string_view::npos || open - position_ - 1 > kLongestDelimiter) {
      ++position_;
      return;
    }
    const std::string close = fmt::format("){}\"", text_.substr(position_ + 1, open - position_ - 1));
    const std::size_t end = find_text(text_, close, open);
    position_ = end == std::string_view::npos ? text_.size() : end + close.size();
  }

  /// Past "1'000'000": position_ is at the apostrophe; false if a character literal starts there.
  bool skip_digit_separator() {
    constexpr std::size_t kLongestNumber = 64;
    if (position_ == 0 || class_of(text_[position_ - 1]) != kWord || class_of(at(position_ + 1)) != kWord) return false;
    std::size_t begin = position_ - 1;
    while (begin > 0 && position_ - begin < kLongestNumber && class_of(text_[begin - 1]) == kWord) --begin;
    if (std::isdigit(static_cast<unsigned char>(text_[begin])) == 0) return false;
    while (class_of(at(position_)) == kWord || (at(position_) == '\'' && class_of(at(position_ + 1)) == kWord))
      ++position_;
    return true;
  }

  bool at_line_start() const {
    std::size_t i = position_;
    while (i > 0 && (text_[i - 1] == ' ' || text_[i - 1] == '\t')) --i;
    return i == 0 || text_[i - 1] == '\n';
  }

  void skip_directive() {
    std::size_t word = position_ + 1;
    while (at(word) == ' ' || at(word) == '\t') ++word;
    const std::string_view rest = text_.substr(std::min(word, text_.size()), 6);
    if (rest.starts_with("if")) {
      if (conditions_.size() < kMaxConditions) conditions_.push_back({state_, found_.size()});
      ++condition_depth_;
    } else if (rest.starts_with("el")) {
      if (condition_depth_ > 0 && condition_depth_ == conditions_.size()) leave_branch(conditions_.back());
    } else if (rest.starts_with("endif")) {
      if (condition_depth_ == 0) return skip_line();
      if (condition_depth_ == conditions_.size()) conditions_.pop_back();
      --condition_depth_;
    }
    skip_line();
  }

  /// A function that this branch opened ends here; one that was open before goes on.
  void leave_branch(const Condition& condition) {
    const State& before = condition.before;
    if (state_.body_depth > 0 && state_.is_function && before.body_depth == 0) close_function();
    // This branch ended a function that was open before, and so will the next: that one counts.
    const bool ended = before.body_depth > 0 && before.is_function && found_.size() > condition.found;
    if (ended) found_.resize(condition.found);
    state_ = before;
  }

  void close_function() {
    if (state_.is_function) found_.push_back({state_.function_begin, position_, state_.function_name});
    state_.is_function = false;
    state_.body_depth = 0;
  }

  /// To the next character that may matter in a body.
  void skip_plain() {
    const char* const begin = text_.data();
    const char* const end = begin + text_.size();
    const char* at = begin + position_;
    while (at < end && class_of(*at) <= kWord) ++at;
    position_ = static_cast<std::size_t>(at - begin);
  }

  void scan_body() {
    for (skip_plain(); position_ < text_.size(); skip_plain()) {
      switch (class_of(text_[position_])) {
        case kPlain:
        case kSpace:
        case kWord:
          break;
        case kQuote:
          if (text_[position_] == '"' || !skip_digit_separator()) skip_literal();
          break;
        case kSlash:
          if (!skip_comment()) ++position_;
          break;
        case kHash:
          if (!at_line_start()) {
            ++position_;
            break;
          }
          skip_directive();
          if (state_.body_depth == 0) return;
          break;
        case kOpen:
          ++state_.body_depth;
          ++position_;
          break;
        case kClose:
          ++position_;
          if (--state_.body_depth > 0) break;
          return leave_braces();
      }
    }
  }

  void leave_braces() {
    if (state_.is_function) close_function();
    if (state_.keeps_head) {
      add_token(Token::Kind::braces, position_ - 1, 1);
      state_.keeps_head = false;
    } else {
      reset_head();
    }
  }

  void reset_head() {
    state_.head.clear();
    state_.brackets = 0;
  }

  void add_token(Token::Kind kind, std::size_t begin, std::size_t size) {
    if (state_.head.empty()) state_.head_begin = begin;
    if (state_.head.size() >= kMaxHeadTokens)
      state_.head.pop_back();  // Names stand early; the last sign decides at '{'.
    state_.head.push_back({kind, text_.substr(begin, size), kNone, 0});
  }

  void scan_declaration() {
    const char c = text_[position_];
    switch (class_of(c)) {
      case kSpace:
        ++position_;
        return;
      case kWord:
        return scan_word();
      case kQuote:
        skip_literal();
        return;
      case kSlash:
        if (!skip_comment()) ++position_;
        return;
      case kHash:
        if (at_line_start()) return skip_directive();
        ++position_;
        return;
      case kOpen:
        return open_brace();
      case kClose:
        if (!state_.scopes.empty()) state_.scopes.pop_back();
        reset_head();
        ++position_;
        return;
      case kPlain:
        return scan_sign(c);
    }
  }

  void scan_word() {
    const std::size_t begin = position_;
    const bool number = std::isdigit(static_cast<unsigned char>(text_[begin])) != 0;
    while (class_of(at(position_)) == kWord || (number && at(position_) == '\'')) ++position_;
    const std::string_view word = text_.substr(begin, position_ - begin);
    if ((at(position_) == '"' || at(position_) == '\'') && word.size() <= 3) return;  // A literal's prefix.
    if (word == "operator") return scan_operator(begin);
    add_token(Token::Kind::word, begin, word.size());
  }

  /// "operator==", "operator()", "operator new[]", "operator std::string": one word up to its parameters.
  void scan_operator(std::size_t begin) {
    constexpr std::size_t kLongest = 200;
    std::size_t end = position_;
    while (class_of(at(end)) == kSpace && end < text_.size()) ++end;
    if (at(end) == '(') {  // operator()
      end = std::min(text_.find(')', end), text_.size() - 1) + 1;
    }
    while (end < text_.size() && end - begin < kLongest && at(end) != '(' && at(end) != ';' && at(end) != '{') ++end;
    position_ = end;
    add_token(Token::Kind::word, begin, without_trailing_blanks(text_.substr(begin, end - begin)).size());
  }

  void scan_sign(char c) {
    const std::size_t begin = position_++;
    if (c == ';' && state_.brackets == 0) return reset_head();
    std::size_t size = 1;
    if ((c == ':' && at(position_) == ':') || (c == '-' && at(position_) == '>')) size = 2;
    // "==", "<=", "!=" are no assignments.
    if ((c == '=' || c == '<' || c == '!' || c == '>') && at(position_) == '=') size = 2;
    position_ = begin + size;
    if (c == '(') ++state_.brackets;
    if (c == ')' && state_.brackets > 0) --state_.brackets;
    if (c == ':' && size == 1 && is_access_specifier()) return reset_head();
    add_token(Token::Kind::sign, begin, size);
  }

  bool is_access_specifier() const {
    return !state_.head.empty() && state_.head.size() <= 2 &&
           is_any(state_.head.front().text, {"public", "private", "protected", "signals", "slots"});
  }

  void open_brace() {
    // A brace in the first column inside brackets: they were never closed, start over.
    const bool stray = state_.brackets > 0 && (position_ == 0 || text_[position_ - 1] == '\n');
    if (stray) state_.brackets = 0;
    ++position_;
    state_.is_function = false;
    state_.keeps_head = state_.brackets > 0 || opens_member_initialiser();
    if (state_.keeps_head) {
      state_.body_depth = 1;
      return;
    }
    Opened opened = what_opens(state_.head, scratch_);
    if (opened.kind == Opened::Kind::scope && state_.scopes.size() < kMaxScopes) {
      if (opened.name.size() > kLongestFunctionName) opened.name.clear();
      state_.scopes.push_back(std::move(opened.name));
      return reset_head();
    }
    state_.body_depth = 1;
    if (opened.kind == Opened::Kind::function) {
      state_.is_function = true;
      state_.function_begin = state_.head_begin;
      state_.function_name = qualified(opened.name);
    }
    reset_head();
  }

  /// "Foo(int a) : a_{a}, b_{1} {": the braces after a_ and b_, which a word or a template's '>' precedes.
  bool opens_member_initialiser() const {
    const Head& head = state_.head;
    if (head.empty() || head.size() >= kMaxHeadTokens) return false;
    const bool after_name = head.back().kind == Token::Kind::word || head.back().text == ">";
    if (!after_name) return false;
    // After a parameter list and a ':', at the outermost level, nothing but an initialiser has this shape.
    std::size_t depth = 0;
    for (std::size_t i = head.size(); i-- > 1;) {
      const std::string_view sign = head[i].kind == Token::Kind::sign ? head[i].text : std::string_view();
      if (sign == ")") ++depth;
      if (sign == "(" && depth > 0) --depth;
      if (depth > 0) continue;
      if (sign == "?" || sign == "=" || sign == ";") return false;
      if (sign == ":") return head[i - 1].text == ")" || is_any(head[i - 1].text, {"noexcept", "try"});
    }
    return false;
  }

  std::string qualified(const std::string& name) const {
    std::string whole;
    for (const std::string& scope : state_.scopes) {
      if (!scope.empty()) whole += scope + "::";
    }
    return whole + name;
  }

  std::string_view text_;
  std::size_t until_;
  std::size_t position_ = 0;
  State state_;
  std::vector<Condition> conditions_;
  std::size_t condition_depth_ = 0;
  std::vector<FunctionSpan> found_;
  std::vector<std::size_t> scratch_;
};

}  // namespace

std::vector<FunctionSpan> find_functions(std::string_view text, std::size_t until) {
  return FunctionScanner(text, until).scan();
}

const FunctionSpan* function_at(const std::vector<FunctionSpan>& functions, std::size_t offset) {
  const auto after = std::upper_bound(functions.begin(), functions.end(), offset,
                                      [](std::size_t value, const FunctionSpan& span) { return value < span.begin; });
  if (after == functions.begin()) return nullptr;
  const FunctionSpan& span = *std::prev(after);
  return offset < span.end ? &span : nullptr;
}

std::string function_at_line(std::string_view text, int line) {
  if (line < 1) return "";
  std::size_t offset = 0;
  for (int at = 1; at < line; ++at) {
    offset = text.find('\n', offset);
    if (offset == std::string_view::npos) return "";
    ++offset;
  }
  // What stands on the line, not the white space before it.
  offset = text.find_first_not_of(" \t", offset);
  const std::vector<FunctionSpan> functions = find_functions(text);
  const FunctionSpan* function = function_at(functions, offset);
  return function != nullptr ? function->name : "";
}

}  // namespace aiopt
