/// A digest of a C or C++ text without comments and white space: see token_digest.hpp.

#include "source/token_digest.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "base/sha256.hpp"

namespace aiopt {
namespace {

struct Token {
  std::string text;  ///< Without continued lines; "\n" for the end of a directive.
  std::size_t line = 0;
  bool space_before = false;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || (c & 0x80) != 0;
}
bool is_word(char c) {
  return is_letter(c) || is_digit(c);
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v' || c == '\n';
}

/// How many characters the operator at the front has. Digraphs are taken apart: "<:" means what '[' does, but no text
/// has both.
std::size_t operator_length(std::string_view text) {
  constexpr std::array<std::string_view, 5> kThree = {"<<=", ">>=", "...", "->*", "<=>"};
  constexpr std::array<std::string_view, 22> kTwo = {"<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "++", "--", "+=",
                                                     "-=", "*=", "/=", "%=", "&=", "|=", "^=", "->", "::", ".*", "##"};
  const auto starts = [&](std::string_view sign) { return text.starts_with(sign); };
  if (std::any_of(kThree.begin(), kThree.end(), starts)) return 3;
  return std::any_of(kTwo.begin(), kTwo.end(), starts) ? 2 : 1;
}

/// Reads past continued lines as if they were not there.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) { skip_splices(); }

  std::vector<Token> run() {
    while (at_ < text_.size()) step();
    if (in_directive_) end_directive();
    return std::move(tokens_);
  }

  bool stringifies() const { return stringifies_; }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }

  char peek_second() const {
    const std::size_t next = after_splices(at_ + 1);
    return next < text_.size() ? text_[next] : '\0';
  }

  /// The index after however many "\<newline>" stand at `at`; gcc allows white space between.
  std::size_t after_splices(std::size_t at) const {
    while (at < text_.size() && text_[at] == '\\') {
      std::size_t end = at + 1;
      while (end < text_.size() && text_[end] != '\n' && is_space(text_[end])) ++end;
      if (end >= text_.size() || text_[end] != '\n') return at;
      at = end + 1;
    }
    return at;
  }

  void skip_splices() {
    const std::size_t end = after_splices(at_);
    line_ += static_cast<std::size_t>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                                 text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    at_ = end;
  }

  /// Takes one character.
  char take() {
    const char c = text_[at_];
    if (c == '\n') ++line_;
    ++at_;
    skip_splices();
    return c;
  }

  void emit(std::string text, std::size_t line) {
    tokens_.push_back({std::move(text), line, space_});
    space_ = false;
    first_on_line_ = false;
  }

  void end_directive() {
    tokens_.push_back({"\n", line_, false});
    in_directive_ = false;
  }

  void step() {
    const char c = peek();
    if (is_space(c)) {
      if (c == '\n') {
        if (in_directive_) end_directive();
        first_on_line_ = true;
      }
      take();
      space_ = true;
      return;
    }
    if (c == '/' && peek_second() == '/') {
      while (!at_end() && peek() != '\n') take();
      space_ = true;
      return;
    }
    if (c == '/' && peek_second() == '*') return block_comment();
    const std::size_t line = line_;
    if (c == '#') return hash(line);
    if (c == '"' || c == '\'') return emit(quoted(), line);
    if (is_digit(c) || (c == '.' && is_digit(peek_second()))) return emit(number(), line);
    if (is_letter(c)) return word(line);
    sign(line);
  }

  void block_comment() {
    take();
    take();
    while (!at_end() && !(peek() == '*' && peek_second() == '/')) take();
    if (!at_end()) take();
    if (!at_end()) take();
    space_ = true;
  }

  void hash(std::size_t line) {
    if (!first_on_line_) {
      take();
      const bool pastes = peek() == '#';
      if (pastes) take();
      stringifies_ = stringifies_ || !pastes;
      return emit(pastes ? "##" : "#", line);
    }
    take();
    // A line of its own: what stood before it on other lines is another.
    if (!tokens_.empty() && tokens_.back().text != "\n") tokens_.push_back({"\n", line, false});
    emit("#", line);
    in_directive_ = true;
    blanks();
    std::string name;
    while (!at_end() && is_word(peek())) name += take();
    const bool includes = name == "include" || name == "include_next" || name == "import";
    const bool defines = name == "define";
    emit(std::move(name), line);
    blanks();
    if (includes && peek() == '<') header_name();
    if (defines) {
      std::string macro;
      while (!at_end() && is_word(peek())) macro += take();
      if (peek() == '(') macro += '(';  // With parameters; the bracket itself comes once more.
      emit(std::move(macro), line);
    }
  }

  /// Within a directive.
  void blanks() {
    for (;;) {
      if (!at_end() && is_space(peek()) && peek() != '\n') {
        take();
      } else if (peek() == '/' && peek_second() == '*') {
        block_comment();
      } else {
        return;
      }
    }
  }

  /// "<a//b.h>": no comment begins in it.
  void header_name() {
    const std::size_t line = line_;
    std::string name;
    while (!at_end() && peek() != '\n') {
      name += take();
      if (name.back() == '>') break;
    }
    emit(std::move(name), line);
  }

  /// A string or a character with its suffix. One that does not end, ends with its line.
  std::string quoted() {
    std::string literal(1, take());
    while (!at_end() && peek() != '\n') {
      literal += take();
      if (literal.back() == literal.front()) break;
      if (literal.back() == '\\' && !at_end() && peek() != '\n') literal += take();
    }
    while (!at_end() && is_word(peek())) literal += take();
    return literal;
  }

  /// A preprocessing number ([lex.ppnumber]).
  std::string number() {
    std::string literal(1, take());
    while (!at_end()) {
      const char c = peek();
      const char last = literal.back();
      const bool exponent = (c == '+' || c == '-') && (last == 'e' || last == 'E' || last == 'p' || last == 'P');
      if (!is_word(c) && c != '.' && !exponent && !(c == '\'' && is_word(peek_second()))) break;
      literal += take();
    }
    return literal;
  }

  void word(std::size_t line) {
    std::string name;
    while (!at_end() && is_word(peek())) name += take();
    const bool prefixes = name == "L" || name == "u" || name == "U" || name == "u8";
    const bool raw = name == "R" || name == "LR" || name == "uR" || name == "UR" || name == "u8R";
    if (peek() == '"' && raw) {
      name += raw_string();
    } else if (peek() == '"' || peek() == '\'') {
      if (prefixes) name += quoted();
    }
    emit(std::move(name), line);
  }

  /// As it stands: continued lines are part of it.
  std::string raw_string() {
    constexpr std::size_t kLongestDelimiter = 16;
    const std::size_t begin = at_;
    const std::size_t delimiter_length = text_.substr(begin + 1, kLongestDelimiter + 1).find('(');
    if (delimiter_length == std::string_view::npos) return quoted();
    const std::string end = ')' + std::string(text_.substr(begin + 1, delimiter_length)) + '"';
    const std::size_t found = text_.find(end, begin);
    const std::size_t stop = found == std::string_view::npos ? text_.size() : found + end.size();
    std::string literal(text_.substr(begin, stop - begin));
    line_ += static_cast<std::size_t>(std::count(literal.begin(), literal.end(), '\n'));
    at_ = stop;
    skip_splices();
    while (!at_end() && is_word(peek())) literal += take();
    return literal;
  }

  void sign(std::size_t line) {
    std::array<char, 3> ahead{};
    std::size_t at = at_;
    for (char& c : ahead) {
      if (at >= text_.size()) break;
      c = text_[at];
      at = after_splices(at + 1);
    }
    std::string text;
    for (std::size_t left = operator_length({ahead.data(), ahead.size()}); left > 0; --left) text += take();
    emit(std::move(text), line);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  bool space_ = false;
  bool first_on_line_ = true;
  bool in_directive_ = false;
  bool stringifies_ = false;
  std::vector<Token> tokens_;
};

/// Whether the program can see where in its text it stands.
bool sees_white_space(const Token& token) {
  const std::string& text = token.text;
  if (text.empty() || !is_letter(text.front())) return false;
  if (text == "__LINE__" || text == "__COUNTER__" || text == "source_location" || text == "__builtin_LINE") return true;
  std::string lower = text;
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower.find("assert") != std::string::npos && lower != "static_assert" && lower != "_static_assert";
}

bool is_c_or_cpp(const std::string& path) {
  constexpr std::array<std::string_view, 17> kEndings = {".c",   ".h",   ".cc",  ".hh",  ".cpp", ".hpp",
                                                         ".cxx", ".hxx", ".c++", ".h++", ".C",   ".H",
                                                         ".inl", ".ipp", ".tcc", ".cu",  ".cuh"};
  return std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) { return path.ends_with(ending); });
}

}  // namespace

std::string token_digest(std::string_view text) {
  Scanner scanner(text);
  const std::vector<Token> tokens = scanner.run();
  const bool keeps = scanner.stringifies() || std::any_of(tokens.begin(), tokens.end(), sees_white_space);
  Sha256 digest;
  digest.update(keeps ? "lines\n" : "tokens\n");
  for (const Token& token : tokens) {
    if (keeps) digest.update(fmt::format("{}{}", token.line, token.space_before ? ' ' : '.'));
    digest.update(fmt::format("{}:", token.text.size()));
    digest.update(token.text);
  }
  return digest.hex_digest();
}

std::string token_digest(const SourceTree& tree) {
  return TokenDigests().of(tree);
}

std::string TokenDigests::of(const SourceTree& tree) {
  Sha256 digest;
  for (const auto& [path, file] : tree) {
    digest.update(path);
    digest.update(std::string_view("\0", 1));
    if (!is_c_or_cpp(path)) {
      digest.update(file.sha256);
      continue;
    }
    const auto [known, is_new] = by_sha256_.try_emplace(file.sha256);
    if (is_new) known->second = token_digest(std::string_view(*file.text));
    digest.update(known->second);
  }
  return digest.hex_digest();
}

}  // namespace aiopt
