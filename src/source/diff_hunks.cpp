/// Unified diffs: git's, plain diff's, and those of models, whose line counts are often wrong.

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/text.hpp"
#include "source/patch_formats.hpp"

namespace aiopt {
namespace {

/// "@@ -12,7 +12,9 @@ void f()": what could be read of it.
struct HunkHead {
  std::optional<std::uint32_t> old_start;
  std::optional<std::uint32_t> old_count;
  std::optional<std::uint32_t> new_count;
};

/// The number at the front of `text`, taken off it.
std::optional<std::uint32_t> take_number(std::string_view& text) {
  std::uint32_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

/// "12,7" or "12", which means "12,1".
void take_range(std::string_view& text, std::optional<std::uint32_t>& start, std::optional<std::uint32_t>& count) {
  start = take_number(text);
  if (!start) return;
  count = 1;
  if (!text.starts_with(',')) return;
  text.remove_prefix(1);
  count = take_number(text);
}

HunkHead read_hunk_head(std::string_view line) {
  HunkHead head;
  line = trim(line.substr(2));
  if (!line.starts_with('-')) return head;
  line.remove_prefix(1);
  take_range(line, head.old_start, head.old_count);
  line = trim(line);
  if (!line.starts_with('+')) return HunkHead{head.old_start, std::nullopt, std::nullopt};
  line.remove_prefix(1);
  std::optional<std::uint32_t> new_start;
  take_range(line, new_start, head.new_count);
  return head;
}

/// Undoes git's quoting of a path ("\303\244.cc"), cuts the time stamp that diff(1) puts behind a tab.
std::string read_path(std::string_view text) {
  if (!text.starts_with('"')) return std::string(trim(text.substr(0, text.find('\t'))));
  std::string path;
  for (std::size_t i = 1; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      path += text[i];
      continue;
    }
    const char c = text[++i];
    if (c >= '0' && c <= '7') {
      unsigned value = 0;
      const std::size_t past = std::min(i + 3, text.size());
      for (; i < past && text[i] >= '0' && text[i] <= '7'; ++i)
        value = value * 8 + static_cast<unsigned>(text[i] - '0');
      --i;
      path += static_cast<char>(value);
    } else {
      constexpr std::string_view kLetters = "abtnvfr";
      const std::size_t letter = kLetters.find(c);
      path += letter == std::string_view::npos ? c : "\a\b\t\n\v\f\r"[letter];
    }
  }
  return path;
}

std::string_view without_first_folder(std::string_view path) {
  const std::size_t slash = path.find('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
}

constexpr std::string_view kNoFile = "/dev/null";

/// What two paths of a diff's head mean, or nothing if they are two files: "a/x" and "b/x", "x" and "x",
/// "old/x" and "new/x", "x.orig" and "x".
std::optional<std::string> common_path(std::string_view old_path, std::string_view new_path) {
  if (old_path == new_path) return std::string(new_path);
  const std::string_view old_rest = without_first_folder(old_path);
  if (!old_rest.empty() && old_rest == without_first_folder(new_path)) return std::string(old_rest);
  if (old_path.starts_with(std::string(new_path) + ".") || old_path == std::string(new_path) + "~")
    return std::string(new_path);
  return std::nullopt;
}

std::string without_prefix(std::string_view path, std::string_view prefix) {
  return std::string(path.starts_with(prefix) ? path.substr(prefix.size()) : path);
}

class DiffReader {
 public:
  DiffReader(const ReplyLines& lines, std::string_view only_file) : lines_(lines), path_(only_file) {}

  Result<Patch> read() {
    while (position_ < lines_.size()) {
      if (auto step = read_line(); !step) return step.error();
    }
    if (auto last = finish_file(); !last) return last.error();
    if (fence_) return unreadable(lines_, fence_line_, "this fence is never closed; was the reply cut off?");
    return std::move(patch_);
  }

 private:
  enum class Change { modified, created, deleted };

  std::string_view at(std::size_t index) const { return index < lines_.size() ? lines_[index] : std::string_view(); }
  bool is_file_head(std::size_t index) const {
    return at(index).starts_with("--- ") && at(index + 1).starts_with("+++ ");
  }

  /// Reads what starts at position_ and moves it on.
  Result<void> read_line() {
    const std::string_view line = lines_[position_];
    if (line.starts_with("@@")) return read_hunk();
    if (line.starts_with("diff --git ")) return read_git_head();
    if (is_file_head(position_)) return read_file_head();
    if (line.starts_with("--- ") && (in_git_head_ || (fence_ && fence_->info == "diff"))) {
      return unreadable(lines_, position_, "expected a line `+++ <path>` after it");
    }
    if (in_git_head_) {
      if (auto extended = read_extended_head(line); !extended) return extended;
    }
    if (fence_ && closes_fence(*fence_, line)) {
      fence_.reset();
    } else if (!fence_) {
      fence_ = opening_fence(line);
      fence_line_ = position_;
    }
    ++position_;
    return {};
  }

  Result<void> read_git_head() {
    if (auto finished = finish_file(); !finished) return finished;
    in_git_head_ = true;
    file_line_ = position_;
    const std::string_view names = trim(lines_[position_].substr(std::string_view("diff --git ").size()));
    path_.clear();
    // Both halves name the same file, or it is a rename, which other lines tell.
    const std::size_t middle = names.size() / 2;
    if (names.size() % 2 == 1 && names[middle] == ' ') {
      if (auto path = common_path(read_path(names.substr(0, middle)), read_path(names.substr(middle + 1))))
        path_ = *path;
    }
    ++position_;
    return {};
  }

  Result<void> read_extended_head(std::string_view line) {
    if (line.starts_with("rename ") || line.starts_with("copy ")) {
      return unreadable(lines_, position_, "renames and copies are not taken; remove the one file and add the other");
    }
    if (line == "GIT binary patch" || line.starts_with("Binary files ")) {
      return unreadable(lines_, position_, "binary changes are not taken; only text files can be changed");
    }
    if (line.starts_with("new file mode ")) {
      if (line.ends_with("120000") || line.ends_with("160000")) {
        return unreadable(lines_, position_, "symbolic links and submodules are not taken; only regular files");
      }
      change_ = Change::created;
    } else if (line.starts_with("deleted file mode ")) {
      change_ = Change::deleted;
    }
    return {};
  }

  Result<void> read_file_head() {
    if (!in_git_head_) {
      if (auto finished = finish_file(); !finished) return finished;
    }
    in_git_head_ = false;
    file_line_ = position_;
    const std::string old_path = read_path(lines_[position_].substr(4));
    const std::string new_path = read_path(lines_[position_ + 1].substr(4));
    if (old_path == kNoFile && new_path == kNoFile) return unreadable(lines_, position_, "this names no file at all");
    if (old_path == kNoFile) {
      change_ = Change::created;
      path_ = without_prefix(new_path, "b/");
    } else if (new_path == kNoFile) {
      change_ = Change::deleted;
      path_ = without_prefix(old_path, "a/");
    } else if (auto path = common_path(old_path, new_path)) {
      path_ = std::move(*path);
    } else {
      return unreadable(
          lines_, position_,
          fmt::format("this renames a file to {}, which is not taken; name the same file twice", new_path));
    }
    position_ += 2;
    return {};
  }

  /// A file without hunks: one that is empty, or goes.
  Result<void> finish_file() {
    if (change_ != Change::modified && path_.empty()) return unreadable(lines_, file_line_, "expected a file's path");
    if (change_ == Change::created && !has_hunks_) patch_.edits.push_back({Edit::Kind::whole_file, path_, "", "", 0});
    if (change_ == Change::deleted) patch_.edits.push_back({Edit::Kind::remove_file, path_, "", "", 0});
    change_ = Change::modified;
    has_hunks_ = false;
    in_git_head_ = false;
    lines_added_ = 0;
    return {};
  }

  struct Hunk {
    HunkHead head;
    std::size_t line = 0;  ///< Of its "@@".
    std::string search;
    std::string text;
    std::uint32_t old_seen = 0;
    std::uint32_t new_seen = 0;
    char last_prefix = '@';

    bool counted() const { return head.old_count && head.new_count; }
    bool satisfied() const { return counted() && old_seen >= *head.old_count && new_seen >= *head.new_count; }
    std::uint32_t old_missing() const {
      return counted() && *head.old_count > old_seen ? *head.old_count - old_seen : 0;
    }
    std::uint32_t new_missing() const {
      return counted() && *head.new_count > new_seen ? *head.new_count - new_seen : 0;
    }

    void add(char prefix, std::string_view content) {
      if (prefix != '+') {
        search.append(content).push_back('\n');
        ++old_seen;
      }
      if (prefix != '-') {
        text.append(content).push_back('\n');
        ++new_seen;
      }
      last_prefix = prefix;
    }
    /// "\ No newline at end of file"
    void drop_newline() {
      if (last_prefix != '+' && search.ends_with('\n')) search.pop_back();
      if (last_prefix != '-' && text.ends_with('\n')) text.pop_back();
    }
  };

  Result<void> read_hunk() {
    if (lines_[position_].starts_with("@@@")) {
      return unreadable(lines_, position_, "this is the diff of a merge; expected a diff of two files");
    }
    if (path_.empty()) {
      return unreadable(lines_, position_,
                        "this hunk belongs to no file; expected `--- a/<path>` and `+++ b/<path>` before it");
    }
    Hunk hunk;
    hunk.line = position_;
    hunk.head = read_hunk_head(lines_[position_]);
    ++position_;
    if (auto body = read_hunk_body(hunk); !body) return body;
    return add_hunk(std::move(hunk));
  }

  /// Goes by the prefixes, and by the counts only where prefixes leave a doubt.
  Result<void> read_hunk_body(Hunk& hunk) {
    while (position_ < lines_.size()) {
      const std::string_view line = lines_[position_];
      if (trim(line).empty() && (line.empty() || line[0] != ' ')) {
        if (!read_blank_lines(hunk)) return {};
        continue;
      }
      if (ends_hunk(hunk)) return {};
      switch (line[0]) {
        case ' ':
        case '+':
        case '-':
          hunk.add(line[0], line.substr(1));
          break;
        case '\t':  // A context line without its space.
          hunk.add(' ', line);
          break;
        case '\\':
          hunk.drop_newline();
          break;
        default:
          return unreadable(lines_, position_, "expected a line of the hunk, beginning with ' ', '+' or '-'");
      }
      ++position_;
    }
    const bool cut_off =
        !fence_ && hunk.counted() && !hunk.satisfied() && (hunk.last_prefix == '+' || hunk.last_prefix == '-');
    if (cut_off) {
      return unreadable(lines_, hunk.line,
                        fmt::format("the reply ends within this hunk: {} old and {} new lines are missing",
                                    hunk.old_missing(), hunk.new_missing()));
    }
    return {};
  }

  bool ends_hunk(const Hunk& hunk) const {
    const std::string_view line = lines_[position_];
    if (line.starts_with("@@") || line.starts_with("diff --git ")) return true;
    if (fence_ ? closes_fence(*fence_, line) : line.starts_with("```")) return true;
    if (is_file_head(position_)) return is_head_after(hunk);
    if (hunk.satisfied() && (line == "-- " || line == "--")) return true;  // git format-patch's signature
    const bool prefixed = line[0] == ' ' || line[0] == '+' || line[0] == '-' || line[0] == '\\' || line[0] == '\t';
    return !prefixed && (hunk.satisfied() || (!fence_ && !hunk.counted()));
  }

  /// "--- x" and "+++ y" are a file's head, or the removed line "-- x" and the added "++ y".
  bool is_head_after(const Hunk& hunk) const {
    const bool hunk_follows = at(position_ + 2).starts_with("@@");
    if (!hunk.counted()) return hunk_follows;
    if (hunk.satisfied()) return true;
    if (!hunk_follows) return hunk.old_missing() == 0 || hunk.new_missing() == 0;
    return hunk.old_missing() != 1 || hunk.new_missing() != 1;
  }

  /// Blank lines are context whose space was eaten, or what stands between a hunk and whatever comes next.
  /// @return Whether the hunk goes on.
  bool read_blank_lines(Hunk& hunk) {
    std::size_t past = position_;
    while (past < lines_.size() && trim(lines_[past]).empty() && (lines_[past].empty() || lines_[past][0] != ' '))
      ++past;
    const std::string_view next = at(past);
    const bool content = !next.empty() &&
                         (next[0] == ' ' || next[0] == '+' || next[0] == '-' || next[0] == '\t' || next[0] == '\\') &&
                         !is_file_head(past);
    const bool goes_on = content && (fence_ || !hunk.satisfied());
    std::size_t context = past - position_;
    if (!goes_on) context = std::min<std::size_t>(context, hunk.old_missing());
    for (std::size_t i = 0; i < context; ++i) hunk.add(' ', lines_[position_ + i]);
    position_ = past;
    return goes_on;
  }

  Result<void> add_hunk(Hunk hunk) {
    const bool first = !has_hunks_;
    has_hunks_ = true;
    in_git_head_ = false;
    if (change_ == Change::deleted) return {};
    if (change_ == Change::created) {
      if (!hunk.search.empty())
        return unreadable(lines_, hunk.line, "a new file can have no removed and no context lines");
      if (first) patch_.edits.push_back({Edit::Kind::whole_file, path_, "", "", 0});
      patch_.edits.back().text += hunk.text;
      return {};
    }
    Edit edit{Edit::Kind::replace, path_, std::move(hunk.search), std::move(hunk.text), 0};
    if (hunk.head.old_start) edit.line = shifted(*hunk.head.old_start);
    if (edit.search.empty()) {
      // An insertion after line N is "-N,0". With any other count its context was left out, and the place is a guess.
      if (!hunk.head.old_start || hunk.head.old_count != 0u) {
        return unreadable(
            lines_, hunk.line,
            "this hunk has neither context nor removed lines, so its place is not known; add three lines of "
            "context before and after the change");
      }
      edit.line = shifted(*hunk.head.old_start + std::uint64_t{1});
    }
    lines_added_ += static_cast<std::int64_t>(hunk.new_seen) - static_cast<std::int64_t>(hunk.old_seen);
    if (edit.search != edit.text) patch_.edits.push_back(std::move(edit));
    return {};
  }

  /// A line of the old file, where the hunks before have moved it.
  std::uint32_t shifted(std::uint64_t old_line) const {
    const std::int64_t line = static_cast<std::int64_t>(old_line) + lines_added_;
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(line, 1, UINT32_MAX));
  }

  const ReplyLines& lines_;
  Patch patch_;
  std::size_t position_ = 0;
  std::optional<Fence> fence_;
  std::size_t fence_line_ = 0;

  std::string path_;  ///< Of the file whose hunks come.
  std::size_t file_line_ = 0;
  Change change_ = Change::modified;
  bool in_git_head_ = false;  ///< Between "diff --git" and "---" or "@@".
  bool has_hunks_ = false;
  std::int64_t lines_added_ = 0;  ///< By the hunks of this file so far.
};

}  // namespace

bool has_unified_diff(const ReplyLines& lines) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].starts_with("diff --git ") || lines[i].starts_with("@@ ") || lines[i] == "@@") return true;
    if (lines[i].starts_with("--- ") && i + 1 < lines.size() && lines[i + 1].starts_with("+++ ")) return true;
  }
  return false;
}

Result<Patch> parse_unified_diff(const ReplyLines& lines, std::string_view only_file) {
  return DiffReader(lines, only_file).read();
}

}  // namespace aiopt
