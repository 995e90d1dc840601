/// Reads a patch out of a reply: finds its form and leaves the rest to that form's parser.

#include "source/patch_parser.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "source/patch_formats.hpp"
#include "source/text_lines.hpp"

namespace aiopt {
namespace {

constexpr std::size_t kMaxReplyBytes = 4 << 20;

/// Models that think aloud do so before this; what they tried there is not their answer.
std::string_view without_thoughts(std::string_view reply) {
  constexpr std::string_view kOpened = "<think>";
  constexpr std::string_view kClosed = "</think>";
  if (!trim(reply.substr(0, 200)).starts_with(kOpened)) return reply;
  const std::size_t end = reply.find(kClosed);
  return end == std::string_view::npos ? reply : reply.substr(end + kClosed.size());
}

/// Takes the '\r' off only if all lines have one: a diff of a file with CRLF has them on some lines, and means them.
ReplyLines lines_of(std::string_view reply) {
  ReplyLines lines = split_lines(reply);
  const bool all = std::all_of(lines.begin(), lines.end(), [](std::string_view line) { return line.ends_with('\r'); });
  if (all) {
    for (std::string_view& line : lines) line.remove_suffix(1);
  }
  return lines;
}

}  // namespace

Result<Patch> parse_patch(std::string_view reply, std::string_view only_file) {
  constexpr std::string_view kExpected =
      "expected SEARCH/REPLACE blocks with a file name before each, a unified diff, or whole files in fences that name "
      "them";
  if (reply.size() > kMaxReplyBytes) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("the reply has {} bytes; at most {} are read", reply.size(), kMaxReplyBytes)};
  }
  reply = without_thoughts(reply);
  if (trim(reply).empty()) {
    return Error{Error::Code::invalid_argument, fmt::format("the reply is empty: {}", kExpected)};
  }

  const ReplyLines lines = lines_of(reply);
  auto patch = has_search_replace_blocks(lines) ? parse_search_replace(lines, only_file)
               : has_unified_diff(lines)        ? parse_unified_diff(lines, only_file)
                                                : parse_whole_files(lines, only_file);
  if (!patch) return patch;
  if (patch->edits.empty()) {
    return Error{Error::Code::invalid_argument, fmt::format("the reply, which begins with {}, changes nothing: {}",
                                                            in_backticks(split_lines(trim(reply)).front()), kExpected)};
  }
  if (patch->edits.size() > kMaxEdits) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("the reply holds {} edits; at most {} are taken: make fewer "
                             "and larger ones",
                             patch->edits.size(), kMaxEdits)};
  }
  return patch;
}

}  // namespace aiopt
