/// The files of this source tree, as the style tests look at them.

#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"

namespace aiopt {

struct RepositoryFile {
  std::string path;  ///< From the root, with '/'.
  std::string text;
};

inline std::filesystem::path repository_root() {
  const char* root = std::getenv("AIOPT_SOURCE_ROOT");
  if (root == nullptr) throw std::runtime_error("AIOPT_SOURCE_ROOT is not set: run the tests by `meson test`");
  return root;
}

/// What is no part of the source: build folders, runs, git's own.
inline bool is_ignored(const std::string& name) {
  return name.starts_with("build") || name == "aiopt-runs" || name.ends_with(".aiopt") || name == ".cache" ||
         name == ".git";
}

/// Whether examples/NAME/fetch put the folder there: other people's code, which git ignores.
inline bool is_fetched(const std::filesystem::path& folder) {
  return folder.filename().string().starts_with("source") && std::filesystem::exists(folder.parent_path() / "fetch");
}

/// All regular files below that folder of the root, by path; none if it is not there.
inline std::vector<RepositoryFile> files_below(const std::string& folder) {
  namespace fs = std::filesystem;
  const fs::path root = repository_root();
  std::vector<RepositoryFile> files;
  if (!fs::is_directory(root / folder)) return files;
  for (auto entry = fs::recursive_directory_iterator(root / folder); entry != fs::end(entry); ++entry) {
    const bool is_left_out = is_ignored(entry->path().filename().string()) || is_fetched(entry->path());
    if (entry->is_directory() && is_left_out) entry.disable_recursion_pending();
    if (entry->is_symlink() || !entry->is_regular_file()) continue;
    std::ifstream file(entry->path(), std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(file), {});
    files.push_back({entry->path().lexically_relative(root).generic_string(), std::move(text)});
  }
  const auto by_path = [](const RepositoryFile& a, const RepositoryFile& b) { return a.path < b.path; };
  std::sort(files.begin(), files.end(), by_path);
  return files;
}

inline bool is_cpp(std::string_view path) {
  return path.ends_with(".cpp") || path.ends_with(".hpp") || path.ends_with(".cc") || path.ends_with(".h");
}

/// Calls visit(line, number), counting from 1.
template <typename Visit>
void each_line(const RepositoryFile& file, Visit visit) {
  std::size_t number = 0;
  for (const std::string_view line : split_lines(file.text)) visit(line, ++number);
}

inline std::string place(const RepositoryFile& file, std::size_t line) {
  return file.path + ":" + std::to_string(line);
}

/// One a line, so that doctest shows them whole.
inline std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace aiopt
