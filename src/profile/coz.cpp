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
constexpr double kDrawsAtZero = 8.0 / 28.0;
constexpr double kDrawsPerPoint = 20.0 / 28.0 / kCozPoints;
constexpr std::array kLibraryFolders = {"../lib64", "../lib",      "../lib64/coz-profiler", "../lib/coz-profiler",
                                        "libcoz",   "build/libcoz"};

/// Where the progress point is visited ten times a second or more: coz doubles an experiment until it has five visits.
constexpr milliseconds kExperiment = kShortestExperiment + kCoolOff;

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
  const milliseconds wanted = duration_for_coz(std::max<std::size_t>(1, request.lines.size()));
  return fmt::format("coz: {} s leave about {:.0f} experiments at each point of {}, {} are wanted: {} s would do",
                     (planned.count() + 500) / 1000, plan.experiments_per_point,
                     request.lines.empty() ? "the curves of all lines together" : "a line's curve", kWantedExperiments,
                     (wanted.count() + 999) / 1000);
}

std::string_view path_variable() {
  const char* path = std::getenv("PATH");
  return path != nullptr ? path : "/usr/bin:/bin";
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
  return find_coz(path_variable(), "coz");
}

Result<CozInstallation> find_bcoz() {
  return find_coz(path_variable(), "bcoz");
}

std::vector<std::string> coz_command(const fs::path& coz, const CozOptions& options) {
  std::vector<std::string> command = {coz.string(), "run", "-o", options.output.string()};
  for (const std::string& pattern : options.binary_scope) command.insert(command.end(), {"--binary-scope", pattern});
  for (const std::string& pattern : options.source_scope) command.insert(command.end(), {"--source-scope", pattern});
  if (!options.fixed_line.empty()) command.insert(command.end(), {"--fixed-line", options.fixed_line});
  command.emplace_back("---");
  return command;
}

CozPlan plan_coz(const fs::path& coz, const CozRequest& request) {
  assert(request.duration.count() > 0);
  CozPlan plan;
  const std::vector<std::string> lines = request.lines.empty() ? std::vector<std::string>{""} : request.lines;
  const milliseconds length = request.duration / static_cast<milliseconds::rep>(lines.size());
  for (const std::string& line : lines) {
    CozOptions options = request.options;
    options.fixed_line = line;
    plan.runs.push_back({line, coz_command(coz, options), length});
  }
  const double experiments =
      std::floor(std::chrono::duration<double>(length) / std::chrono::duration<double>(kExperiment));
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

milliseconds duration_for_coz(std::size_t lines) {
  const double experiments = std::ceil(kWantedExperiments / std::min(kDrawsAtZero, kDrawsPerPoint));
  return kExperiment * static_cast<milliseconds::rep>(experiments) * static_cast<milliseconds::rep>(lines);
}

}  // namespace aiopt
