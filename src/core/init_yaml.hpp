/// The first task.yaml of a source tree, with what could be guessed.

#pragma once

#include <filesystem>
#include <string>

#include <aiopt/result.hpp>

namespace aiopt {

/// Text of a task.yaml for the C or C++ sources in `folder`, each key with a comment; what is a guess is marked
/// "# check:". Only looks: nothing is written or run. parse_task() reads it as it is.
///
/// Errors: not_found if there is no such folder, invalid_argument if no source file is in it, io.
Result<std::string> initial_task_yaml(const std::filesystem::path& folder);

}  // namespace aiopt
