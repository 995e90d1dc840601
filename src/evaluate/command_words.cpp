/// Splitting and quoting: see the header.

#include "evaluate/command_words.hpp"

#include <algorithm>

namespace aiopt {

const std::string& profiled_command(const Task& task) {
  return task.profile.command.empty() ? task.benchmark.run.command : task.profile.command;
}

CommandWords split_assignments(std::string_view command) {
  std::size_t at = 0;
  while (at < command.size()) {
    const std::size_t start = command.find_first_not_of(' ', at);
    if (start == std::string_view::npos) break;
    const std::size_t end = std::min(command.find(' ', start), command.size());
    const std::string_view word = command.substr(start, end - start);
    if (word.find('=') == std::string_view::npos) {
      return {std::string(command.substr(0, start)), std::string(command.substr(start)), std::string(word)};
    }
    at = end;
  }
  return {std::string(command), "", ""};
}

std::string join_quoted(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) {
    if (!line.empty()) line += ' ';
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

}  // namespace aiopt
