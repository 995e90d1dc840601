/// Finds the search text of an edit in a file: see text_match.hpp.

#include "source/text_match.hpp"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>

#include "source/text_lines.hpp"

namespace aiopt {
namespace {

using Lines = std::vector<std::string_view>;

Lines lines_with_ends(std::string_view text) {
  Lines lines;
  LineReader reader(text);
  while (const auto line = reader.next()) lines.push_back(*line);
  return lines;
}

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// All indices at which `needle` occurs in `text`, overlapping ones too (Knuth, Morris, Pratt 1977).
template <typename Sequence>
std::vector<std::size_t> all_occurrences(const Sequence& text, const Sequence& needle) {
  std::vector<std::size_t> found;
  if (needle.size() > text.size()) return found;
  std::vector<std::uint32_t> border(needle.size() + 1, 0);  // Longest proper border of each prefix.
  for (std::size_t i = 1, length = 0; i < needle.size(); ++i) {
    while (length > 0 && needle[i] != needle[length]) length = border[length];
    if (needle[i] == needle[length]) ++length;
    border[i + 1] = static_cast<std::uint32_t>(length);
  }
  for (std::size_t i = 0, length = 0; i < text.size(); ++i) {
    while (length > 0 && (length == needle.size() || text[i] != needle[length])) length = border[length];
    if (text[i] == needle[length]) ++length;
    if (length == needle.size()) found.push_back(i + 1 - length);
  }
  return found;
}

bool is_whole_lines(std::string_view search) {
  return search.ends_with('\n');
}

/// The next place at or after `from` where the search text stands; npos if there is none.
std::size_t find_exact(std::string_view content, std::string_view search, std::size_t from) {
  if (!is_whole_lines(search)) return find_text(content, search, from);
  if (from == 0 && content.starts_with(search)) return 0;
  std::string needle(1, '\n');
  needle += search;
  const std::size_t hit = find_text(content, needle, from == 0 ? 0 : from - 1);
  return hit == std::string_view::npos ? hit : hit + 1;
}

std::vector<std::size_t> find_all_exact(std::string_view content, std::string_view search) {
  std::vector<std::size_t> found = all_occurrences(content, search);
  if (is_whole_lines(search)) {
    std::erase_if(found, [&](std::size_t begin) { return begin > 0 && content[begin - 1] != '\n'; });
  }
  return found;
}

/// 1-based line numbers of ascending offsets.
std::vector<std::size_t> line_numbers(std::string_view content, const std::vector<std::size_t>& offsets) {
  std::vector<std::size_t> numbers;
  std::size_t line = 1;
  std::size_t position = 0;
  for (const std::size_t offset : offsets) {
    line += static_cast<std::size_t>(std::count(content.begin() + static_cast<std::ptrdiff_t>(position),
                                                content.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
    position = offset;
    numbers.push_back(line);
  }
  return numbers;
}

/// Index of the place that is clearly nearest to the line: at it, or less than half as far as any other.
std::optional<std::size_t> clearly_nearest(const std::vector<std::size_t>& numbers, std::uint32_t line) {
  if (line == 0) return std::nullopt;
  std::size_t best = 0;
  std::size_t best_distance = SIZE_MAX;
  std::size_t second_distance = SIZE_MAX;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t distance = numbers[i] > line ? numbers[i] - line : line - numbers[i];
    if (distance < best_distance) {
      second_distance = best_distance;
      best_distance = distance;
      best = i;
    } else {
      second_distance = std::min(second_distance, distance);
    }
  }
  if (second_distance <= 2 * best_distance) return std::nullopt;
  return best;
}

Error ambiguous(std::string_view content, const std::vector<std::size_t>& offsets,
                const std::vector<std::size_t>& numbers) {
  constexpr std::size_t kMostListed = 8;
  std::string list;
  for (std::size_t i = 0; i < std::min(offsets.size(), kMostListed); ++i) {
    const std::size_t begin = line_begin(content, offsets[i]);
    const std::string_view line = content.substr(begin, line_end(content, begin) - begin);
    list += fmt::format("{}line {} {}", i == 0 ? "" : ", ", numbers[i], in_backticks(without_leading_blanks(line)));
  }
  if (offsets.size() > kMostListed) list += fmt::format(" and {} more", offsets.size() - kMostListed);
  return {Error::Code::invalid_argument,
          fmt::format("the search text stands there {} times: {}; add the lines around the one that is meant",
                      offsets.size(), list)};
}

/// One of several places, by the line that is expected.
Result<std::size_t> choose(std::string_view content, const std::vector<std::size_t>& offsets, std::uint32_t line) {
  if (offsets.size() == 1) return offsets.front();
  const std::vector<std::size_t> numbers = line_numbers(content, offsets);
  if (const auto nearest = clearly_nearest(numbers, line)) return offsets[*nearest];
  return ambiguous(content, offsets, numbers);
}

std::string_view indentation_of(std::string_view line) {
  return line.substr(0, std::min(line.find_first_not_of(" \t"), line.size()));
}

bool is_blank(std::string_view line) {
  return without_trailing_blanks(line).empty();
}

/// What all lines that are not blank begin with.
std::string_view common_indentation(Lines::const_iterator begin, Lines::const_iterator end) {
  std::optional<std::string_view> common;
  for (auto line = begin; line != end; ++line) {
    if (is_blank(*line)) continue;
    const std::string_view indentation = indentation_of(*line);
    if (!common) common = indentation;
    const auto [mine, theirs] = std::mismatch(common->begin(), common->end(), indentation.begin(), indentation.end());
    common = common->substr(0, static_cast<std::size_t>(mine - common->begin()));
  }
  return common.value_or(std::string_view());
}

/// Lines of the file and of the search text as numbers: equal lines have equal numbers.
struct NumberedLines {
  std::vector<std::uint32_t> content;
  std::vector<std::uint32_t> search;
};

template <typename Normal>
NumberedLines number_lines(const Lines& content, const Lines& search, Normal normal) {
  constexpr std::uint32_t kNotInSearch = UINT32_MAX;
  NumberedLines numbered;
  std::unordered_map<std::string_view, std::uint32_t> numbers;
  for (const std::string_view line : search) {
    const auto number = static_cast<std::uint32_t>(numbers.size());
    numbered.search.push_back(numbers.emplace(normal(line), number).first->second);
  }
  numbered.content.reserve(content.size());
  for (const std::string_view line : content) {
    const auto found = numbers.find(normal(line));
    numbered.content.push_back(found == numbers.end() ? kNotInSearch : found->second);
  }
  return numbered;
}

/// The indentation that the search text has, and the one that the file has in its place.
struct Reindentation {
  std::string_view search;
  std::string_view file;
};

/// Whether the file's lines are the search text's with another common indentation.
std::optional<Reindentation> compare_indentation(Lines::const_iterator file, const Lines& search) {
  const auto file_end = file + static_cast<std::ptrdiff_t>(search.size());
  const Reindentation indentation{common_indentation(search.begin(), search.end()), common_indentation(file, file_end)};
  for (const std::string_view wanted : search) {
    const std::string_view line = *file++;
    if (is_blank(wanted)) continue;
    if (without_trailing_blanks(line.substr(indentation.file.size())) !=
        without_trailing_blanks(wanted.substr(indentation.search.size()))) {
      return std::nullopt;
    }
  }
  return indentation;
}

std::string reindented(std::string_view line, const Reindentation& indentation) {
  if (is_blank(line) || indentation.search == indentation.file) return std::string(line);
  if (line.starts_with(indentation.search)) {
    return std::string(indentation.file) + std::string(line.substr(indentation.search.size()));
  }
  // Further left than the search text: as much further left in the file, as far as there is room.
  const std::string_view own = indentation_of(line);
  const std::size_t missing = indentation.search.size() - std::min(own.size(), indentation.search.size());
  const std::size_t kept = indentation.file.size() - std::min(missing, indentation.file.size());
  return std::string(indentation.file.substr(0, kept)) + std::string(line.substr(own.size()));
}

/// Search text and replacement, line by line, and where the first stands in the file.
struct LinePlace {
  const Lines& content;
  const Lines& search;
  const Lines& text;
  std::size_t first = 0;  ///< Index in `content`.
  Reindentation indentation;
};

/// Lines that the replacement leaves as the search text has them keep the file's own bytes.
Replacement replace_lines(std::string_view content, const LinePlace& place) {
  const std::size_t count = place.search.size();
  const std::size_t shorter = std::min(count, place.text.size());
  std::size_t head = 0;
  while (head < shorter && place.search[head] == place.text[head]) ++head;
  std::size_t tail = 0;
  while (tail < shorter - head && place.search[count - 1 - tail] == place.text[place.text.size() - 1 - tail]) ++tail;

  const auto file_line = [&](std::size_t index) { return place.content[place.first + index]; };
  Replacement replacement;
  replacement.begin = static_cast<std::size_t>(file_line(0).data() - content.data());
  const std::string_view last = file_line(count - 1);
  replacement.end = static_cast<std::size_t>(last.data() - content.data()) + last.size();
  if (!place.search.back().ends_with('\n')) replacement.end -= last.size() - without_line_end(last).size();

  for (std::size_t i = 0; i < head; ++i) replacement.text += file_line(i);
  std::string middle;
  for (std::size_t i = head; i < place.text.size() - tail; ++i) middle += reindented(place.text[i], place.indentation);
  // Only the file's last line may lack its end.
  if (!middle.empty() && head > 0 && !file_line(head - 1).ends_with('\n')) replacement.text += '\n';
  const bool ends_with_last = tail > 0 || (head == count && middle.empty());
  // A file of mixed line ends: those of the place.
  replacement.text += with_line_ends(std::move(middle), file_line(0).ends_with("\r\n") ? LineEnds::crlf : LineEnds::lf);
  for (std::size_t i = count - tail; i < count; ++i) replacement.text += file_line(i);

  const bool whole_lines = place.search.back().ends_with('\n');
  if (ends_with_last && !whole_lines) {
    // The end of that line is not in the search text, and stays where it is.
    replacement.text.erase(replacement.text.size() - (last.size() - without_line_end(last).size()));
  } else if (!ends_with_last && whole_lines && !last.ends_with('\n')) {
    replacement.text.erase(without_line_end(replacement.text).size());
  }
  return replacement;
}

/// Words that say what a line is about.
template <typename Visit>
void for_each_word(std::string_view line, Visit visit) {
  const auto in_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  for (std::size_t i = 0; i < line.size();) {
    if (!in_word(line[i])) {
      ++i;
      continue;
    }
    const std::size_t begin = i;
    while (i < line.size() && in_word(line[i])) ++i;
    visit(line.substr(begin, i - begin));
  }
}

/// The lines of the file that share most words and whole lines with the search text. One pass over both.
Error not_found(const Lines& content, const Lines& search) {
  constexpr std::size_t kMostSearchLines = 200;
  constexpr std::size_t kMostQuoted = 12;
  std::unordered_set<std::string_view> words;
  std::unordered_set<std::string_view> whole_lines;
  const std::size_t window = std::min({search.size(), content.size(), kMostSearchLines});
  for (std::size_t i = 0; i < std::min(search.size(), kMostSearchLines); ++i) {
    whole_lines.insert(without_trailing_blanks(without_leading_blanks(search[i])));
    for_each_word(search[i], [&](std::string_view word) { words.insert(word); });
  }
  whole_lines.erase("");

  std::vector<std::size_t> scores;
  scores.reserve(content.size());
  for (const std::string_view line : content) {
    std::size_t score = 0;
    for_each_word(line, [&](std::string_view word) { score += words.count(word); });
    constexpr std::size_t kWholeLine = 4;  // As much as four words.
    if (whole_lines.contains(without_trailing_blanks(without_leading_blanks(line)))) score += kWholeLine;
    scores.push_back(std::min<std::size_t>(score, 16));
  }
  std::size_t sum = 0;
  std::size_t best_sum = 0;
  std::size_t best = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    sum += scores[i];
    if (i >= window) sum -= scores[i - window];
    if (i + 1 >= window && sum > best_sum) {
      best_sum = sum;
      best = i + 1 - window;
    }
  }
  std::string message = fmt::format("the search text is not there (it begins {})", in_backticks(search.front()));
  if (best_sum > 0) {
    const std::size_t shown = std::min(window, kMostQuoted);
    message += fmt::format("; the most similar place is line {}:", best + 1);
    for (std::size_t i = best; i < best + shown; ++i) {
      message += fmt::format("\n{}: {}", i + 1, printable(content[i]));
    }
    message += "\nCopy the lines to be replaced from the file as they are";
  }
  return {Error::Code::invalid_argument, message};
}

template <typename IndentationAt>
std::vector<std::size_t> places_with_other_indentation(const Lines& content, const Lines& search,
                                                       const IndentationAt& indentation_at) {
  constexpr std::size_t kMostLinesCompared = 1'000'000;
  std::vector<std::size_t> places;
  if (std::all_of(search.begin(), search.end(), is_blank)) return places;
  const NumberedLines numbered = number_lines(
      content, search, [](std::string_view line) { return without_trailing_blanks(without_leading_blanks(line)); });
  std::size_t lines_compared = 0;
  for (const std::size_t index : all_occurrences(numbered.content, numbered.search)) {
    lines_compared += search.size();
    if (lines_compared > kMostLinesCompared) break;
    if (indentation_at(index)) places.push_back(index);
  }
  return places;
}

/// Matching line by line, for what is not there exactly.
Result<Replacement> find_tolerantly(std::string_view content, std::string_view search, std::string_view text,
                                    std::uint32_t line) {
  const Lines content_lines = lines_with_ends(content);
  const Lines search_lines = lines_with_ends(search);
  const Lines text_lines = lines_with_ends(text);
  const auto offset_of = [&](std::size_t index) {
    return static_cast<std::size_t>(content_lines[index].data() - content.data());
  };
  const auto choose_index = [&](const std::vector<std::size_t>& places) -> Result<std::size_t> {
    std::vector<std::size_t> offsets;
    offsets.reserve(places.size());
    for (const std::size_t index : places) offsets.push_back(offset_of(index));
    const auto offset = choose(content, offsets, line);
    if (!offset) return offset.error();
    return places[static_cast<std::size_t>(std::lower_bound(offsets.begin(), offsets.end(), *offset) -
                                           offsets.begin())];
  };

  const NumberedLines by_end = number_lines(content_lines, search_lines, without_trailing_blanks);
  if (const auto places = all_occurrences(by_end.content, by_end.search); !places.empty()) {
    const auto index = choose_index(places);
    if (!index) return index.error();
    return replace_lines(content, {content_lines, search_lines, text_lines, *index, {}});
  }

  const auto indentation_at = [&](std::size_t index) {
    return compare_indentation(content_lines.begin() + static_cast<std::ptrdiff_t>(index), search_lines);
  };
  const std::vector<std::size_t> places = places_with_other_indentation(content_lines, search_lines, indentation_at);
  if (places.empty()) return not_found(content_lines, search_lines);
  const auto index = choose_index(places);
  if (!index) return index.error();
  return replace_lines(content, {content_lines, search_lines, text_lines, *index, *indentation_at(*index)});
}

}  // namespace

LineEnds line_ends_of(std::string_view text) {
  bool crlf = false;
  bool lf = false;
  std::size_t position = text.find('\r');
  if (position == std::string_view::npos)
    return text.find('\n') == std::string_view::npos ? LineEnds::unknown : LineEnds::lf;
  for (position = text.find('\n'); position != std::string_view::npos; position = text.find('\n', position + 1)) {
    const bool has_return = position > 0 && text[position - 1] == '\r';
    (has_return ? crlf : lf) = true;
    if (crlf && lf) return LineEnds::mixed;
  }
  return crlf ? LineEnds::crlf : lf ? LineEnds::lf : LineEnds::unknown;
}

std::string with_line_ends(std::string text, LineEnds ends) {
  if (ends == LineEnds::lf) {
    if (text.find('\r') == std::string::npos) return text;
    std::string converted;
    converted.reserve(text.size());
    for (const char c : text) {
      while (c == '\n' && converted.ends_with('\r')) converted.pop_back();
      converted += c;
    }
    return converted;
  }
  if (ends == LineEnds::crlf) {
    std::string converted;
    converted.reserve(text.size() + text.size() / 16);
    for (const char c : text) {
      if (c == '\n' && !converted.ends_with('\r')) converted += '\r';
      converted += c;
    }
    return converted;
  }
  return text;
}

bool occurs_once(std::string_view content, std::string_view search) {
  const std::size_t first = find_exact(content, search, 0);
  return first != std::string_view::npos && find_exact(content, search, first + 1) == std::string_view::npos;
}

Result<Replacement> find_replacement(std::string_view content, std::string_view search, std::string_view text,
                                     std::uint32_t line) {
  const std::size_t first = find_exact(content, search, 0);
  if (first == std::string_view::npos) return find_tolerantly(content, search, text, line);
  if (find_exact(content, search, first + 1) == std::string_view::npos) {
    return Replacement{first, first + search.size(), std::string(text), true};
  }
  const auto place = choose(content, find_all_exact(content, search), line);
  if (!place) return place.error();
  return Replacement{*place, *place + search.size(), std::string(text), false};
}

}  // namespace aiopt
