/// The RunStore over a connection that was found to be to a run.db.

#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <aiopt/task.hpp>

#include "store/run_lock.hpp"
#include "store/run_store.hpp"
#include "store/sqlite.hpp"

namespace aiopt {

/// Fills a new file's header and axes, within the caller's transaction.
Result<void> write_header(Database& database, const RunHeader& header, const std::vector<Axis>& axes);

/// Reads the header and prepares the statements.
/// @param lock  Set if it may write.
Result<std::unique_ptr<RunStore>> make_sqlite_run_store(Database database, std::optional<RunLock> lock);

}  // namespace aiopt
