/// Applies a patch to a tree in memory: see patch_apply.hpp.

#include "source/patch_apply.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/glob.hpp"
#include "base/text.hpp"
#include "source/evolve_block.hpp"
#include "source/function_names.hpp"
#include "source/patch_parser.hpp"
#include "source/source_tree.hpp"
#include "source/text_lines.hpp"
#include "source/text_match.hpp"

namespace aiopt {
namespace {

/// A tolerant search costs some ten times an exact one: a thousand of them in the largest file would take a minute.
constexpr std::size_t kMaxLooselySearched = std::size_t{64} << 20;
constexpr std::size_t kMaxPathBytes = 1024;

Error refused(std::string message) {
  return {Error::Code::invalid_argument, std::move(message)};
}

/// A changed line of the new text.
struct ChangedLine {
  std::size_t offset = 0;
  std::size_t weight = 1;  ///< How many removed lines it stands for, if nothing took their place.
};

/// A file that the patch touches, as the edits so far leave it.
struct OpenFile {
  const SourceFile* parent = nullptr;  ///< Null if the patch makes the file.
  bool exists = false;
  std::string content;
  std::vector<ChangedLine> changed_lines;
};

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

/// "./src//wal.cc" is a clumsy way to write a path; "../x", "/x" and ".git/x" are no way at all.
Result<std::string> checked_path(std::string_view path, const PatchRules& rules) {
  while (path.starts_with("./")) path.remove_prefix(2);
  if (path.empty()) return refused("an edit names no file");
  if (path.size() > kMaxPathBytes) return refused(fmt::format("the path {} is too long", in_backticks(path)));
  const std::string shown = in_backticks(path);
  const bool control =
      std::any_of(path.begin(), path.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
  if (control) return refused(fmt::format("the path {} holds control characters", shown));
  if (path.find('\\') != std::string_view::npos)
    return refused(fmt::format("the path {} holds a backslash; write '/'", shown));
  if (path.front() == '/') {
    return refused(fmt::format("the path {} is absolute; write it relative to the top of the source", shown));
  }
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part == "..") return refused(fmt::format("the path {} leaves the source by '..'", shown));
    if (part == ".git") return refused(fmt::format("the path {} lies in .git, which must not change", shown));
    if (part.empty() || part == ".") return refused(fmt::format("the path {} has an empty part", shown));
    begin = end + 1;
  }
  const bool editable = std::any_of(rules.editable.begin(), rules.editable.end(),
                                    [&](const std::string& pattern) { return glob_matches(pattern, path); });
  if (!editable) {
    return refused(fmt::format("{} may not change; editable are: {}", shown, fmt::join(rules.editable, ", ")));
  }
  return std::string(path);
}

/// Bytes that stand in `after` and not in `before`, a common head and tail left out.
std::size_t added_bytes(std::string_view before, std::string_view after) {
  const auto head = static_cast<std::size_t>(
      std::mismatch(before.begin(), before.end(), after.begin(), after.end()).second - after.begin());
  before.remove_prefix(head);
  after.remove_prefix(head);
  const auto tail = static_cast<std::size_t>(
      std::mismatch(before.rbegin(), before.rend(), after.rbegin(), after.rend()).second - after.rbegin());
  return after.size() - tail;
}

/// Offset of the first letter of the line at `offset`: a function's head begins there, not at the margin.
std::size_t first_letter(std::string_view text, std::size_t offset) {
  while (offset < text.size() && (text[offset] == ' ' || text[offset] == '\t')) ++offset;
  return offset;
}

/// The lines of `after` that `before` does not have, as offsets into `after`. Lines that only moved count if nothing
/// else changed. Linear: a multiset of lines, no alignment.
std::vector<ChangedLine> changed_lines(std::string_view before, std::string_view after) {
  std::vector<std::string_view> old_lines;
  std::vector<std::string_view> new_lines;
  LineReader old_reader(before);
  while (const auto line = old_reader.next()) old_lines.push_back(*line);
  LineReader new_reader(after);
  while (const auto line = new_reader.next()) new_lines.push_back(*line);
  const std::size_t shorter = std::min(old_lines.size(), new_lines.size());
  std::size_t head = 0;
  while (head < shorter && old_lines[head] == new_lines[head]) ++head;
  std::size_t tail = 0;
  while (tail < shorter - head && old_lines[old_lines.size() - 1 - tail] == new_lines[new_lines.size() - 1 - tail])
    ++tail;

  const std::size_t new_end = new_lines.size() - tail;
  const std::size_t old_end = old_lines.size() - tail;
  const auto offset_of = [&](std::size_t index) {
    return index < new_lines.size() ? static_cast<std::size_t>(new_lines[index].data() - after.data()) : after.size();
  };
  std::unordered_map<std::string_view, std::size_t> old_count;
  if (old_end > head && new_end > head + 1) {
    for (std::size_t i = head; i < old_end; ++i) ++old_count[old_lines[i]];
  }
  std::vector<ChangedLine> changed;
  for (std::size_t i = head; i < new_end; ++i) {
    const auto old_line = old_count.find(new_lines[i]);
    if (old_line != old_count.end() && old_line->second > 0) {
      --old_line->second;
    } else {
      changed.push_back({offset_of(i), 1});
    }
  }
  const std::size_t removed = old_end - head;
  if (changed.empty() && (removed > 0 || new_end > head))
    changed.push_back({offset_of(head), std::max<std::size_t>(removed, 1)});
  return changed;
}

class PatchApplication {
 public:
  PatchApplication(const SourceTree& parent, const PatchRules& rules) : parent_(parent), rules_(rules) {}

  Result<AppliedPatch> apply(const Patch& patch) {
    if (patch.edits.size() > kMaxEdits) {
      return refused(fmt::format("the patch has {} edits; at most {} are taken", patch.edits.size(), kMaxEdits));
    }
    for (std::size_t i = 0; i < patch.edits.size(); ++i) {
      auto applied = apply_edit(patch.edits[i]);
      if (!applied && patch.edits.size() > 1) {
        return refused(fmt::format("edit {} of {}: {}", i + 1, patch.edits.size(), applied.error().message));
      }
      if (!applied) return applied.error();
    }
    return finish();
  }

 private:
  Result<void> apply_edit(const Edit& edit) {
    auto path = checked_path(edit.path, rules_);
    if (!path) return path.error();
    if (has_nul(edit.search) || has_nul(edit.text)) {
      return refused(fmt::format("{}: the patch is binary; only text files can be changed", *path));
    }
    OpenFile& file = open(*path);
    switch (edit.kind) {
      case Edit::Kind::replace:
        return apply_replace(file, *path, edit);
      case Edit::Kind::whole_file:
        return apply_whole_file(file, *path, edit.text);
      case Edit::Kind::remove_file:
        return apply_remove(file, *path);
    }
    return refused("an edit of a kind that is not known");
  }

  OpenFile& open(const std::string& path) {
    const auto [entry, is_new] = files_.try_emplace(path);
    OpenFile& file = entry->second;
    if (!is_new) return file;
    order_.push_back(path);
    if (const auto found = parent_.find(path); found != parent_.end()) {
      file.parent = &found->second;
      file.exists = true;
      file.content = *found->second.text;
    }
    return file;
  }

  Result<void> apply_whole_file(OpenFile& file, const std::string& path, std::string text) {
    if (file.exists) {
      // Line ends are kept where both sides are of one mind about theirs.
      const LineEnds ends = line_ends_of(file.content);
      if (line_ends_of(text) != LineEnds::mixed) text = with_line_ends(std::move(text), ends);
    }
    if (file.exists && text == file.content) return {};
    if (auto counted = count_added(file.content, text); !counted) return counted;
    file.changed_lines = changed_lines(file.content, text);
    file.content = std::move(text);
    file.exists = true;
    exact_.push_back({Edit::Kind::whole_file, path, "", file.content, 0});
    return {};
  }

  Result<void> apply_remove(OpenFile& file, const std::string& path) {
    if (!file.exists) return no_such_file(path);
    file.changed_lines = {{0, count_lines(file.content)}};
    file.content.clear();
    file.exists = false;
    exact_.push_back({Edit::Kind::remove_file, path, "", "", 0});
    return {};
  }

  Result<void> apply_replace(OpenFile& file, const std::string& path, const Edit& edit) {
    if (edit.search.empty()) return apply_insertion(file, path, edit);
    if (!file.exists) return no_such_file(path);
    auto replacement = find_replacement(file.content, edit.search, edit.text, edit.line);
    if (!replacement) return refused(fmt::format("{}: {}", path, replacement.error().message));
    if (!replacement->found_exactly) loosely_searched_ += file.content.size();
    if (loosely_searched_ > kMaxLooselySearched) {
      return refused(
          fmt::format("{}: too many edits match only loosely; copy the lines to be replaced as they are", path));
    }
    return replace(file, path, std::move(*replacement));
  }

  /// Nothing to search for: the whole of a new or empty file, or a line that a diff names.
  Result<void> apply_insertion(OpenFile& file, const std::string& path, const Edit& edit) {
    if (!file.exists || file.content.empty()) return apply_whole_file(file, path, edit.text);
    const std::size_t lines = count_lines(file.content);
    if (edit.line == 0) {
      return refused(fmt::format(
          "{}: the search text is empty, but the file has {} lines; quote the lines to be replaced", path, lines));
    }
    if (edit.line > lines + 1) {
      return refused(fmt::format("{}: cannot insert at line {}, the file has {} lines; add lines of context", path,
                                 edit.line, lines));
    }
    const std::size_t offset = offset_of_line(file.content, edit.line - 1);
    std::string text = edit.text;
    if (offset == file.content.size() && !file.content.ends_with('\n')) text.insert(0, 1, '\n');
    return replace(file, path, {offset, offset, std::move(text), false});
  }

  Result<void> replace(OpenFile& file, const std::string& path, Replacement replacement) {
    keep_line_ends(file.content, replacement);
    const std::size_t size = replacement.end - replacement.begin;
    const std::string_view before = std::string_view(file.content).substr(replacement.begin, size);
    if (before == replacement.text) return {};
    if (auto counted = count_added(before, replacement.text); !counted) return counted;

    Edit exact{Edit::Kind::replace, path, std::string(before), replacement.text, 0};
    const bool unambiguous = replacement.found_exactly || extend_until_unique(file.content, replacement, exact);
    // A lone '\r' beside the place may have become half of a line end.
    const bool stays = with_line_ends(exact.text, line_ends_of(file.content)) == exact.text;
    mark_changed(file, replacement);
    file.content.replace(replacement.begin, size, replacement.text);
    if (!unambiguous || !stays) exact = {Edit::Kind::whole_file, path, "", file.content, 0};
    exact_.push_back(std::move(exact));
    return {};
  }

  /// Gives the replacement the line ends of the file, and keeps the file from being cut between '\r' and '\n'.
  static void keep_line_ends(std::string_view content, Replacement& replacement) {
    const LineEnds ends = line_ends_of(content);
    replacement.text = with_line_ends(std::move(replacement.text), ends);
    const auto splits = [&](std::size_t offset) {
      return offset > 0 && offset < content.size() && content[offset - 1] == '\r' && content[offset] == '\n';
    };
    if (ends == LineEnds::crlf && splits(replacement.begin)) {
      --replacement.begin;
      replacement.found_exactly = false;
    }
    if (ends == LineEnds::crlf && replacement.end > replacement.begin && splits(replacement.end)) {
      --replacement.end;
      replacement.found_exactly = false;
    }
    const bool before_line_end =
        replacement.end < content.size() && (content[replacement.end] == '\n' || splits(replacement.end + 1));
    while (ends != LineEnds::mixed && before_line_end && replacement.text.ends_with('\r')) replacement.text.pop_back();
  }

  /// Takes lines around the place into the edit until its search text occurs once. 64 lines are enough for code; what
  /// repeats itself longer is written whole.
  static bool extend_until_unique(std::string_view content, const Replacement& replacement, Edit& exact) {
    std::size_t begin = line_begin(content, replacement.begin);
    // Whole lines are looked for at the start of a line only: from the middle of one they would be found elsewhere.
    const bool findable = begin == replacement.begin || !exact.search.ends_with('\n');
    if (findable && !exact.search.empty() && occurs_once(content, exact.search)) return true;
    std::size_t end = replacement.end;
    if (end == replacement.begin || end == 0 || content[end - 1] != '\n') end = line_end(content, end);
    for (std::size_t lines = 1; lines <= 64; lines *= 2) {
      const std::string_view wider = content.substr(begin, end - begin);
      if (!wider.empty() && occurs_once(content, wider)) {
        exact.search = std::string(wider);
        exact.text = std::string(content.substr(begin, replacement.begin - begin)) + replacement.text +
                     std::string(content.substr(replacement.end, end - replacement.end));
        return true;
      }
      for (std::size_t i = 0; i < lines; ++i) {
        if (begin > 0) begin = line_begin(content, begin - 1);
        end = line_end(content, end);
      }
    }
    return false;
  }

  static void mark_changed(OpenFile& file, const Replacement& replacement) {
    const std::size_t size = replacement.end - replacement.begin;
    for (ChangedLine& line : file.changed_lines) {
      if (line.offset >= replacement.end) {
        line.offset = line.offset - size + replacement.text.size();
      } else if (line.offset > replacement.begin) {
        line.offset = replacement.begin;
      }
    }
    const std::string_view before = std::string_view(file.content).substr(replacement.begin, size);
    for (ChangedLine line : changed_lines(before, replacement.text)) {
      line.offset += replacement.begin;
      file.changed_lines.push_back(line);
    }
  }

  Result<void> count_added(std::string_view before, std::string_view after) {
    added_ += added_bytes(before, after);
    if (added_ <= rules_.max_patch_bytes) return {};
    return refused(fmt::format("the patch adds more than {} bytes; make a smaller change", rules_.max_patch_bytes));
  }

  Error no_such_file(const std::string& path) const {
    std::vector<std::string> paths;
    for (const auto& [existing, file] : parent_) {
      if (paths.size() < 1000) paths.push_back(existing);
    }
    const std::string near = nearest_name(path, paths);
    return refused(fmt::format("{} is no file of the source{}", in_backticks(path),
                               near.empty() ? "; give the path from the top of the source"
                                            : fmt::format("; did you mean {}?", in_backticks(near))));
  }

  /// A new file must not lie below a file, nor where a folder is.
  Result<void> check_place(const SourceTree& tree, const std::string& path) const {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      if (tree.contains(path.substr(0, slash))) {
        return refused(
            fmt::format("{} cannot be made: {} is a file", in_backticks(path), in_backticks(path.substr(0, slash))));
      }
    }
    const auto below = tree.lower_bound(path + "/");
    if (below != tree.end() && below->first.starts_with(path + "/")) {
      return refused(fmt::format("{} cannot be made: it is a folder", in_backticks(path)));
    }
    return {};
  }

  /// The rules that hold for the outcome: markers, sizes.
  Result<void> check_outcome(const std::string& path, OpenFile& file) {
    if (!file.exists) {
      const auto blocks = find_evolve_blocks(*file.parent->text);
      if (!blocks || !blocks->empty()) return refused(fmt::format("{} has EVOLVE blocks and must stay", path));
      return {};
    }
    if (file.content.size() > kMaxSourceFileBytes) {
      return refused(
          fmt::format("{} would have {} bytes; at most {} are taken", path, file.content.size(), kMaxSourceFileBytes));
    }
    const std::string_view before = file.parent == nullptr ? std::string_view() : *file.parent->text;
    auto kept = keep_outside_evolve_blocks(path, before, file.content);
    if (!kept) return kept.error();
    if (*kept == file.content) return {};
    file.content = std::move(*kept);
    std::erase_if(exact_, [&](const Edit& edit) { return edit.path == path; });
    exact_.push_back({Edit::Kind::whole_file, path, "", file.content, 0});
    return {};
  }

  static bool is_changed(const OpenFile& file) {
    if (file.parent == nullptr) return file.exists;
    return !file.exists || file.content != *file.parent->text;
  }

  Result<AppliedPatch> finish() {
    AppliedPatch applied;
    applied.tree = parent_;
    for (const std::string& path : order_) {
      OpenFile& file = files_.at(path);
      if (is_changed(file)) {
        if (auto allowed = check_outcome(path, file); !allowed) return allowed.error();
      }
      if (!is_changed(file)) {
        std::erase_if(exact_, [&](const Edit& edit) { return edit.path == path; });
        continue;
      }
      count_functions(path, file);
      if (!file.exists) {
        applied.tree.erase(path);
      } else {
        applied.tree[path] = make_source_file(std::move(file.content));
      }
    }
    if (exact_.empty()) return refused("the patch changes nothing: the files are the same after it");
    for (const Edit& edit : exact_) {
      if (!applied.tree.contains(edit.path)) continue;
      if (parent_.contains(edit.path)) continue;
      if (auto placed = check_place(applied.tree, edit.path); !placed) return placed.error();
    }
    applied.changed_function = most_changed();
    applied.exact.edits = std::move(exact_);
    return applied;
  }

  void count_functions(const std::string& path, const OpenFile& file) {
    const std::string& text = file.exists ? file.content : *file.parent->text;
    std::size_t until = 0;
    for (const ChangedLine& line : file.changed_lines) until = std::max(until, first_letter(text, line.offset) + 1);
    const std::vector<FunctionSpan> functions = file.exists ? find_functions(text, until) : std::vector<FunctionSpan>();
    for (const ChangedLine& line : file.changed_lines) {
      const FunctionSpan* function = function_at(functions, first_letter(text, line.offset));
      const std::string& name = function == nullptr ? path : function->name;
      const auto known =
          std::find_if(weights_.begin(), weights_.end(), [&](const auto& one) { return one.first == name; });
      if (known == weights_.end()) {
        weights_.emplace_back(name, line.weight);
      } else {
        known->second += line.weight;
      }
    }
  }

  std::string most_changed() const {
    const auto most = std::max_element(weights_.begin(), weights_.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == weights_.end() ? exact_.front().path : most->first;
  }

  const SourceTree& parent_;
  const PatchRules& rules_;
  std::unordered_map<std::string, OpenFile> files_;
  std::vector<std::string> order_;  ///< Paths, as the patch first names them.
  std::vector<Edit> exact_;
  std::size_t added_ = 0;
  std::size_t loosely_searched_ = 0;                          ///< Bytes.
  std::vector<std::pair<std::string, std::size_t>> weights_;  ///< Changed lines by function, as first seen.
};

}  // namespace

Result<AppliedPatch> apply_patch(const SourceTree& parent, const Patch& patch, const PatchRules& rules) {
  return PatchApplication(parent, rules).apply(patch);
}

}  // namespace aiopt
