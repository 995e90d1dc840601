/// The selection strategies by name.

#include "select/strategies.hpp"

namespace aiopt {

std::unique_ptr<SelectionStrategy> make_selection(std::string_view name) {
  if (name == "tournament") return make_tournament_selection();
  if (name == "uniform") return make_uniform_selection();
  return nullptr;
}

std::vector<std::string> selection_names() {
  return {"tournament", "uniform"};
}

}  // namespace aiopt
