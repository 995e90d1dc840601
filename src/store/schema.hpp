/// run.db's tables, and what a file must look like to be taken for a run.db.

#pragma once

#include <cstdint>
#include <filesystem>

#include <aiopt/result.hpp>

#include "store/sqlite.hpp"

namespace aiopt {

/// PRAGMA user_version. A change of any table takes the next number.
inline constexpr std::uint32_t kRunFormat = 3;

/// Stage reports are numbered kStagesPerEvaluation * told + position.
inline constexpr std::int64_t kStagesPerEvaluation = 64;

/// What can be told without opening the file: that it and its neighbours are regular files, and that none of them makes
/// SQLite do more than read (it would roll back a journal that lies beside the file, whatever that does).
Result<void> check_run_file(const std::filesystem::path& file);

/// What the first bytes say; of a foreign file SQLite reads no more than that.
Result<void> check_file_header(const Database& database);

/// Makes the tables in an empty database, within the caller's transaction.
Result<void> create_tables(Database& database);

/// Error::Code::corruption unless the tables are exactly those that create_tables() makes: no trigger, view, generated
/// column or further index can have been put there.
Result<void> check_tables(const Database& database);

/// PRAGMA quick_check. A file of more than half a gigabyte is spared: there damage shows when it is read.
Result<void> check_pages(const Database& database, std::uintmax_t file_bytes);

}  // namespace aiopt
