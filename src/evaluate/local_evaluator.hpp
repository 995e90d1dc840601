/// The Evaluator of this machine: a workspace a worker, stages in order, measurement on lanes.

#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include <aiopt/evaluator.hpp>
#include <aiopt/source_tree.hpp>
#include <aiopt/task.hpp>

#include "evaluate/lanes.hpp"
#include "evaluate/profile_providers.hpp"
#include "evaluate/sandbox.hpp"
#include "source/protected_files.hpp"

namespace aiopt {

struct LocalEvaluatorOptions {
  std::filesystem::path folder;      ///< Absolute. Made here, for workspaces, and removed at the end.
  std::filesystem::path run_folder;  ///< Absolute. What candidates must not see: run.db is in it, and `folder` may be.
  std::uint64_t seed = 1;            ///< With a candidate's number: of the order of its runs and of their AIOPT_SEED.
  /// A candidate whose benchmark program is, byte for byte of code and data, one that was measured before gets that
  /// measurement. Which of two was first is chance where several are evaluated at once.
  bool reuses_measurements = true;
  std::optional<ProfileProviders> profilers;  ///< As choose_providers() of Task::profile; empty: makes no profiles.
};

/// Workspaces are made when first needed. Each lane has a baseline of its own, built once, for the pairs.
///
/// @param task, baseline, lanes, sandbox  Borrowed; outlive the evaluator.
/// @param protected_files  read_protected() of task.source.
/// @return invalid_argument if `options.folder` is there and no earlier evaluator made it; one that a killed run left
///         is removed first.
Result<std::unique_ptr<Evaluator>> make_local_evaluator(const Task& task, const SourceTree& baseline,
                                                        ProtectedFiles protected_files, Lanes& lanes,
                                                        const Sandbox& sandbox, LocalEvaluatorOptions options);

}  // namespace aiopt
