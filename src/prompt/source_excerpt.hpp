/// The source around a place that a profile names, out of a candidate's tree.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <aiopt/source_tree.hpp>

namespace aiopt {

/// The file of the tree that a profile calls so, or null. Debug information has absolute paths of some workspace, or
/// relative ones of some build folder: of two paths the shorter one must be the end of the longer, component by
/// component. The longest path of the tree that ends the profile's rules; a profile's path that ends several of the
/// tree's tells none. The system's own headers are no file of the tree, whatever they are called.
const SourceTree::value_type* find_source(const SourceTree& tree, std::string_view profile_path);

/// Lines of a file, from 1, both included.
struct LineRange {
  std::size_t first = 1;
  std::size_t last = 0;

  bool contains(std::size_t line) const { return first <= line && line <= last; }
  bool operator==(const LineRange&) const = default;
};

/// The lines of the function that holds `line`, if it is found and has no more than `function_lines`; else `around`
/// lines before and after. Empty if the file has no such line.
///
/// Functions are found by their indentation: from a line with a name and '(' that stands less far in than `line` and
/// opens a brace, to the first '}' that stands as far in as that. That is how clang-format and most people write them;
/// where they do not, or where `line` is in a class or a macro alone, the lines around are given.
LineRange lines_around(std::string_view text, std::size_t line, std::size_t function_lines, std::size_t around);

/// The lines, each with its number before it, ">" before that of `marked`, and at most 200 bytes of it. Valid UTF-8.
std::string numbered_lines(std::string_view text, const LineRange& range, std::size_t marked);

}  // namespace aiopt
