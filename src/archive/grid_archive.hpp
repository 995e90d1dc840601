/// GridArchive: MAP-Elites' grid (Mouret and Clune, arXiv:1504.04909), cells along named axes.

#pragma once

#include <memory>
#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// Linear axes: pyribs' index, int((cells * (m - lower) + 1e-6) / (upper - lower)), clipped to the edge cells.
/// Category axes: a cell for each name in order of first appearance; once there are as many as `cells`, further names
/// share the last one. Cells are numbered with the first axis most significant, and only filled ones take memory.
///
/// add() costs a search among the filled cells, and for a new cell one shift of their pointers; stats(), best(),
/// find() and elites() read what add() keeps up to date. Of equal objectives, best() is the one reached first.
///
/// @throws std::invalid_argument for an axis without cells, with lower >= upper or a bound that is not finite, or for
///         more cells than std::size_t can count.
std::unique_ptr<Archive> make_grid_archive(std::vector<Axis> axes);

}  // namespace aiopt
