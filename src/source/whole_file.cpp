/// Whole files in fences that name them.

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"
#include "source/patch_formats.hpp"

namespace aiopt {
namespace {

constexpr std::array<std::string_view, 9> kNotAFile = {"bash", "sh",     "shell", "console", "text",
                                                       "txt",  "output", "diff",  "patch"};

struct FencedText {
  std::size_t opened = 0;  ///< Lines, 0-based.
  std::size_t closed = 0;  ///< lines.size() if it never is.
  std::optional<std::string> path;
  bool may_be_a_file = true;  ///< Not the transcript of a shell.
};

std::optional<std::string> path_above_fence(const ReplyLines& lines, std::size_t opened, std::size_t floor) {
  constexpr std::size_t kFarthest = 2;  // One blank line may stand between.
  for (std::size_t i = opened; i > floor && opened - i < kFarthest; --i) {
    if (!trim(lines[i - 1]).empty()) return path_in_line(lines[i - 1]);
  }
  return std::nullopt;
}

std::vector<FencedText> find_fenced_texts(const ReplyLines& lines) {
  std::vector<FencedText> found;
  std::size_t floor = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto fence = opening_fence(lines[i]);
    if (!fence) continue;
    FencedText text;
    text.opened = i;
    const std::string_view language = fence->info.substr(0, fence->info.find_first_of(" \t:{"));
    text.may_be_a_file = std::find(kNotAFile.begin(), kNotAFile.end(), language) == kNotAFile.end();
    text.path = path_in_info(fence->info);
    if (!text.path && text.may_be_a_file) text.path = path_above_fence(lines, i, floor);
    while (++i < lines.size() && !closes_fence(*fence, lines[i])) continue;
    text.closed = i;
    floor = i + 1;
    found.push_back(std::move(text));
  }
  return found;
}

}  // namespace

Result<Patch> parse_whole_files(const ReplyLines& lines, std::string_view only_file) {
  std::vector<FencedText> texts = find_fenced_texts(lines);
  const bool any_named =
      std::any_of(texts.begin(), texts.end(), [](const FencedText& text) { return text.path.has_value(); });
  if (!any_named) {
    std::erase_if(texts, [](const FencedText& text) { return !text.may_be_a_file; });
    if (texts.empty()) return Patch{};
    if (only_file.empty()) {
      return unreadable(lines, texts[0].opened,
                        "this fence names no file; expected ```cpp and the path after it, or SEARCH/REPLACE blocks");
    }
    if (texts.size() > 1) {
      return unreadable(lines, texts[1].opened,
                        fmt::format("a second fence without a file's name; expected one fence with all of {}, or "
                                    "SEARCH/REPLACE blocks",
                                    only_file));
    }
    texts[0].path = std::string(only_file);
  }

  Patch patch;
  std::set<std::string> seen;
  for (const FencedText& text : texts) {
    if (!text.path) continue;
    if (text.closed == lines.size()) {
      return unreadable(lines, text.opened, "this fence is never closed; was the reply cut off?");
    }
    if (!seen.insert(*text.path).second) {
      return unreadable(lines, text.opened, fmt::format("a second version of {}; expected one", *text.path));
    }
    patch.edits.push_back(
        {Edit::Kind::whole_file, *text.path, "", joined_lines(lines, text.opened + 1, text.closed), 0});
  }
  return patch;
}

}  // namespace aiopt
