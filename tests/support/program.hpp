/// Runs the aiopt program as a user would, and makes small tasks for it.

#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/subprocess.hpp"

namespace aiopt {

struct ProgramResult {
  int exit_code = 0;
  std::string out;  ///< stdout alone.
  std::string all;  ///< stdout and stderr as they came.
};

/// The aiopt program of this build ($AIOPT_PROGRAM), run in `folder`.
/// @throws std::runtime_error if it cannot be started
ProgramResult run_aiopt(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                        const std::string& input = {}, std::chrono::milliseconds timeout = std::chrono::minutes(4));

/// A task whose "build" is a grep and whose benchmark prints the value in main.cc as its throughput: deterministic, a
/// few milliseconds. Its axes are the throughput and the function, so that nothing in it depends on time.
/// @return the folder, below `parent`
std::filesystem::path make_tiny_task(const std::filesystem::path& parent, const std::string& more_yaml = {});

/// A copy of `examples/walkv` without what was built there.
/// @return the folder, below `parent`
std::filesystem::path copy_walkv(const std::filesystem::path& parent);

}  // namespace aiopt
