/// task.yaml -> Task, with every mistake named by its place.

#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// Reads and checks a task file. `file` may be the folder that holds task.yaml. Relative paths in it are relative to
/// it.
///
/// Errors are one line, "task.yaml:12: unknown key 'benchmrk'; did you mean 'benchmark'?".
Result<Task> load_task(const std::filesystem::path& file);

/// The same for a text; `file` names it in errors and is what paths are relative to.
Result<Task> parse_task(std::string_view yaml, const std::filesystem::path& file);

}  // namespace aiopt
