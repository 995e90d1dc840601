/// aiopt compare: two trees run in turn, and what the pairs say.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/one_off.hpp"
#include "core/evaluation_json.hpp"
#include "view/comparison_view.hpp"

namespace aiopt {

namespace {

/// Whose name stands in what is printed.
std::string name_of(const std::string& patch) {
  return patch.empty() ? "the unmodified program" : patch == "-" ? "the patch on stdin" : patch;
}

}  // namespace

int compare_command(const CompareArguments& arguments) {
  Result<std::unique_ptr<OneOff>> loaded = OneOff::load(arguments.task);
  if (!loaded) return fail(loaded.error());
  OneOff& judge = **loaded;
  if (arguments.holdout && !judge.task().holdout) {
    return fail({Error::Code::invalid_argument,
                 fmt::format("{} has no held-out workload; add `holdout: {{command: ...}}`", arguments.task)});
  }
  Candidate sides[2] = {judge.baseline(), judge.baseline()};
  std::uint64_t next_id = 1;
  for (std::size_t i = 0; i < 2 && i < arguments.patches.size(); ++i) {
    Result<Candidate> made = judge.candidate_of(arguments.patches[i], CandidateId{next_id++});
    if (!made) return fail(made.error());
    sides[i] = std::move(*made);
  }
  set_verbosity(arguments.verbosity);
  const StopTokens stop = catch_interrupts();
  if (auto prepared = judge.prepare(arguments.lanes, arguments.sandbox, arguments.seed); !prepared) {
    return fail(prepared.error());
  }
  ComparisonOptions how;
  how.pairs = arguments.pairs;
  how.holdout = arguments.holdout;
  how.seed = arguments.seed;
  Result<ComparisonResult> result = judge.evaluator().compare(sides[0], sides[1], how, stop.finish);
  if (!result) return fail(result.error());
  const std::string a = name_of(arguments.patches.empty() ? "" : arguments.patches[0]);
  const std::string b = name_of(arguments.patches.size() < 2 ? "" : arguments.patches[1]);
  return print_result(arguments.json ? comparison_to_json(*result, a, b) : describe(*result, a, b));
}

}  // namespace aiopt
