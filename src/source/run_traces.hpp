/// RunTraces: what a program that ran in a workspace did to it.

#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace aiopt {

/// Paths relative to the workspace, each on one line; "." is the folder itself. Of each list the first twenty in order,
/// and how many there are; of a folder that came, went or was replaced, only itself.
struct RunTraces {
  std::vector<std::string> left;  ///< New outside the data paths. Removed.
  std::size_t left_count = 0;
  std::vector<std::string> changed;  ///< Sealed, outside the data paths, and changed, replaced or gone. Stays so.
  std::size_t changed_count = 0;
};

}  // namespace aiopt
