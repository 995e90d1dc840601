/// Template: a text with {{name}} placeholders, read once and filled in often (mustache(5)).

#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>

namespace aiopt {

/// What a template is filled in with.
struct TemplateValues {
  /// {{name}} becomes the text as it is, nothing in it is escaped or read as a placeholder.
  /// {{#name}}...{{/name}} shows its inside if the text is not empty, {{^name}}...{{/name}} if it is.
  std::map<std::string, std::string> texts;
  /// {{#name}}...{{/name}} shows its inside once for each.
  std::map<std::string, std::vector<TemplateValues>> lists;
};

/// Thread-compatible.
class Template {
 public:
  /// invalid_argument says what is wrong with the text: a placeholder or section that is not closed, or one of
  /// mustache's other tags ({{>partial}}, {{=delimiters=}}).
  static Result<Template> parse(const std::string& text);

  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  /// Every name the text uses, of placeholders and of sections, each once, sorted.
  const std::vector<std::string>& names() const { return names_; }

  /// A name without a value is as an empty text.
  std::string render(const TemplateValues& values) const;

 private:
  struct Impl;
  Template(std::unique_ptr<Impl> impl, std::vector<std::string> names);
  std::unique_ptr<Impl> impl_;
  std::vector<std::string> names_;
};

}  // namespace aiopt
