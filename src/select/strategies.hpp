/// The selection strategies that come with aiopt, one file each.

#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/selection.hpp>

namespace aiopt {

/// Every elite is as likely as any other (MAP-Elites as published).
std::unique_ptr<SelectionStrategy> make_uniform_selection();

/// The best of `size` elites drawn uniformly, with replacement (Goldberg and Deb, FOGA 1991); of equals the first
/// drawn.
///
/// @throws std::invalid_argument if size is 0.
std::unique_ptr<SelectionStrategy> make_tournament_selection(std::size_t size = 3);

/// The strategy of that name with its defaults; null if there is none.
std::unique_ptr<SelectionStrategy> make_selection(std::string_view name);

/// The names that make_selection() knows.
std::vector<std::string> selection_names();

}  // namespace aiopt
