/// yaml-cpp's events, made into a tree whose nodes know their lines.

#include "base/yaml.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <exception>
#include <optional>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include "base/text.hpp"

namespace aiopt {
namespace {

constexpr std::size_t kLargestTextBytes = 1'048'576;
constexpr std::size_t kDeepestNesting = 24;
constexpr std::size_t kMostNodes = 50'000;
constexpr std::size_t kLongestQuoteBytes = 60;

std::string at_line(std::string_view file, int line, std::string_view what) {
  return line > 0 ? fmt::format("{}:{}: {}", file, line, what) : fmt::format("{}: {}", file, what);
}

int line_of_byte(std::string_view text, std::size_t offset) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

bool steers_a_terminal(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// What yaml-cpp should not even be shown.
std::optional<Error> refuse_bytes(std::string_view text, std::string_view file) {
  if (text.size() > kLargestTextBytes) {
    return Error{Error::Code::invalid_argument, fmt::format("{}: is larger than 1 MiB", file)};
  }
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return Error{Error::Code::invalid_argument, at_line(file, line_of_byte(text, nul), "holds a NUL byte: no text")};
  }
  const std::string valid = valid_utf8(text);
  if (valid == text) return std::nullopt;
  const auto broken = std::mismatch(text.begin(), text.end(), valid.begin(), valid.end()).first - text.begin();
  return Error{Error::Code::invalid_argument,
               at_line(file, line_of_byte(text, static_cast<std::size_t>(broken)), "is not valid UTF-8")};
}

/// CR LF and CR end a line too (YAML 1.2, 5.4); yaml-cpp knows CR LF alone, and loses the end of the file over a CR.
std::string with_unix_lines(std::string_view text) {
  std::string lines;
  lines.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\r') {
      lines += text[at];
    } else if (!text.substr(at + 1).starts_with('\n')) {
      lines += '\n';
    }
  }
  return lines;
}

/// Tabs that indent make yaml-cpp complain of something else, or of nothing that helps.
bool is_indented_by_tab(std::string_view text, int line) {
  const std::vector<std::string_view> lines = split_lines(text);
  if (line < 1 || static_cast<std::size_t>(line) > lines.size()) return false;
  const std::string_view in_question = lines[static_cast<std::size_t>(line) - 1];
  return in_question.substr(0, in_question.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}

template <typename T>
std::optional<T> whole_text_as(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

/// Builds the tree. Throws yaml-cpp's own exception where it refuses: that ends the parse, however deep it is.
class YamlTreeBuilder : public YAML::EventHandler {
 public:
  explicit YamlTreeBuilder(std::shared_ptr<const std::string> file) : file_(std::move(file)) {}

  YamlNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) refuse(mark, "a second document begins here; only one is read");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    if (awaits_key()) refuse(mark, "a key must be text");
    add(node_at(mark, YamlNode::Kind::null));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "aliases are not read; write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
    check_tag(mark, tag);
    if (value.find('\0') != std::string::npos) refuse(mark, "holds a NUL character");
    if (awaits_key()) return begin_entry(mark, value);
    YamlNode node = node_at(mark, YamlNode::Kind::scalar);
    node.text_ = value;
    node.quoted_ = tag != "?";
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, YamlNode::Kind::sequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, YAML::EmitterStyle::value) override {
    open(mark, tag, YamlNode::Kind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  /// A sequence or map whose end has not come yet.
  struct Open {
    YamlNode node;
    std::set<std::string, std::less<>> keys;
    std::optional<std::pair<std::string, int>> key;  ///< With its line; the value comes next.
  };

  [[noreturn]] static void refuse(const YAML::Mark& mark, const std::string& why) {
    throw YAML::ParserException(mark, why);
  }

  /// "?" is yaml-cpp's tag for a plain value, "!" for a quoted one.
  static void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") refuse(mark, "tags are not read; write the plain value");
  }

  bool awaits_key() const {
    return !open_.empty() && open_.back().node.kind_ == YamlNode::Kind::map && !open_.back().key;
  }

  void begin_entry(const YAML::Mark& mark, const std::string& key) {
    if (!open_.back().keys.insert(key).second) {
      refuse(mark, fmt::format("key {} is there twice", quoted_for_message(key)));
    }
    open_.back().key.emplace(key, mark.line + 1);
  }

  YamlNode node_at(const YAML::Mark& mark, YamlNode::Kind kind) {
    if (++nodes_ > kMostNodes) refuse(mark, fmt::format("has more than {} values", kMostNodes));
    YamlNode node;
    node.kind_ = kind;
    node.file_ = file_;
    node.line_ = mark.line + 1;
    if (open_.empty()) return node;
    if (open_.back().key) {
      std::tie(node.name_, node.line_) = *open_.back().key;
    } else {
      node.name_ = fmt::format("{}[{}]", open_.back().node.name_, open_.back().node.children_.size() + 1);
    }
    return node;
  }

  void open(const YAML::Mark& mark, const std::string& tag, YamlNode::Kind kind) {
    check_tag(mark, tag);
    if (awaits_key()) refuse(mark, "a key must be text");
    if (open_.size() == kDeepestNesting) refuse(mark, fmt::format("is nested more than {} deep", kDeepestNesting));
    YamlNode node = node_at(mark, kind);
    open_.push_back({std::move(node), {}, {}});
  }

  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    open_.back().node.children_.push_back(std::move(node));
    open_.back().key.reset();
  }

  std::shared_ptr<const std::string> file_;
  YamlNode root_;
  std::vector<Open> open_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

const YamlNode* YamlNode::find(std::string_view key) const {
  if (kind_ != Kind::map) return nullptr;
  for (const YamlNode& child : children_) {
    if (child.name_ == key) return child.kind_ == Kind::null ? nullptr : &child;
  }
  return nullptr;
}

Error YamlNode::mistake(std::string_view what) const {
  return {Error::Code::invalid_argument, at_line(*file_, line_, what)};
}

Error YamlNode::unknown(std::string_view what, std::string_view given, const std::vector<std::string>& known) const {
  const std::string nearest = nearest_name(given, known);
  const std::string hint =
      nearest.empty() ? fmt::format("known: {}", fmt::join(known, ", ")) : fmt::format("did you mean '{}'?", nearest);
  return mistake(fmt::format("unknown {} {}; {}", what, quoted_for_message(given), hint));
}

Result<void> YamlNode::check_keys(const std::vector<std::string>& known) const {
  if (kind_ != Kind::map) return wrong_kind("a map of keys");
  for (const YamlNode& child : children_) {
    if (std::find(known.begin(), known.end(), child.name_) == known.end()) {
      return child.unknown("key", child.name_, known);
    }
  }
  return {};
}

Result<std::string> YamlNode::text() const {
  if (kind_ != Kind::scalar) return wrong_kind("text");
  return text_;
}

Result<double> YamlNode::number(double lowest, double highest) const {
  const std::optional<double> value = kind_ == Kind::scalar && !quoted_ ? whole_text_as<double>(text_) : std::nullopt;
  // Written so that NaN is refused.
  if (!value || !(*value >= lowest && *value <= highest) || !std::isfinite(*value)) {
    return wrong_value(fmt::format("a number from {} to {}", lowest, highest));
  }
  return *value;
}

Result<std::uint64_t> YamlNode::whole_number(std::uint64_t lowest, std::uint64_t highest) const {
  const std::optional<std::uint64_t> value =
      kind_ == Kind::scalar && !quoted_ ? whole_text_as<std::uint64_t>(text_) : std::nullopt;
  if (!value || *value < lowest || *value > highest) {
    return wrong_value(fmt::format("a whole number from {} to {}", lowest, highest));
  }
  return *value;
}

Result<bool> YamlNode::boolean() const {
  if (kind_ == Kind::scalar && !quoted_ && text_ == "true") return true;
  if (kind_ == Kind::scalar && !quoted_ && text_ == "false") return false;
  return wrong_value("true or false");
}

Error YamlNode::wrong_kind(std::string_view expected) const {
  constexpr std::array<std::string_view, 4> kKindNames = {"empty", "text", "a list", "a map"};
  return must_be(expected, kKindNames.at(static_cast<std::size_t>(kind_)));
}

Error YamlNode::wrong_value(std::string_view expected) const {
  if (kind_ != Kind::scalar) return wrong_kind(expected);
  return must_be(expected, quoted_ ? "text in quotes" : quoted_for_message(text_));
}

Error YamlNode::must_be(std::string_view expected, std::string_view given) const {
  const std::string subject = name_.empty() ? "the file" : quoted_for_message(name_);
  return mistake(fmt::format("{} must be {}, not {}", subject, expected, given));
}

std::string quoted_for_message(std::string_view text) {
  // A cut character at the end becomes U+FFFD.
  std::string quoted = valid_utf8(text.substr(0, kLongestQuoteBytes));
  std::replace_if(quoted.begin(), quoted.end(), steers_a_terminal, ' ');
  return fmt::format("'{}{}'", quoted, text.size() > kLongestQuoteBytes ? "..." : "");
}

Result<YamlNode> parse_yaml(std::string_view text, std::string_view file) {
  if (std::optional<Error> refused = refuse_bytes(text, file)) return *std::move(refused);
  const std::string lines = with_unix_lines(text);
  const auto shared_file = std::make_shared<const std::string>(file);
  YamlTreeBuilder builder(shared_file);
  try {
    std::istringstream stream(lines);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& refused) {
    const int line = refused.mark.is_null() ? 0 : refused.mark.line + 1;
    const std::string_view hint =
        is_indented_by_tab(lines, line) ? " (indent by spaces: this line begins with a tab)" : "";
    return Error{Error::Code::invalid_argument, at_line(file, line, fmt::format("{}{}", refused.msg, hint))};
  } catch (const std::exception& refused) {
    return Error{Error::Code::invalid_argument, fmt::format("{}: cannot be read as YAML: {}", file, refused.what())};
  }
  YamlNode root = builder.take_root();
  root.file_ = shared_file;
  return root;
}

}  // namespace aiopt
