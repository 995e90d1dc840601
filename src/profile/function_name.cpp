/// Cuts a demangled name down, by its brackets. The grammar of mangled names: Itanium C++ ABI, 5.1.

#include "profile/function_name.hpp"

#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <memory>
#include <optional>

namespace aiopt {

namespace {

constexpr std::size_t kLongestName = 256;
constexpr std::size_t kLongestTemplateArguments = 24;
constexpr std::size_t kLongestMangled = 4096;
/// Each reference to an earlier part can repeat all that came before it: two double a name, 80 would make it larger
/// than memory.
constexpr int kMostBackReferences = 40;
constexpr std::string_view kAnonymous = "(anonymous namespace)";

bool is_identifier(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$';
}

/// Where the bracket that opens at `open` closes; npos if it does not. Within round ones, '<' and '>' may be operators.
std::size_t closing_bracket(std::string_view text, std::size_t open) {
  const char opening = text[open];
  const char closing = opening == '<' ? '>' : opening == '(' ? ')' : opening == '{' ? '}' : ']';
  int depth = 0;
  int round = 0;
  for (std::size_t i = open; i < text.size(); ++i) {
    if (opening == '<' && text[i] == '(') ++round;
    if (opening == '<' && text[i] == ')') --round;
    if (round != 0 || (opening == '<' && text[i] == '>' && text[i - 1] == '-')) continue;
    if (text[i] == opening) ++depth;
    if (text[i] == closing && --depth == 0) return i;
  }
  return std::string_view::npos;
}

/// The length of what follows "operator" at the start of `text`: "()", "<<", " new[]", " unsigned long".
std::size_t operator_length(std::string_view text) {
  constexpr std::array<std::string_view, 46> kOperators = {
      "()", "[]", " new[]", " delete[]", " new", " delete", "<=>", "<<=",       ">>=",   "->*", "<<", ">>",
      "<=", ">=", "==",     "!=",        "&&",   "||",      "++",  "--",        "->",    "+=",  "-=", "*=",
      "/=", "%=", "^=",     "&=",        "|=",   "+",       "-",   "*",         "/",     "%",   "^",  "&",
      "|",  "~",  "!",      "=",         "<",    ">",       ",",   " co_await", "\"\" ", "\"\""};
  for (const std::string_view symbol : kOperators) {
    if (!text.starts_with(symbol)) continue;
    std::size_t length = symbol.size();
    if (symbol.starts_with('"')) {
      while (length < text.size() && is_identifier(text[length])) ++length;
    }
    return length;
  }
  // A conversion: its type goes on to the arguments.
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') return i;
    if (text[i] != '<') continue;
    const std::size_t close = closing_bracket(text, i);
    if (close == std::string_view::npos) return text.size();
    i = close;
  }
  return text.size();
}

/// Reads a demangled name from its front to its end.
class NameShortener {
 public:
  explicit NameShortener(std::string_view text) : text_(text) {}

  std::string shorten() {
    while (at_ < text_.size() && is_sound_) step();
    return is_sound_ && !name_.empty() ? name_ : std::string(text_);
  }

 private:
  void step() {
    const std::string_view rest = text_.substr(at_);
    const char c = rest[0];
    if (rest.starts_with(kAnonymous)) return keep(kAnonymous.size());
    if (rest.starts_with(" [clone")) return skip(rest.size());
    if (rest.starts_with("[abi:")) return skip_bracket();
    if (is_operator_here(rest)) return keep_operator();
    if (c == '<') return keep_template_arguments();
    if (c == '{') return keep_braces();
    if (c == '(') {
      skip_bracket();
      return skip_qualifiers();
    }
    if (c == ' ') {  // What stood before it was the return type.
      name_.clear();
      return skip(1);
    }
    keep(1);
  }

  void keep(std::size_t length) {
    name_ += text_.substr(at_, length);
    at_ += length;
  }
  void skip(std::size_t length) { at_ += length; }

  /// The length of the bracket here, both ends with it. 0 if it does not close: this is no name that we know.
  std::size_t bracket() {
    const std::size_t close = closing_bracket(text_, at_);
    is_sound_ = close != std::string_view::npos;
    return is_sound_ ? close + 1 - at_ : 0;
  }
  void skip_bracket() { skip(bracket()); }

  bool is_operator_here(std::string_view rest) const {
    constexpr std::string_view kWord = "operator";
    return rest.starts_with(kWord) && rest.size() > kWord.size() && !is_identifier(rest[kWord.size()]) &&
           (at_ == 0 || !is_identifier(text_[at_ - 1]));
  }

  void keep_operator() {
    constexpr std::size_t kWord = 8;
    const std::size_t length = kWord + operator_length(text_.substr(at_ + kWord));
    if (name_.ends_with("}::") && text_.substr(at_, length) == "operator()") {  // The lambda itself says as much.
      name_.resize(name_.size() - 2);
      skip(length);
      if (at_ < text_.size() && text_[at_] == '<') skip_bracket();  // Its arguments are "auto".
    } else {
      keep(length);
    }
    if (text_.substr(at_).starts_with(" <")) skip(1);  // "operator<< <char>"
  }

  void keep_template_arguments() {
    const std::size_t length = bracket();
    if (length <= kLongestTemplateArguments) return keep(length);
    name_ += "<...>";
    skip(length);
  }

  /// "{lambda(int, char)#2}" without its arguments; "{unnamed type#1}" as it is.
  void keep_braces() {
    const std::size_t length = bracket();
    const std::string_view braces = text_.substr(at_, length);
    const std::size_t number = braces.rfind('#');
    if (!braces.starts_with("{lambda(") || number == std::string_view::npos) return keep(length);
    name_ += "{lambda";
    name_ += braces.substr(number);
    skip(length);
  }

  /// " const &" and the like behind the arguments: up to what is within the function, or to the end.
  void skip_qualifiers() {
    if (at_ < text_.size() && text_[at_] == ' ') at_ = std::min(text_.find("::", at_), text_.size());
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string name_;
  bool is_sound_ = true;
};

std::string_view without_suffixes(std::string_view symbol) {
  const std::size_t version = symbol.find('@');
  if (version != std::string_view::npos && version > 0) symbol = symbol.substr(0, version);
  for (const std::string_view clone :
       {".isra.", ".part.", ".constprop.", ".cold", ".lto_priv.", ".llvm.", ".localalias", ".clone."}) {
    const std::size_t at = symbol.find(clone);
    if (at != std::string_view::npos && at > 0) symbol = symbol.substr(0, at);
  }
  return symbol;
}

/// How many "S_", "S1A_", "T_", "T0_" there are, or seem to be.
int count_back_references(std::string_view mangled) {
  int count = 0;
  for (std::size_t i = 0; i + 1 < mangled.size(); ++i) {
    if (mangled[i] != 'S' && mangled[i] != 'T') continue;
    std::size_t end = i + 1;
    while (end < mangled.size() &&
           (std::isdigit(static_cast<unsigned char>(mangled[end])) != 0 ||
            (mangled[i] == 'S' && std::isupper(static_cast<unsigned char>(mangled[end])) != 0))) {
      ++end;
    }
    if (end < mangled.size() && mangled[end] == '_') ++count;
  }
  return count;
}

std::optional<std::string> demangle(std::string_view mangled) {
  if (mangled.size() > kLongestMangled || count_back_references(mangled) > kMostBackReferences) return std::nullopt;
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> name(
      abi::__cxa_demangle(std::string(mangled).c_str(), nullptr, nullptr, &status), std::free);
  if (name == nullptr || status != 0) return std::nullopt;
  return std::string(name.get());
}

/// "_ZN7rocksdb6DBImpl5WriteIiE..." -> "rocksdb::DBImpl::Write": names up to the first thing that is none.
std::string leading_names(std::string_view mangled) {
  mangled.remove_prefix(2);
  if (mangled.starts_with('N')) mangled.remove_prefix(1);
  mangled.remove_prefix(std::min(mangled.find_first_not_of("rVKRO"), mangled.size()));
  std::string names;
  if (mangled.starts_with("St")) {
    names = "std";
    mangled.remove_prefix(2);
  }
  while (!mangled.empty() && std::isdigit(static_cast<unsigned char>(mangled[0])) != 0) {
    std::size_t length = 0;
    while (!mangled.empty() && std::isdigit(static_cast<unsigned char>(mangled[0])) != 0 && length < kLongestMangled) {
      length = length * 10 + static_cast<std::size_t>(mangled[0] - '0');
      mangled.remove_prefix(1);
    }
    if (length == 0 || length > mangled.size()) return "";
    if (!names.empty()) names += "::";
    const std::string_view name = mangled.substr(0, length);
    names += name.starts_with("_GLOBAL__N") ? kAnonymous : name;
    mangled.remove_prefix(length);
  }
  return names;
}

std::string bounded_name(std::string name) {
  if (name.size() <= kLongestName) return name;
  return name.substr(0, kLongestName - 3) + "...";
}

}  // namespace

std::string shorten_function_name(std::string_view demangled) {
  return bounded_name(NameShortener(demangled).shorten());
}

std::string function_name_of(std::string_view symbol) {
  symbol = without_suffixes(symbol);
  if (!symbol.starts_with("_Z")) return bounded_name(std::string(symbol));
  if (const std::optional<std::string> demangled = demangle(symbol)) return shorten_function_name(*demangled);
  const std::string names = leading_names(symbol);
  return bounded_name(names.empty() ? std::string(symbol) : names);
}

}  // namespace aiopt
