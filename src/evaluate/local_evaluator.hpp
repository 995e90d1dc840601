/// The Evaluator of this machine: a workspace a worker, stages in order, measurement on lanes.

#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <aiopt/evaluator.hpp>
#include <aiopt/source_tree.hpp>
#include <aiopt/task.hpp>

#include "evaluate/lanes.hpp"

namespace aiopt {

struct LocalEvaluatorOptions {
  std::filesystem::path folder;  ///< Made here, for workspaces, and removed at the end.
  int workspaces = 1;            ///< How many threads call at once.
};

/// Workspaces are made when first needed. The baseline has one of its own, built once, for the pairs.
///
/// @param task, baseline, lanes  Borrowed; outlive the evaluator.
/// @return invalid_argument if `options.folder` is there and no earlier evaluator made it; one that a killed run left
///         is removed first.
Result<std::unique_ptr<Evaluator>> make_local_evaluator(const Task& task, const SourceTree& baseline, Lanes& lanes,
                                                        LocalEvaluatorOptions options);

}  // namespace aiopt
