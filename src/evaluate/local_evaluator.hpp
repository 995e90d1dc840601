/// The Evaluator of this machine: a workspace a worker, stages in order, one measurement lane.

#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <aiopt/evaluator.hpp>
#include <aiopt/source_tree.hpp>
#include <aiopt/task.hpp>

#include "evaluate/measurement_lane.hpp"

namespace aiopt {

struct LocalEvaluatorOptions {
  std::filesystem::path folder;  ///< Workspaces are made in it; it is removed at the end.
  int workspaces = 1;            ///< How many threads call at once.
};

/// Workspaces are made when first needed. The baseline has one of its own, built once, for the pairs.
///
/// @param task, baseline, lane  Borrowed; outlive the evaluator.
std::unique_ptr<Evaluator> make_local_evaluator(const Task& task, const SourceTree& baseline, MeasurementLane& lane,
                                                LocalEvaluatorOptions options);

}  // namespace aiopt
