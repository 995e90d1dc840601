/// One name, one type: two types aiopt::Name in two files are one to the linker, which takes either's destructor.

#include <doctest/doctest.h>

#include <cctype>
#include <map>
#include <optional>

#include "style/repository.hpp"

using namespace aiopt;

namespace {

/// The name that a line begins to define, at the beginning of the line: neither a nested type nor a declaration.
std::optional<std::string> type_defined_in(std::string_view line) {
  for (const std::string_view keyword : {"enum class ", "class ", "struct ", "union "}) {
    if (!line.starts_with(keyword) || line.ends_with(';')) continue;
    const std::string_view rest = line.substr(keyword.size());
    std::size_t end = 0;
    while (end < rest.size() && (std::isalnum(static_cast<unsigned char>(rest[end])) != 0 || rest[end] == '_')) ++end;
    // Not `class Outer::Nested {`, which has its place in Outer, nor a function that returns `struct stat`.
    const std::string_view after = trim(rest.substr(end));
    if (end > 0 && (after.empty() || after[0] == '{' || after.starts_with("final") || after[0] == ':') &&
        !after.starts_with("::")) {
      return std::string(rest.substr(0, end));
    }
  }
  return std::nullopt;
}

using Places = std::map<std::string, std::vector<std::string>>;

void add_types(const RepositoryFile& file, Places& places) {
  each_line(file, [&](std::string_view line, std::size_t number) {
    if (const auto name = type_defined_in(line)) places[*name].push_back(place(file, number));
  });
}

/// Types of headers that are defined anywhere else too. Two .cpp files may each have, unnamed, a type of the same name.
std::vector<std::string> defined_twice(const std::vector<RepositoryFile>& files) {
  Places in_headers;
  Places in_sources;
  for (const RepositoryFile& file : files) add_types(file, file.path.ends_with(".hpp") ? in_headers : in_sources);
  std::vector<std::string> found;
  for (auto& [name, places] : in_headers) {
    const auto others = in_sources.find(name);
    if (others != in_sources.end()) places.insert(places.end(), others->second.begin(), others->second.end());
    if (places.size() > 1) found.push_back(name + ": " + joined(places));
  }
  return found;
}

}  // namespace

TEST_CASE("no type of a header has the name of another type") {
  std::vector<RepositoryFile> files;
  for (const char* folder : {"src", "include", "tests"}) {
    for (RepositoryFile& file : files_below(folder)) {
      if (is_cpp(file.path)) files.push_back(std::move(file));
    }
  }
  CHECK(joined(defined_twice(files)) == "");
  CHECK(defined_twice({{"a.hpp", "struct A {\n"}, {"b.hpp", "class A final {\n"}}).size() == 1);
  CHECK(defined_twice({{"a.hpp", "enum class A {\n"}, {"b.cpp", "struct A : B {\n"}}).size() == 1);
  CHECK(defined_twice({{"a.hpp", "struct A {\n"}, {"b.hpp", "struct A;\n  struct A {\nstruct A::B {\n"}}).empty());
  CHECK(defined_twice({{"a.cpp", "struct A {\n"}, {"b.cpp", "struct A {\n"}}).empty());
}
