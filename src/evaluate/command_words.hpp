/// The words of a task's command lines, as far as aiopt must know them.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <aiopt/task.hpp>

namespace aiopt {

/// "LC_ALL=C ./build/bench --num=1": what a tool that starts the program itself is put between.
struct CommandWords {
  std::string assignments;  ///< "LC_ALL=C ", empty without any.
  std::string rest;         ///< "./build/bench --num=1".
  std::string program;      ///< "./build/bench"; empty for an empty command.
};

/// The command line that is profiled: the benchmark's, unless the task has one for it. Lent from the task.
const std::string& profiled_command(const Task& task);

/// Of a simple command; what a shell script is made of beside that is not understood.
CommandWords split_assignments(std::string_view command);

/// For /bin/sh: each word in single quotes, with spaces between.
std::string join_quoted(const std::vector<std::string>& words);

}  // namespace aiopt
