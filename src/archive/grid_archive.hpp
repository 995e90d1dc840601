/// GridArchive: MAP-Elites' grid (Mouret and Clune, arXiv:1504.04909), cells along named axes.

#pragma once

#include <memory>
#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// Linear axes: pyribs' cell index, int((cells * (m - lower) / (upper - lower)) + 1e-6), clipped to the edge cells.
/// Category axes: a cell for each name in order of first appearance. Stores filled cells only.
///
/// @throws std::invalid_argument for an axis without cells or with lower >= upper.
std::unique_ptr<Archive> make_grid_archive(std::vector<Axis> axes);

}  // namespace aiopt
