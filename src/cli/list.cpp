/// aiopt list: what this aiopt has, by name.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "engine/builtins.hpp"
#include "fitness/causal_fitness.hpp"
#include "measure/benchmark_output.hpp"
#include "select/strategies.hpp"

namespace aiopt {

int list_command(bool json) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> lists = {
      {"modes", {"fast", "full"}}, {"emitters", emitter_names()}, {"selections", selection_names()},
      {"archives", {"grid"}},      {"fitness", fitness_names()},  {"parsers", benchmark_parser_names()},
  };
  if (json) {
    nlohmann::ordered_json all = nlohmann::ordered_json::object();
    for (const auto& [kind, names] : lists) all[kind] = names;
    return print_result(all.dump(2) + "\n");
  }
  std::string text;
  for (const auto& [kind, names] : lists) text += fmt::format("{:<12}{}\n", kind, fmt::join(names, ", "));
  return print_result(text);
}

}  // namespace aiopt
