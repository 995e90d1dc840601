/// `aiopt export`: everything that a search decided, as JSON lines.

#pragma once

#include <ostream>

#include <aiopt/result.hpp>

#include "store/run_store.hpp"

namespace aiopt {

struct ExportOptions {
  bool timings = false;  ///< Also what differs between equal searches: times, sizes, versions, paths.
};

/// A header line, then a line for each evaluation in the order told. Equal searches give equal bytes: without
/// `timings` nothing in it tells when, where or how fast they ran.
Result<void> export_run(const RunStore& store, std::ostream& out, const ExportOptions& options = {});

}  // namespace aiopt
