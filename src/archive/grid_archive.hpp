/// GridArchive: MAP-Elites' grid (Mouret and Clune, arXiv:1504.04909), deep where asked for; cells along named axes.

#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <aiopt/archive.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// pyribs' index, int((cells * (m - lower) + 1e-6) / (upper - lower)), clipped to the edge cells.
/// @pre a linear axis as make_grid_archive() takes it, and a finite measure
std::size_t linear_cell(const Axis& axis, double measure);

/// Linear axes: linear_cell().
/// Category axes: a cell for each name in order of first appearance; once there are as many as `cells`, further names
/// share the last one. Cells are numbered with the first axis most significant, and only filled ones take memory.
///
/// add() and update() cost a search among the filled cells, a sort of the residents of one or two of them, and a shift
/// of the pointers behind them; the rest read what those keep up to date.
///
/// @param depth  Residents of a cell, at least 1.
/// @throws std::invalid_argument for an axis without cells, with lower >= upper or a bound that is not finite, for more
///         cells than std::size_t can count, or a depth below 1.
std::unique_ptr<Archive> make_grid_archive(std::vector<Axis> axes, int depth = 1);

}  // namespace aiopt
