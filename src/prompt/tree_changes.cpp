/// Patience diff over the lines of two trees' files.

#include "prompt/tree_changes.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"

namespace aiopt {

namespace {

using Lines = std::vector<std::string_view>;

/// A line that both texts have: its index in each.
struct Anchor {
  std::size_t from = 0;
  std::size_t to = 0;
};

/// Lines [from_begin, from_end) became lines [to_begin, to_end).
struct Region {
  std::size_t from_begin = 0;
  std::size_t from_end = 0;
  std::size_t to_begin = 0;
  std::size_t to_end = 0;

  bool empty() const { return from_begin == from_end && to_begin == to_end; }
};

void strip_common_ends(const Lines& from, const Lines& to, Region& region) {
  while (region.from_begin < region.from_end && region.to_begin < region.to_end &&
         from[region.from_begin] == to[region.to_begin]) {
    ++region.from_begin;
    ++region.to_begin;
  }
  while (region.from_begin < region.from_end && region.to_begin < region.to_end &&
         from[region.from_end - 1] == to[region.to_end - 1]) {
    --region.from_end;
    --region.to_end;
  }
}

/// The lines that occur once on either side of the region, in the order of the new text.
std::vector<Anchor> unique_common_lines(const Lines& from, const Lines& to, const Region& region) {
  struct Count {
    std::size_t in_from = 0;
    std::size_t in_to = 0;
    std::size_t from_index = 0;
  };
  std::unordered_map<std::string_view, Count> counts;
  for (std::size_t i = region.from_begin; i < region.from_end; ++i) {
    Count& count = counts[from[i]];
    ++count.in_from;
    count.from_index = i;
  }
  for (std::size_t i = region.to_begin; i < region.to_end; ++i) ++counts[to[i]].in_to;
  std::vector<Anchor> anchors;
  for (std::size_t i = region.to_begin; i < region.to_end; ++i) {
    const Count& count = counts.at(to[i]);
    if (count.in_from == 1 && count.in_to == 1) anchors.push_back({count.from_index, i});
  }
  return anchors;
}

/// The longest run of anchors that rises on both sides (patience sorting).
std::vector<Anchor> longest_rising(const std::vector<Anchor>& anchors) {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::vector<std::size_t>
      tails;  // tails[n]: the anchor with the lowest `from` that ends a rising run of length n + 1.
  std::vector<std::size_t> before(anchors.size(), kNone);
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    const auto place =
        std::lower_bound(tails.begin(), tails.end(), anchors[i].from,
                         [&](std::size_t tail, std::size_t value) { return anchors[tail].from < value; });
    if (place != tails.begin()) before[i] = *std::prev(place);
    if (place == tails.end()) {
      tails.push_back(i);
    } else {
      *place = i;
    }
  }
  std::vector<Anchor> run;
  for (std::size_t i = tails.empty() ? kNone : tails.back(); i != kNone; i = before[i]) run.push_back(anchors[i]);
  std::reverse(run.begin(), run.end());
  return run;
}

LineChange to_change(const Lines& from, const Lines& to, const Region& region) {
  const auto at = [](const Lines& lines, std::size_t i) { return lines.begin() + static_cast<std::ptrdiff_t>(i); };
  return {region.from_begin + 1, Lines(at(from, region.from_begin), at(from, region.from_end)),
          Lines(at(to, region.to_begin), at(to, region.to_end))};
}

void describe_file(std::string_view path, std::string_view from, std::string_view to, std::string& text) {
  for (const LineChange& change : line_changes(from, to)) {
    text += fmt::format("{}, line {}:\n", path, change.first_line);
    for (std::string_view line : change.removed) text.append("-").append(line).append("\n");
    for (std::string_view line : change.added) text.append("+").append(line).append("\n");
  }
}

}  // namespace

std::vector<LineChange> line_changes(std::string_view from_text, std::string_view to_text) {
  const Lines from = split_lines(from_text);
  const Lines to = split_lines(to_text);
  Region all{0, from.size(), 0, to.size()};
  strip_common_ends(from, to, all);

  std::vector<LineChange> changes;
  Region gap{all.from_begin, all.from_begin, all.to_begin, all.to_begin};
  const auto close_gap = [&](std::size_t from_end, std::size_t to_end) {
    gap.from_end = from_end;
    gap.to_end = to_end;
    strip_common_ends(from, to, gap);
    if (!gap.empty()) changes.push_back(to_change(from, to, gap));
  };
  for (const Anchor& anchor : longest_rising(unique_common_lines(from, to, all))) {
    close_gap(anchor.from, anchor.to);
    gap = {anchor.from + 1, anchor.from + 1, anchor.to + 1, anchor.to + 1};
  }
  close_gap(all.from_end, all.to_end);
  return changes;
}

std::string describe_changes(const SourceTree& from, const SourceTree& to, std::size_t limit_bytes) {
  std::string text;
  for (const auto& [path, file] : to) {
    const auto old = from.find(path);
    if (old == from.end()) {
      text += fmt::format("{}: a new file of {} bytes\n", path, file.text->size());
    } else if (old->second.sha256 != file.sha256) {
      describe_file(path, *old->second.text, *file.text, text);
    }
  }
  for (const auto& [path, file] : from) {
    if (!to.contains(path)) text += fmt::format("{}: removed\n", path);
  }
  return text.size() > limit_bytes ? shorten_middle(text, limit_bytes) : text;
}

}  // namespace aiopt
