/// Runs under coz, and names for the lines that it found: see the header.

#include "cli/causal_run.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <string_view>
#include <utility>

#include <aiopt/rng.hpp>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "cli/command.hpp"
#include "profile/causal_profile.hpp"
#include "profile/coz.hpp"
#include "profile/coz_profile.hpp"
#include "profile/coz_target.hpp"
#include "source/function_names.hpp"

namespace aiopt {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::size_t kMostProfileBytes = 256 << 20;
constexpr std::size_t kLargestSourceBytes = 4 << 20;

/// One line of it each, where there are more.
Error objection(const std::string& program, const std::vector<std::string>& problems) {
  for (const std::string& problem : problems) say(problem);
  return {Error::Code::invalid_argument, fmt::format("coz would find nothing in {}", program)};
}

Result<CozInstallation> coz_for(const std::string& name) {
  Result<CozInstallation> coz = find_coz();
  if (!coz) return coz;
  const std::string program = find_program(name);
  if (program.empty()) {
    return Error{Error::Code::not_found, fmt::format("cannot start {}: there is no such program", name)};
  }
  const Result<std::vector<std::string>> problems = problems_for_coz(*coz, program);
  if (!problems) return problems.error();
  if (!problems->empty()) return objection(program, *problems);
  return coz;
}

/// Runs that were appended to one file. @return The last run's end.
Result<TargetEnd> run_under_coz(const CozInstallation& coz, const CausalRequest& request, const fs::path& file,
                                const std::stop_token& stop) {
  const CozOptions options{file, request.binary_scope, request.source_scope, {}};
  std::vector<std::string> command = coz_command(coz.program, options);
  command.insert(command.end(), request.command.begin(), request.command.end());
  const auto started = monotonic_now();
  while (true) {
    const auto passed = std::chrono::duration_cast<milliseconds>(monotonic_now() - started);
    const milliseconds limit = request.duration.count() > 0 ? request.duration - passed : milliseconds(0);
    Result<TargetEnd> end = run_target(command, limit, stop);
    if (!end || end->was_cut || end->status != 0 || request.duration.count() == 0) return end;
    const auto ended = std::chrono::duration_cast<milliseconds>(monotonic_now() - started);
    if (request.duration - ended < kShortestCozRun) return end;
  }
}

/// Functions of source files by line, each file read once.
class FunctionsOfFiles {
 public:
  /// Empty where the file is not there, or no function holds the line.
  std::string name_at(const std::string& file, int line) {
    const auto [found, is_new] = texts_.try_emplace(file);
    if (is_new) {
      if (Result<std::string> text = read_file(file, kLargestSourceBytes)) found->second = std::move(*text);
    }
    return function_at_line(found->second, line);
  }

 private:
  std::map<std::string, std::string> texts_;
};

void name_functions(CausalProfile& profile) {
  FunctionsOfFiles files;
  for (CausalTarget& target : profile.targets) {
    if (target.place.function.empty() && target.place.line > 0) {
      target.place.function = files.name_at(target.place.file, target.place.line);
    }
  }
}

}  // namespace

Result<CausalOutcome> profile_causal(const CausalRequest& request, const std::stop_token& stop) {
  const Result<CozInstallation> coz = coz_for(request.command.front());
  if (!coz) return coz.error();
  if (request.duration.count() > 0) {
    for (const std::string& note : plan_coz(coz->program, {{}, {}, request.duration}).notes) say(note);
  }
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "profile.coz";
  const Result<TargetEnd> end = run_under_coz(*coz, request, file, stop);
  if (!end) return end.error();
  const Result<std::string> text = read_file(file, kMostProfileBytes);
  if (!text) {
    const std::string failure = failure_of(end->status);
    return Error{Error::Code::unavailable, fmt::format("coz left no profile of {}{}", request.command.front(),
                                                       failure.empty() ? "" : ", which ended with " + failure)};
  }
  Result<CausalExperiments> experiments = parse_coz(*text);
  if (!experiments) return experiments.error();
  Rng rng(1);
  CausalProfile profile = analyse(*experiments, rules_for_coz(), rng);
  name_functions(profile);
  return CausalOutcome{std::move(*experiments), std::move(profile), *end};
}

}  // namespace aiopt
