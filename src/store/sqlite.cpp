/// Statement and Database: see sqlite.hpp.

#include "store/sqlite.hpp"

#include <utility>

#include <fmt/format.h>

namespace aiopt {
namespace {

constexpr int kMaxRowBytes = 80 << 20;
constexpr int kBusyTimeoutMs = 5'000;  ///< Others hold a lock for moments only: recovery of a WAL, a checkpoint.

void harden(sqlite3* database) {
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  for (const int option : {SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW,
                           SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, SQLITE_DBCONFIG_WRITABLE_SCHEMA}) {
    sqlite3_db_config(database, option, 0, nullptr);
  }
  sqlite3_limit(database, SQLITE_LIMIT_LENGTH, kMaxRowBytes);
  sqlite3_limit(database, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_busy_timeout(database, kBusyTimeoutMs);
}

}  // namespace

void Statement::bind_text(int parameter, std::string_view text) {
  // A null pointer would bind NULL.
  sqlite3_bind_text64(statement_.get(), parameter, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
}

void Statement::bind_blob(int parameter, std::string_view bytes) {
  sqlite3_bind_blob64(statement_.get(), parameter, bytes.empty() ? "" : bytes.data(), bytes.size(), SQLITE_STATIC);
}

std::string_view Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

Result<Database> Database::open(const std::string& name, int flags, std::string shown) {
  Database database;
  database.shown_ = std::move(shown);
  sqlite3* handle = nullptr;
  // One thread at a time uses a connection: no mutexes.
  const int code = sqlite3_open_v2(name.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  database.database_.reset(handle);
  if (handle == nullptr) return Error{Error::Code::io, "cannot open " + database.shown_ + ": out of memory"};
  if (code != SQLITE_OK) return database.error();
  harden(handle);
  if (auto done = database.execute("PRAGMA cell_size_check=ON"); !done) return done.error();
  return database;
}

std::optional<DatabaseHeader> Database::file_header() const {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(database_.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  DatabaseHeader bytes{};
  if (file == nullptr || file->pMethods == nullptr) return std::nullopt;
  if (file->pMethods->xRead(file, bytes.data(), static_cast<int>(bytes.size()), 0) != SQLITE_OK) return std::nullopt;
  return bytes;
}

bool Database::is_read_only() const {
  return sqlite3_db_readonly(database_.get(), "main") == 1;
}

void Database::keep_wal_on_close(bool keep) {
  sqlite3_db_config(database_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep ? 1 : 0, nullptr);
}

Result<void> Database::execute(const char* sql) {
  if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) return error();
  return {};
}

Result<Statement> Database::prepare(const char* sql) const {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return error();
  }
  return Statement(statement);
}

Result<void> Database::run(Statement& statement) {
  const ResetAtEnd reset(statement);
  if (statement.step() != SQLITE_DONE) return error();
  return {};
}

Result<bool> Database::next(Statement& statement) const {
  const int code = statement.step();
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return error();
}

int Database::error_code() const {
  return sqlite3_extended_errcode(database_.get()) & 0xFF;
}

Error Database::error() const {
  const int code = error_code();
  const std::string why = sqlite3_errmsg(database_.get());
  // SQLite tells ENOSPC apart, but not EDQUOT and EFBIG, and does not keep errno here.
  const bool write_failed = sqlite3_extended_errcode(database_.get()) == SQLITE_IOERR_WRITE;
  if (code == SQLITE_FULL || write_failed) {
    return {
        Error::Code::io,
        fmt::format("cannot write {}: {}; what it holds is whole: free some space, then `aiopt resume` goes on", shown_,
                    write_failed ? "the disk, a quota or a limit of file size is full" : "the disk is full")};
  }
  switch (code) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_TOOBIG:
      return {Error::Code::corruption, fmt::format("{} is damaged ({}); restore it from a copy", shown_, why)};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Error::Code::unavailable, fmt::format("cannot use {}: another process has locked it", shown_)};
    case SQLITE_CONSTRAINT:
      return {Error::Code::invalid_argument, fmt::format("cannot write {}: {}", shown_, why)};
    default:
      return {Error::Code::io, fmt::format("cannot use {}: {}", shown_, why)};
  }
}

}  // namespace aiopt
