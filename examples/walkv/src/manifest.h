/// The manifest: which files make up the database. Replaced as a whole, by rename.
///
/// The file: fixed64 magic, which walkv_bench knows a database by | fixed32 CRC of the rest | fixed64 first log |
/// fixed64 number of each run.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "env.h"
#include "status.h"

namespace walkv {

struct Manifest {
  uint64_t first_log = 0;      ///< Logs with a lower number are in runs already; these and later ones are replayed.
  std::vector<uint64_t> runs;  ///< The oldest first.
};

/// A directory without a manifest is not_found.
Status load_manifest(Env& env, const std::string& directory, Manifest* manifest);
/// Durable when it returns, and everything that happened to names in the directory before with it.
Status save_manifest(Env& env, const std::string& directory, const Manifest& manifest);

}  // namespace walkv
