/// Reads the editable files of a source, and compares trees.

#include "source/source_tree.hpp"

#include <algorithm>
#include <fstream>
#include <system_error>

#include <fmt/format.h>

#include "base/files.hpp"
#include "base/glob.hpp"
#include "source/cache_tag.hpp"
#include "source/evolve_block.hpp"
#include "source/git.hpp"
#include "source/text_lines.hpp"

namespace aiopt {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxTreeBytes = std::size_t{256} << 20;

/// The folders of a pattern before its first wild card: "src/db/*.cc" -> "src/db/". Nothing outside can match.
std::string_view literal_folder(std::string_view pattern) {
  const std::string_view literal = pattern.substr(0, pattern.find_first_of("*?[{\\"));
  return literal.substr(0, literal.rfind('/') + 1);
}

class TreeLoader {
 public:
  TreeLoader(const fs::path& source, const std::vector<std::string>& editable)
      : source_(source), editable_(editable), matched_(editable.size(), false) {}

  Result<SourceTree> load() {
    for (const std::string& pattern : editable_) {
      if (glob_is_valid(pattern)) continue;
      return Error{Error::Code::invalid_argument,
                   fmt::format("editable: cannot read the pattern {}; write it relative to the source, as src/*.cc",
                               in_backticks(pattern))};
    }
    if (auto walked = walk(source_, ""); !walked) return walked.error();
    for (std::size_t i = 0; i < editable_.size(); ++i) {
      if (matched_[i]) continue;
      return Error{Error::Code::invalid_argument, fmt::format("editable: no text file below {} matches {}",
                                                              source_.string(), in_backticks(editable_[i]))};
    }
    return std::move(tree_);
  }

 private:
  bool may_hold_matches(const std::string& folder) const {
    return std::any_of(editable_.begin(), editable_.end(), [&](const std::string& pattern) {
      const std::string_view literal = literal_folder(pattern);
      return literal.starts_with(folder) || folder.starts_with(literal);
    });
  }

  /// `prefix` is the folder's path relative to the source, with a '/' at its end.
  Result<void> walk(const fs::path& folder, const std::string& prefix) {
    std::error_code failure;
    fs::directory_iterator entries(folder, failure);
    if (failure) return cannot_read(folder, failure);
    for (; entries != fs::directory_iterator(); entries.increment(failure)) {
      const fs::directory_entry& entry = *entries;
      const std::string name = entry.path().filename().string();
      const fs::file_status status = entry.symlink_status(failure);
      if (failure) return cannot_read(entry.path(), failure);
      if (fs::is_directory(status)) {
        const std::string inner = prefix + name + '/';
        if (name == ".git" || !may_hold_matches(inner) || is_left_out(entry.path())) continue;
        if (auto walked = walk(entry.path(), inner); !walked) return walked;
      } else if (fs::is_regular_file(status)) {
        if (auto taken = take_file(entry.path(), prefix + name); !taken) return taken;
      }
    }
    if (failure) return cannot_read(folder, failure);
    return {};
  }

  static Error cannot_read(const fs::path& path, const std::error_code& failure) {
    return {Error::Code::io, fmt::format("cannot read {}: {}", path.string(), failure.message())};
  }

  Result<void> take_file(const fs::path& file, const std::string& path) {
    std::vector<std::size_t> matching;
    for (std::size_t i = 0; i < editable_.size(); ++i) {
      if (glob_matches(editable_[i], path)) matching.push_back(i);
    }
    if (matching.empty()) return {};
    auto text = read_file(file, kMaxSourceFileBytes);
    if (!text) return text.error();
    if (text->find('\0') != std::string::npos) return {};
    const auto blocks = find_evolve_blocks(*text);
    if (!blocks) {
      return Error{Error::Code::invalid_argument, fmt::format("{}: {}", file.string(), blocks.error().message)};
    }
    bytes_ += text->size();
    if (bytes_ > kMaxTreeBytes) {
      return Error{Error::Code::invalid_argument,
                   fmt::format("editable: more than {} MiB of files match; name fewer", kMaxTreeBytes >> 20)};
    }
    for (const std::size_t i : matching) matched_[i] = true;
    tree_[path] = make_source_file(std::move(*text));
    return {};
  }

  const fs::path& source_;
  const std::vector<std::string>& editable_;
  std::vector<bool> matched_;
  SourceTree tree_;
  std::size_t bytes_ = 0;
};

Result<void> write_text(const fs::path& file, const std::string& text) {
  std::error_code failure;
  fs::create_directories(file.parent_path(), failure);
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (failure || !out) return Error{Error::Code::io, fmt::format("cannot write {}", file.string())};
  return {};
}

/// "diff --git b/x b/x" -> "diff --git a/x b/x": for a file that is new or goes, git names one side twice.
std::string with_both_sides(std::string_view head) {
  constexpr std::string_view kStart = "diff --git ";
  std::string line(head);
  const std::size_t first = kStart.size() + (line[kStart.size()] == '"' ? 1 : 0);
  // Both names are equally long.
  const std::size_t half = kStart.size() + (line.size() - kStart.size()) / 2 + 1;
  const std::size_t second = half + (line[half] == '"' ? 1 : 0);
  line[first] = 'a';
  line[second] = 'b';
  return line;
}

std::string with_corrected_heads(std::string_view diff) {
  std::string corrected;
  corrected.reserve(diff.size());
  LineReader lines(diff);
  while (const auto line = lines.next()) {
    if (!line->starts_with("diff --git ")) {  // Every line of a hunk begins with ' ', '+', '-' or '\'.
      corrected += *line;
      continue;
    }
    corrected += with_both_sides(line->substr(0, line->size() - 1));
    corrected += '\n';
  }
  return corrected;
}

Result<std::string> diff_in(const fs::path& folder, const SourceTree& from, const SourceTree& to) {
  std::error_code failure;
  for (const char* const side : {"a", "b"}) fs::create_directory(folder / side, failure);
  bool equal = true;
  const auto write_changed = [&](const SourceTree& tree, const SourceTree& other, const char* side) -> Result<void> {
    for (const auto& [path, file] : tree) {
      const auto same = other.find(path);
      if (same != other.end() && same->second.sha256 == file.sha256) continue;
      equal = false;
      if (auto written = write_text(folder / side / path, *file.text); !written) return written;
    }
    return {};
  };
  if (auto written = write_changed(from, to, "a"); !written) return written.error();
  if (auto written = write_changed(to, from, "b"); !written) return written.error();
  if (equal) return std::string();

  // Without prefixes of git's, the folders' names stand where "a/" and "b/" are expected.
  const auto diff =
      run_git(folder,
              {"-c", "core.quotePath=false", "-c", "core.attributesFile=/dev/null", "diff", "--no-index", "--no-color",
               "--no-ext-diff", "--no-textconv", "--no-renames", "--text", "--no-prefix", "--unified=3",
               "--inter-hunk-context=0", "--diff-algorithm=histogram", "--full-index", "a", "b"},
              {{"GIT_CEILING_DIRECTORIES", folder.parent_path().string()}});
  if (!diff) return diff.error();
  if (diff->exit_code() != 1) {
    return Error{Error::Code::io,
                 fmt::format("git diff failed ({}): {}", diff->how_it_ended(), in_backticks(diff->output))};
  }
  return with_corrected_heads(diff->out);
}

}  // namespace

Result<SourceTree> load_source_tree(const fs::path& source, const std::vector<std::string>& editable) {
  if (editable.empty()) {
    return Error{Error::Code::invalid_argument, "editable: names no files; give patterns such as src/*.cc"};
  }
  return TreeLoader(source, editable).load();
}

Result<std::string> unified_diff(const SourceTree& from, const SourceTree& to) {
  try {
    const TemporaryFolder folder("aiopt-diff-");
    return diff_in(folder.path(), from, to);
  } catch (const fs::filesystem_error& failure) {
    return Error{Error::Code::io, failure.what()};
  }
}

}  // namespace aiopt
