/// The words of a benchmark's command line, as far as aiopt must know them.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace aiopt {

/// "LC_ALL=C ./build/bench --num=1": what a tool that starts the program itself is put between.
struct CommandWords {
  std::string assignments;  ///< "LC_ALL=C ", empty without any.
  std::string rest;         ///< "./build/bench --num=1".
  std::string program;      ///< "./build/bench"; empty for an empty command.
};

/// Of a simple command; what a shell script is made of beside that is not understood.
CommandWords split_assignments(std::string_view command);

/// For /bin/sh: each word in single quotes, with spaces between.
std::string join_quoted(const std::vector<std::string>& words);

}  // namespace aiopt
