/// EVOLVE-BLOCK-START/END: see evolve_block.hpp.

#include "source/evolve_block.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "source/text_lines.hpp"

namespace aiopt {
namespace {

constexpr std::string_view kMarker = "EVOLVE-BLOCK-";
constexpr std::array<std::string_view, 6> kCommentSigns = {"//", "#", "/*", "--", ";", "<!--"};

enum class Marker { start, end };

std::optional<Marker> marker_in(std::string_view line) {
  line = without_leading_blanks(line);
  const auto sign = std::find_if(kCommentSigns.begin(), kCommentSigns.end(),
                                 [&](std::string_view candidate) { return line.starts_with(candidate); });
  if (sign == kCommentSigns.end()) return std::nullopt;
  const char last = sign->back();
  line.remove_prefix(sign->size());
  while (!line.empty() && line.front() == last) line.remove_prefix(1);  // "///", "##"
  line = without_leading_blanks(line);
  if (!line.starts_with(kMarker)) return std::nullopt;
  line.remove_prefix(kMarker.size());
  if (line.starts_with("START")) return Marker::start;
  if (line.starts_with("END")) return Marker::end;
  return std::nullopt;
}

/// A file cut at its markers: outside[0] block[0] outside[1] block[1] ... outside[n].
struct CutFile {
  std::vector<std::string_view> outside;
  std::vector<std::string_view> blocks;
};

CutFile cut_at(std::string_view text, const std::vector<EvolveBlock>& blocks) {
  CutFile cut;
  std::size_t position = 0;
  for (const EvolveBlock& block : blocks) {
    cut.outside.push_back(text.substr(position, block.begin - position));
    cut.blocks.push_back(text.substr(block.begin, block.end - block.begin));
    position = block.end;
  }
  cut.outside.push_back(text.substr(position));
  return cut;
}

std::string block_list(std::string_view text, const std::vector<EvolveBlock>& blocks) {
  std::string list;
  for (std::size_t i = 0; i < std::min<std::size_t>(blocks.size(), 8); ++i) {
    const std::size_t first = line_number_at(text, blocks[i].begin);
    const std::size_t past = line_number_at(text, blocks[i].end);
    if (!list.empty()) list += ", ";
    list += first == past ? fmt::format("before {}", first) : fmt::format("{}-{}", first, past - 1);
  }
  return blocks.size() > 8 ? list + ", ..." : list;
}

/// The first line of `parent` that `changed` has otherwise, trailing white space aside.
std::optional<std::size_t> first_changed_line(std::string_view parent, std::string_view changed) {
  LineReader old_lines(parent);
  LineReader new_lines(changed);
  for (std::size_t index = 0;; ++index) {
    const auto old_line = old_lines.next();
    const auto new_line = new_lines.next();
    if (!old_line && !new_line) return std::nullopt;
    // Blank lines too many or too few at the very end are white space as well.
    const std::string_view a = without_trailing_blanks(old_line.value_or(""));
    const std::string_view b = without_trailing_blanks(new_line.value_or(""));
    if (a != b) return index;
  }
}

}  // namespace

Result<std::vector<EvolveBlock>> find_evolve_blocks(std::string_view text) {
  std::vector<EvolveBlock> blocks;
  std::optional<std::size_t> open;  // First byte of the START line.
  for (std::size_t hit = find_text(text, kMarker, 0); hit != std::string_view::npos;) {
    const std::size_t begin = line_begin(text, hit);
    const std::size_t end = line_end(text, hit);
    if (const auto marker = marker_in(text.substr(begin, end - begin))) {
      if (*marker == Marker::start) {
        if (open) {
          return Error{
              Error::Code::invalid_argument,
              fmt::format("line {}: EVOLVE-BLOCK-START inside the block that starts in line {}; close that one "
                          "with EVOLVE-BLOCK-END first",
                          line_number_at(text, begin), line_number_at(text, *open))};
        }
        open = begin;
        blocks.push_back({end, end});
      } else {
        if (!open) {
          return Error{Error::Code::invalid_argument,
                       fmt::format("line {}: EVOLVE-BLOCK-END without an EVOLVE-BLOCK-START before it",
                                   line_number_at(text, begin))};
        }
        blocks.back().end = begin;
        open.reset();
      }
    }
    hit = find_text(text, kMarker, end);
  }
  if (open) {
    return Error{
        Error::Code::invalid_argument,
        fmt::format("line {}: EVOLVE-BLOCK-START is never closed by EVOLVE-BLOCK-END", line_number_at(text, *open))};
  }
  return blocks;
}

Result<std::string> keep_outside_evolve_blocks(std::string_view path, std::string_view parent, std::string changed) {
  const auto parent_blocks = find_evolve_blocks(parent);
  if (!parent_blocks) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("the parent's {}: {}", path, parent_blocks.error().message)};
  }
  const auto changed_blocks = find_evolve_blocks(changed);
  if (!changed_blocks) {
    return Error{Error::Code::invalid_argument, fmt::format("the patch breaks the EVOLVE-BLOCK markers of {}: {}", path,
                                                            changed_blocks.error().message)};
  }
  if (parent_blocks->empty() && (changed_blocks->empty() || parent.empty())) return changed;
  if (parent_blocks->size() != changed_blocks->size()) {
    return Error{
        Error::Code::invalid_argument,
        fmt::format("the patch leaves {} EVOLVE blocks in {} where there are {}: keep the marker lines as they "
                    "are and change only what stands between them",
                    changed_blocks->size(), path, parent_blocks->size())};
  }

  const CutFile old_cut = cut_at(parent, *parent_blocks);
  const CutFile new_cut = cut_at(changed, *changed_blocks);
  if (old_cut.outside == new_cut.outside) return changed;
  std::string mended;
  for (std::size_t i = 0; i < old_cut.outside.size(); ++i) {
    if (const auto offset = first_changed_line(old_cut.outside[i], new_cut.outside[i])) {
      const auto segment = static_cast<std::size_t>(old_cut.outside[i].data() - parent.data());
      const std::string_view was = line_of(old_cut.outside[i], *offset);
      return Error{Error::Code::invalid_argument,
                   fmt::format("line {} of {} ({}) is outside the EVOLVE blocks (lines {}): only the text between the "
                               "markers may change",
                               line_number_at(parent, segment) + *offset, path, in_backticks(was),
                               block_list(parent, *parent_blocks))};
    }
    mended += old_cut.outside[i];
    if (i < new_cut.blocks.size()) mended += new_cut.blocks[i];
  }
  return mended;
}

}  // namespace aiopt
