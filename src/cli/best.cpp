/// aiopt best: the best candidate's patch, printed, written or applied.

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "archive/grid_archive.hpp"
#include "base/files.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "engine/candidate_tree.hpp"
#include "source/git.hpp"
#include "source/source_tree.hpp"
#include "store/run_store.hpp"
#include "view/run_summary.hpp"

namespace aiopt {

namespace {

Result<void> apply_to(const std::filesystem::path& folder, const std::string& diff) {
  const TemporaryFolder place("aiopt-best-");
  const std::filesystem::path file = place.path() / "best.patch";
  if (auto written = write_file_atomic(file, diff); !written) return written.error();
  // Below the top of a git tree, git apply would take the patch's names from that top, and skip what is not there in
  // silence: with the ceiling it sees a plain folder. What lies outside of it, it refuses.
  const std::filesystem::path parent = std::filesystem::canonical(folder).parent_path();
  Result<CommandResult> applied =
      run_git(folder, {"apply", "--whitespace=nowarn", file.string()}, {{"GIT_CEILING_DIRECTORIES", parent.string()}});
  if (!applied) return applied.error();
  if (applied->succeeded()) return {};
  return Error{Error::Code::invalid_argument,
               fmt::format("cannot apply the patch to {}, nothing was changed: {}", folder.string(), applied->output)};
}

}  // namespace

int best_command(const BestArguments& arguments) {
  Result<std::unique_ptr<RunStore>> store = RunStore::open(arguments.folder, RunStore::Access::read_only);
  if (!store) return fail(store.error());
  Result<RunTask> run = task_of_run(**store);
  if (!run) return fail(run.error());
  Result<RunSummary> summary = summarize(**store, run->task, run->options.iterations,
                                         make_grid_archive(run->task.axes, run->task.archive_depth));
  if (!summary) return fail(summary.error());
  const Elite* best = summary->best();
  const CandidateId id = arguments.candidate ? CandidateId{*arguments.candidate}
                         : best != nullptr   ? best->candidate->id
                                             : kBaselineId;
  if (id == kBaselineId) {
    return fail(
        {Error::Code::not_found, fmt::format("{} has no candidate that beat the unmodified source", arguments.folder)});
  }
  Result<SourceTree> baseline = baseline_of_run(**store, run->task);
  if (!baseline) return fail(baseline.error());
  Result<SourceTree> tree = candidate_tree(**store, *baseline, id, rules_of(run->task));
  if (!tree) return fail(tree.error());
  Result<std::string> diff = unified_diff(*baseline, *tree);
  if (!diff) return fail(diff.error());

  if (!arguments.apply.empty()) {
    if (auto applied = apply_to(arguments.apply, *diff); !applied) return fail(applied.error());
    say(fmt::format("candidate {} applied to {}", to_number(id), arguments.apply));
  }
  if (!arguments.output.empty()) {
    if (auto written = write_file_atomic(arguments.output, *diff); !written) return fail(written.error());
    say(fmt::format("candidate {} written to {}", to_number(id), arguments.output));
  }
  if (arguments.json) {
    const nlohmann::ordered_json json = {{"id", to_number(id)}, {"patch", *diff}};
    return print_result(json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  }
  return arguments.output.empty() && arguments.apply.empty() ? print_result(*diff) : kDone;
}

}  // namespace aiopt
