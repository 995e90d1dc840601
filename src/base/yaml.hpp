/// YAML with places: each node knows its line, so that a mistake can be named by where it stands.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>

namespace aiopt {

/// A value of a YAML file, read-only. Scalars are kept as written and typed by whoever reads them.
class YamlNode {
 public:
  enum class Kind { null, scalar, sequence, map };

  Kind kind() const { return kind_; }
  int line() const { return line_; }  ///< 1-based: that of its key, or of the item itself.
  /// What mistakes call it: its key, "editable[2]" for an item (counted from 1), "" for the whole file.
  const std::string& name() const { return name_; }

  /// The items of a sequence, or the values of a map by their place in the file.
  const std::vector<YamlNode>& children() const { return children_; }

  /// The value of that key; null if there is none or nothing is written after it.
  const YamlNode* find(std::string_view key) const;

  /// Error::Code::invalid_argument, "task.yaml:12: <what>".
  Error mistake(std::string_view what) const;

  /// "task.yaml:12: unknown key 'benchmrk'; did you mean 'benchmark'?", or else all that is known.
  Error unknown(std::string_view what, std::string_view given, const std::vector<std::string>& known) const;

  /// "... 'pairs' must be <expected>, not a list". The first never quotes the value: it may be a secret.
  Error wrong_kind(std::string_view expected) const;
  Error wrong_value(std::string_view expected) const;

  /// A mistake if this is no map, or has a key that is not known.
  Result<void> check_keys(const std::vector<std::string>& known) const;

  /// The getters fail on the wrong kind, naming node, place and what was expected.
  Result<std::string> text() const;
  Result<double> number(double lowest, double highest) const;  ///< Finite, bounds included.
  Result<std::uint64_t> whole_number(std::uint64_t lowest, std::uint64_t highest) const;
  Result<bool> boolean() const;  ///< true or false, and no other spelling.

 private:
  friend class YamlTreeBuilder;
  friend Result<YamlNode> parse_yaml(std::string_view text, std::string_view file);

  Error must_be(std::string_view expected, std::string_view given) const;

  Kind kind_ = Kind::null;
  bool quoted_ = false;
  int line_ = 0;
  std::string name_;
  std::string text_;
  std::vector<YamlNode> children_;
  std::shared_ptr<const std::string> file_;
};

/// The text in quotes, made fit for a message of one line: shortened, control characters and broken UTF-8 replaced.
std::string quoted_for_message(std::string_view text);

/// Reads one document. `file` names it in errors. Refused, each with its line: text over 1 MiB, NUL bytes and broken
/// UTF-8, keys given twice, aliases and tags (nothing here needs them, and aliases can blow up), more than 24 levels
/// or 50,000 values, a second document.
Result<YamlNode> parse_yaml(std::string_view text, std::string_view file);

}  // namespace aiopt
