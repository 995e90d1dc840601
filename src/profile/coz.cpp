/// coz's command line, and the arithmetic of its experiments.

#include "profile/coz.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <utility>

#include "base/files.hpp"

namespace aiopt {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

/// libcoz/profiler.h, and the script's folders.
constexpr milliseconds kShortestExperiment{500};
constexpr milliseconds kCoolOff{10};
constexpr double kLeastVisits = 5.0;
constexpr double kDrawsAtZero = 8.0 / 28.0;
constexpr double kDrawsPerPoint = 20.0 / 28.0 / kCozPoints;
constexpr std::array kLibraryFolders = {"../lib64", "../lib",      "../lib64/coz-profiler", "../lib/coz-profiler",
                                        "libcoz",   "build/libcoz"};

/// coz doubles an experiment until the progress point is visited five times in it.
milliseconds experiment_length(double visits_per_second) {
  milliseconds length = kShortestExperiment;
  if (visits_per_second <= 0.0) return length + kCoolOff;
  while (visits_per_second * std::chrono::duration<double>(length).count() < kLeastVisits && length.count() < 100'000) {
    length *= 2;
  }
  return length + kCoolOff;
}

Result<CozInstallation> installation_of(std::string_view name, const fs::path& program) {
  std::error_code error;
  const fs::path folder = fs::canonical(program, error).parent_path();
  for (const char* below : kLibraryFolders) {
    const fs::path library = (folder / below / "libcoz.so").lexically_normal();
    if (!fs::exists(library, error)) continue;
    const Result<std::string> bytes = read_file(library);
    if (!bytes) return bytes.error();
    // The variable came with the JSON of 0.2.4.
    return CozInstallation{std::string(name), program, library, bytes->find("COZ_OUTPUT_FORMAT") != std::string::npos};
  }
  return Error{Error::Code::not_found,
               fmt::format("looking for libcoz.so of {}: it is in none of the folders beside it", program.string())};
}

std::string too_few_note(const CozPlan& plan, const CozRequest& request, milliseconds planned) {
  const milliseconds wanted =
      duration_for_coz(std::max<std::size_t>(1, request.lines.size()), request.visits_per_second);
  return fmt::format("coz: {} s leave about {:.0f} experiments at each point of {}, {} are wanted: {} s would do",
                     (planned.count() + 500) / 1000, plan.experiments_per_point,
                     request.lines.empty() ? "the curves of all lines together" : "a line's curve", kWantedExperiments,
                     (wanted.count() + 999) / 1000);
}

}  // namespace

Result<CozInstallation> find_coz(std::string_view path_variable, std::string_view name) {
  for (std::size_t begin = 0; begin < path_variable.size();) {
    const std::size_t end = std::min(path_variable.find(':', begin), path_variable.size());
    const fs::path program = fs::path(path_variable.substr(begin, end - begin)) / name;
    std::error_code error;
    if (end > begin && fs::is_regular_file(program, error)) return installation_of(name, program);
    begin = end + 1;
  }
  return Error{Error::Code::not_found, fmt::format("looking for {} in PATH: there is none{}", name,
                                                   name == "coz" ? " (Debian: package coz-profiler)" : "")};
}

Result<CozInstallation> find_coz() {
  const char* path = std::getenv("PATH");
  return find_coz(path != nullptr ? path : "/usr/bin:/bin");
}

std::vector<std::string> coz_command(const fs::path& coz, const CozOptions& options) {
  std::vector<std::string> command = {coz.string(), "run", "-o", options.output.string()};
  for (const std::string& pattern : options.binary_scope) command.insert(command.end(), {"--binary-scope", pattern});
  for (const std::string& pattern : options.source_scope) command.insert(command.end(), {"--source-scope", pattern});
  if (!options.fixed_line.empty()) command.insert(command.end(), {"--fixed-line", options.fixed_line});
  if (options.fixed_speedup) {
    command.insert(command.end(), {"--fixed-speedup", std::to_string(*options.fixed_speedup)});
  }
  if (options.end_to_end) command.emplace_back("--end-to-end");
  command.emplace_back("---");
  return command;
}

CozPlan plan_coz(const fs::path& coz, const CozRequest& request) {
  assert(request.duration.count() > 0);
  CozPlan plan;
  plan.experiment = experiment_length(request.visits_per_second);
  const std::size_t lines = std::max<std::size_t>(1, request.lines.size());
  const auto turns = request.run_length.count() > 0
                         ? std::max<std::int64_t>(1, request.duration / (request.run_length * static_cast<int>(lines)))
                         : 1;
  const milliseconds length =
      request.run_length.count() > 0 ? request.run_length : request.duration / static_cast<milliseconds::rep>(lines);
  for (std::int64_t turn = 0; turn < turns; ++turn) {
    for (std::size_t i = 0; i < lines; ++i) {
      CozOptions options = request.options;
      options.fixed_line = request.lines.empty() ? std::string() : request.lines[i];
      options.fixed_speedup.reset();
      plan.runs.push_back({options.fixed_line, coz_command(coz, options), length});
    }
  }
  const double experiments = static_cast<double>(turns) * std::floor(std::chrono::duration<double>(length) /
                                                                     std::chrono::duration<double>(plan.experiment));
  plan.experiments_at_zero = experiments * kDrawsAtZero;
  plan.experiments_per_point = experiments * kDrawsPerPoint;
  if (std::min(plan.experiments_at_zero, plan.experiments_per_point) < kWantedExperiments) {
    plan.notes.push_back(too_few_note(plan, request, length * static_cast<int>(plan.runs.size())));
  }
  return plan;
}

CausalRules rules_for_coz() {
  CausalRules rules;
  rules.min_time_ns = 120e6;
  return rules;
}

SettledRules settled_for_coz() {
  return {.points = kCozPoints, .experiments = kWantedExperiments, .width = 0.1};  // The last pool may be left out.
}

CausalRules rules_for_bcoz() {
  CausalRules rules;
  rules.min_time_ns = 12e6;
  return rules;
}

milliseconds duration_for_coz(std::size_t lines, double visits_per_second) {
  const double experiments = std::ceil(kWantedExperiments / std::min(kDrawsAtZero, kDrawsPerPoint));
  return experiment_length(visits_per_second) * static_cast<milliseconds::rep>(experiments) *
         static_cast<milliseconds::rep>(lines);
}

}  // namespace aiopt
