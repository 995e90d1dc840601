/// Runs git where the repository may be anybody's.

#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/subprocess.hpp"

namespace aiopt {

/// Runs `git <arguments>` in `directory`: no hooks, no file system monitor, no prompts, no pager, no index refreshed on
/// the side, no environment variable that points to another repository; and a repository of another owner is read as
/// well. CommandResult::out is whole up to 256 MiB.
Result<CommandResult> run_git(const std::filesystem::path& directory, const std::vector<std::string>& arguments,
                              const std::map<std::string, std::string>& variables = {});

}  // namespace aiopt
