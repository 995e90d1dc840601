/// What is left out of experiments before they are pooled.

#include "profile/causal_experiments.hpp"

#include <algorithm>
#include <string_view>

namespace aiopt {

namespace {

std::string_view without_prefix(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

}  // namespace

void keep_progress_point(CausalExperiments& experiments, std::string_view point) {
  for (CausalRun& run : experiments.runs) {
    for (CausalExperiment& experiment : run.experiments) {
      std::erase_if(experiment.visits, [&](const ProgressVisits& visits) { return visits.point != point; });
    }
  }
}

std::size_t keep_lines(CausalExperiments& experiments, const std::vector<std::string>& lines,
                       const std::filesystem::path& folder) {
  const std::string prefix = folder.string() + "/";
  const auto in_folder = [&](std::string_view place) { return without_prefix(without_prefix(place, prefix), "./"); };
  const auto is_other = [&](const CausalExperiment& experiment) {
    const std::string_view place = in_folder(experiment.selected);
    return std::ranges::none_of(lines, [&](const std::string& line) { return in_folder(line) == place; });
  };
  std::size_t taken_out = 0;
  for (CausalRun& run : experiments.runs) taken_out += std::erase_if(run.experiments, is_other);
  return taken_out;
}

}  // namespace aiopt
