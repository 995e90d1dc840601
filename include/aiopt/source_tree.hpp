/// SourceTree: the editable files of a candidate, as an immutable value.

#pragma once

#include <map>
#include <memory>
#include <string>

namespace aiopt {

/// The content of one file, shared between all the trees that have it.
struct SourceFile {
  std::shared_ptr<const std::string> text;
  std::string sha256;  ///< Of the text, in hex.
};

/// The editable files by path, relative to the task's source, with '/'. Copying costs one map
/// of pointers: trees that differ in one file share the rest.
using SourceTree = std::map<std::string, SourceFile>;

/// What identifies a tree: SHA-256, in hex, over each path and the digest of its text.
std::string tree_sha256(const SourceTree& tree);

/// A file with its digest.
SourceFile make_source_file(std::string text);

}  // namespace aiopt
