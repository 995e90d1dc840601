/// Merging runs into one.

#pragma once

#include <memory>
#include <vector>

#include "sorted_run.h"
#include "status.h"

namespace walkv {

/// `runs` are all there are, the oldest first: where several have a key the newest wins, and as nothing older is left
/// to hide, tombstones go. Does not call builder->finish().
Status merge_runs(const std::vector<std::shared_ptr<SortedRun>>& runs, RunBuilder* builder);

}  // namespace walkv
