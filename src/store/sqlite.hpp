/// A thin RAII wrapper of SQLite: handles that close themselves, and Errors instead of codes.

#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sqlite3.h>

#include <aiopt/result.hpp>

namespace aiopt {

/// A prepared statement. Parameters count from 1, columns from 0, as in SQLite.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  void bind(int parameter, std::int64_t value) { sqlite3_bind_int64(statement_.get(), parameter, value); }
  void bind(int parameter, double value) { sqlite3_bind_double(statement_.get(), parameter, value); }
  void bind_null(int parameter) { sqlite3_bind_null(statement_.get(), parameter); }
  /// These borrow the bytes until the statement is stepped.
  void bind_text(int parameter, std::string_view text);
  void bind_blob(int parameter, std::string_view bytes);

  /// SQLITE_ROW, SQLITE_DONE or an error code.
  int step() { return sqlite3_step(statement_.get()); }
  void reset() { sqlite3_reset(statement_.get()); }

  const char* column_name(int column) const { return sqlite3_column_name(statement_.get(), column); }
  int type(int column) const { return sqlite3_column_type(statement_.get(), column); }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  double real(int column) const { return sqlite3_column_double(statement_.get(), column); }
  /// Of a text or a blob, NULs included. Valid until the next step() or reset().
  std::string_view bytes(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// Resets a statement at the end of a scope: an open one would hold its read transaction.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(Statement& statement) : statement_(statement) {}
  ~ResetAtEnd() { statement_.reset(); }
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;

 private:
  Statement& statement_;
};

using DatabaseHeader = std::array<unsigned char, 100>;

/// A connection set up so that a hostile file can't do more than hold wrong values.
class Database {
 public:
  /// Reads nothing of the file yet but its first 100 bytes.
  ///
  /// @param name  The file's path, or a file: URI if `flags` has SQLITE_OPEN_URI.
  /// @param shown  How errors name the file.
  static Result<Database> open(const std::string& name, int flags, std::string shown);

  /// The first 100 bytes as they are in the file; nothing if it has fewer. Through SQLite, because closing a descriptor
  /// of ours would drop the locks that another connection of this process has on the file (fcntl(2)).
  std::optional<DatabaseHeader> file_header() const;

  /// Whether SQLite had to open the file for reading only.
  bool is_read_only() const;

  /// Leaves the WAL alone when the last connection closes: a file that is refused, or only read, stays as it is.
  void keep_wal_on_close(bool keep);

  Result<void> execute(const char* sql);
  Result<Statement> prepare(const char* sql) const;

  /// Steps a statement that gives no row.
  Result<void> run(Statement& statement);
  /// Steps a query: whether there was a row.
  Result<bool> next(Statement& statement) const;

  /// What the last failed call says, in our words.
  Error error() const;
  /// The same error without the words: SQLITE_CONSTRAINT, ...
  int error_code() const;

  const std::string& shown() const { return shown_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };

  std::unique_ptr<sqlite3, Close> database_;
  std::string shown_;
};

/// Prepares statements one after the other; remembers the first error.
class Preparation {
 public:
  explicit Preparation(const Database& database) : database_(database) {}
  void operator()(Statement& statement, const char* sql) {
    if (error_) return;
    auto prepared = database_.prepare(sql);
    if (prepared) {
      statement = std::move(*prepared);
    } else {
      error_ = prepared.error();
    }
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  const Database& database_;
  std::optional<Error> error_;
};

}  // namespace aiopt
