/// Template over kainjow mustache, whose header is seen here alone.

#include "prompt/template.hpp"

#include <exception>
#include <kainjow/mustache.hpp>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"

namespace aiopt {

namespace mustache = kainjow::mustache;

struct Template::Impl {
  explicit Impl(const std::string& text) : parsed(text) {
    parsed.set_custom_escape([](const std::string& value) { return value; });
  }
  mustache::mustache parsed;
};

namespace {

Error bad_template(std::string why) {
  return Error{Error::Code::invalid_argument, std::move(why)};
}

/// The library does not tell which names a text uses, so the tags are read here once more.
Result<std::vector<std::string>> names_in(std::string_view text) {
  std::set<std::string> names;
  for (std::size_t at = text.find("{{"); at != std::string_view::npos; at = text.find("{{", at)) {
    const std::size_t end = text.find("}}", at);
    if (end == std::string_view::npos) return bad_template("a '{{' is not closed by '}}'");
    std::string_view tag = trim(text.substr(at + 2, end - at - 2));
    at = end + 2;
    if (tag.empty()) return bad_template("a placeholder '{{}}' has no name");
    if (tag.front() == '!') continue;
    if (tag.front() == '>' || tag.front() == '=' || tag.front() == '{') {
      return bad_template(fmt::format("'{{{{{}' is not understood; only {{{{name}}}} and sections are", tag));
    }
    if (tag.front() == '#' || tag.front() == '^' || tag.front() == '/' || tag.front() == '&') tag = trim(tag.substr(1));
    names.emplace(tag);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

mustache::data to_mustache(const TemplateValues& values) {
  mustache::data data;
  for (const auto& [name, text] : values.texts) {
    // An empty text hides its section: mustache itself takes any string for true.
    data[name] = text.empty() ? mustache::data(mustache::data::type::bool_false) : mustache::data(text);
  }
  for (const auto& [name, items] : values.lists) {
    mustache::data list(mustache::data::type::list);
    for (const TemplateValues& item : items) list.push_back(to_mustache(item));
    data[name] = std::move(list);
  }
  return data;
}

}  // namespace

Result<Template> Template::parse(const std::string& text) {
  Result<std::vector<std::string>> names = names_in(text);
  if (!names) return names.error();
  try {
    auto impl = std::make_unique<Impl>(text);
    if (!impl->parsed.is_valid()) return bad_template(impl->parsed.error_message());
    return Template(std::move(impl), *std::move(names));
  } catch (const std::exception& error) {
    return bad_template(error.what());
  }
}

Template::Template(std::unique_ptr<Impl> impl, std::vector<std::string> names)
    : impl_(std::move(impl)), names_(std::move(names)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

std::string Template::render(const TemplateValues& values) const {
  std::string text;
  impl_->parsed.render(to_mustache(values), [&text](const std::string& piece) { text += piece; });
  return text;
}

}  // namespace aiopt
