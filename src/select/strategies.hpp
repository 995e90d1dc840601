/// The selection strategies that come with aiopt, one file each.

#pragma once

#include <memory>

#include <aiopt/selection.hpp>

namespace aiopt {

/// Every elite is as likely as any other (MAP-Elites as published).
std::unique_ptr<SelectionStrategy> make_uniform_selection();

/// The best of `size` elites drawn uniformly, with replacement (Goldberg and Deb, FOGA 1991).
std::unique_ptr<SelectionStrategy> make_tournament_selection(std::size_t size = 3);

}  // namespace aiopt
