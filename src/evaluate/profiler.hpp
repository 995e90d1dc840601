/// Profiler: runs a built program for its profiles, beside the runs that measure it.

#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <aiopt/evaluation.hpp>
#include <aiopt/evaluator.hpp>
#include <aiopt/result.hpp>
#include <aiopt/source_tree.hpp>
#include <aiopt/task.hpp>

#include "evaluate/comparison.hpp"
#include "evaluate/profile_providers.hpp"
#include "evaluate/stack_recorder.hpp"
#include "evaluate/stages.hpp"
#include "profile/coz.hpp"
#include "profile/kernel_symbols.hpp"
#include "profile/sampled_stacks.hpp"

namespace aiopt {

/// What a profiled run did of what no run may do.
struct ProfiledFaults {
  std::vector<std::string> changed;  ///< Sealed files: the workspace is not to be given to another candidate.
  bool opened_run_folder = false;
  bool filled_disk = false;
};

/// What one kind of profile came to. That there is none is no candidate's failure.
template <typename Kind>
struct Profiled {
  std::optional<Kind> profile;  ///< Empty: the report's output says why.
  StageReport report;
  ProfiledFaults faults;
};

struct ProfiledOffCpu : Profiled<OffCpuProfile> {
  /// For causal() to try: where it ran most, most first; before them, where bcoz makes those profiles, where it waited
  /// most. Of the tree's files, as the tree names them.
  std::vector<BusyLine> busiest_lines;
};

/// @pre evaluation.benchmark, for others than the baseline
bool is_worth_a_causal_profile(ProfileTask::When when, const Evaluation& evaluation, const EvaluateOptions& how);

/// As Task::profile says, with what works here. Safe from any thread.
class Profiler {
 public:
  /// @param task, runner  borrowed; outlive the profiler
  Profiler(const Task& task, const StageRunner& runner, ProfileProviders providers);

  bool makes_off_cpu() const { return providers_.makes_off_cpu(); }
  bool makes_causal() const { return providers_.makes_causal(); }

  /// One run, recorded by the sampler, perf or bperf. The workspace is sealed, and as it was when this returns.
  /// `tree` tells its files from others.
  Result<ProfiledOffCpu> off_cpu(Side side, const SourceTree& tree, const std::vector<int>& cpus,
                                 std::stop_token stop) const;

  /// As many runs as Task::profile's duration holds, under coz or bcoz. `tree` names the functions of lines.
  ///
  /// @param off_cpu  made of the same program before
  /// @param lines    to try, most wanted first: as many of them as there is time for, so that each has the experiments
  ///               that it takes to tell its effect. Empty: those that coz comes upon, few experiments each.
  Result<Profiled<CausalProfile>> causal(Side side, const SourceTree& tree, const std::vector<BusyLine>& lines,
                                         const std::vector<int>& cpus, std::stop_token stop) const;

 private:
  /// One run under the sampler.
  Result<RecordedRun> sample(const StageSetting& setting, std::stop_token stop) const;

  struct CausalRuns;
  /// As often as it fits into the planned length.
  Result<void> run_coz(const CozRun& planned, const StageSetting& setting, Workspace& workspace, std::stop_token stop,
                       CausalRuns& runs) const;

  const Task& task_;
  const StageRunner& runner_;
  const ProfileProviders providers_;
  KernelSymbols kernel_;  ///< Knows none where the kernel hides them.
};

}  // namespace aiopt
