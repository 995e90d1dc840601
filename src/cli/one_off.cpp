/// OneOff: see the header.

#include "cli/one_off.hpp"

#include <iostream>
#include <utility>

#include "base/cpu_set.hpp"
#include "cli/command.hpp"
#include "engine/run_options.hpp"
#include "evaluate/local_evaluator.hpp"
#include "llm/openai_chat.hpp"
#include "source/patch_apply.hpp"
#include "source/patch_parser.hpp"
#include "source/protected_files.hpp"
#include "source/source_tree.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kPatchFileLimitBytes = 16 << 20;

Result<std::string> read_patch(const std::string& file) {
  if (file != "-") return read_file(file, kPatchFileLimitBytes);
  std::string text;
  char buffer[1 << 16];
  while (std::cin.read(buffer, sizeof buffer) || std::cin.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > kPatchFileLimitBytes) {
      return Error{Error::Code::invalid_argument, "the patch on stdin is over 16 MiB"};
    }
  }
  return text;
}

}  // namespace

Result<std::unique_ptr<OneOff>> OneOff::load(const std::string& task_file) {
  Result<Task> task = load_task(task_file);
  if (!task) return task.error();
  take_api_key(task->llm.api_key_env);
  Result<SourceTree> tree = load_source_tree(task->source, task->editable);
  if (!tree) return tree.error();
  std::unique_ptr<OneOff> made(new OneOff(std::move(*task)));
  made->baseline_.tree_sha256 = tree_sha256(*tree);
  made->baseline_.tree = std::move(*tree);
  return made;
}

Result<Candidate> OneOff::candidate_of(const std::string& file, CandidateId id) const {
  Result<std::string> text = read_patch(file);
  // That makes no candidate which cannot be judged: it is not the patch's fault.
  if (!text) return Error{Error::Code::io, text.error().message};
  const std::string only_file = baseline_.tree.size() == 1 ? baseline_.tree.begin()->first : "";
  Result<Patch> patch = parse_patch(*text, only_file);
  if (!patch) return Error{Error::Code::invalid_argument, patch.error().message};
  Result<AppliedPatch> applied = apply_patch(baseline_.tree, *patch, rules_of(task_));
  if (!applied) return Error{Error::Code::invalid_argument, applied.error().message};
  Candidate candidate;
  candidate.id = id;
  candidate.parent = kBaselineId;
  candidate.generation = 1;
  candidate.tree_sha256 = tree_sha256(applied->tree);
  candidate.tree = std::move(applied->tree);
  candidate.changed_function = std::move(applied->changed_function);
  return candidate;
}

Result<void> OneOff::prepare(const LaneOptions& lanes, SandboxMode sandbox, std::uint64_t seed, Mode mode) {
  fit_axes(task_, mode, false);
  Result<LanePlan> plan = plan_lanes(usable_cpus(), lanes.lanes, lanes.lane_cpus);
  if (!plan) return plan.error();
  Result<Sandbox> probed = Sandbox::probe(sandbox);
  if (!probed) return probed.error();
  if (!probed->warning().empty()) say(probed->warning());
  Result<ProtectedFiles> protected_files = read_protected(task_.source, baseline_.tree);
  if (!protected_files) return protected_files.error();
  lanes_ = std::make_unique<Lanes>(std::move(*plan));
  sandbox_ = std::make_unique<Sandbox>(std::move(*probed));
  LocalEvaluatorOptions options;
  options.folder = folder_.path() / "workspaces";
  options.run_folder = folder_.path();
  options.seed = seed;
  if (mode == Mode::full) {
    Result<ProfileProviders> profilers = choose_providers(task_.profile, *sandbox_);
    if (!profilers) return profilers.error();
    say(profilers->describe());
    options.profilers = std::move(*profilers);
  }
  Result<std::unique_ptr<Evaluator>> made =
      make_local_evaluator(task_, baseline_.tree, std::move(*protected_files), *lanes_, *sandbox_, std::move(options));
  if (!made) return made.error();
  evaluator_ = std::move(*made);
  return {};
}

}  // namespace aiopt
