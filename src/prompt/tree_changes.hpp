/// What one tree has other than another, line by line, in a form that is short enough for a prompt.

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/source_tree.hpp>

namespace aiopt {

/// A run of lines that were replaced. Views into the texts compared.
struct LineChange {
  std::size_t first_line =
      1;  ///< 1-based, in the old text: where `removed` begins, or the line before which `added` goes.
  std::vector<std::string_view> removed;
  std::vector<std::string_view> added;
};

/// Bram Cohen's patience diff, one level deep: lines that occur once in both texts and keep their order are anchors,
/// and between two anchors only the common head and tail are taken off. No process, no quadratic time; longer than
/// git's where whole blocks of lines repeat.
std::vector<LineChange> line_changes(std::string_view from, std::string_view to);

/// All of it as text: "src/wal.cc, line 10:" and lines with - and +; the middle is left out beyond the limit.
std::string describe_changes(const SourceTree& from, const SourceTree& to, std::size_t limit_bytes);

}  // namespace aiopt
