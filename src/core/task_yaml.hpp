/// task.yaml -> Task, with every mistake named by its place.

#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// load_task() for a text; `file` names it in errors and is what paths are relative to.
Result<Task> parse_task(std::string_view yaml, const std::filesystem::path& file);

/// Every gate that there is, as `gates: {off: [...]}` and GateReport name them; src/README.md says what each holds.
const std::vector<std::string>& gate_names();

/// The archive's axes where a task names none: off-CPU ratio and function changed.
std::vector<Axis> default_axes();

/// "function", as where a task says `function: auto`.
Axis function_axis();

}  // namespace aiopt
