/// Making, opening and refusing a run's folder.

#include "store/run_store.hpp"

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/format.h>

#include "store/run_lock.hpp"
#include "store/schema.hpp"
#include "store/sqlite.hpp"
#include "store/sqlite_run_store.hpp"

namespace aiopt {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFileName = "run.db";
constexpr const char* kLockName = "run.db.lock";
constexpr const char* kNewName = "run.db.new";  ///< Until it is whole.

Error failed(std::string_view tried, const fs::path& path, const std::error_code& error) {
  return {Error::Code::io, fmt::format("cannot {} {}: {}", tried, path.string(), error.message())};
}

/// With the links of the folder's path resolved, because SQLite then follows no link at all.
Result<fs::path> run_file(const fs::path& folder) {
  std::error_code error;
  const fs::path real = fs::canonical(folder, error);
  if (error == std::errc::no_such_file_or_directory) {
    return Error{Error::Code::not_found,
                 fmt::format("cannot open the run {}: there is no such folder", folder.string())};
  }
  if (error) return failed("open the run", folder, error);
  if (!fs::is_directory(real, error)) {
    return Error{Error::Code::invalid_argument,
                 fmt::format("cannot open the run {}: it is no folder", folder.string())};
  }
  return real / kFileName;
}

bool can_write(const fs::path& path) {
  return faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
}

std::uintmax_t size_or_zero(const fs::path& file) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  return error ? 0 : size;
}

fs::path wal_of(const fs::path& file) {
  return file.string() + "-wal";
}

std::string immutable_uri(const fs::path& file) {
  std::string uri = "file:";
  for (const char c : file.string()) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/';
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri + "?immutable=1";
}

Result<Database> connect(const fs::path& file, int flags) {
  auto database = Database::open(file.string(), flags | SQLITE_OPEN_NOFOLLOW, file.string());
  if (!database) return database;
  if (auto fine = check_file_header(*database); !fine) return fine.error();
  // A WAL that is there stays as it is, until what it belongs to is known to be good, or if we only read.
  database->keep_wal_on_close(size_or_zero(wal_of(file)) > 0);
  return database;
}

/// A medium that can't be written to: SQLite can't share its index of the WAL there. Without a WAL the file is all.
Result<Database> connect_unwritable(const fs::path& file) {
  auto database = connect(file, SQLITE_OPEN_READONLY);
  if (!database) return database;
  const auto readable = check_tables(*database);
  if (readable || readable.error().code != Error::Code::io) return database;
  if (size_or_zero(wal_of(file)) > 0) {
    return Error{Error::Code::io,
                 fmt::format("cannot read {}: its folder can't be written to, and {}-wal holds changes not yet merged; "
                             "copy the folder to where you can write",
                             file.string(), kFileName)};
  }
  return Database::open(immutable_uri(file), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOFOLLOW,
                        file.string());
}

/// In a folder that can be written to SQLite makes its two files beside run.db and removes them again.
Result<Database> connect_for_reading(const fs::path& file) {
  if (!can_write(file.parent_path()) || !can_write(file)) return connect_unwritable(file);
  auto database = connect(file, SQLITE_OPEN_READWRITE);
  if (!database) return database;
  if (auto done = database->execute("PRAGMA query_only=ON"); !done) return done.error();
  return database;
}

Result<std::unique_ptr<RunStore>> open_for_reading(const fs::path& file) {
  if (auto fine = check_run_file(file); !fine) return fine.error();
  auto database = connect_for_reading(file);
  if (!database) return database.error();
  if (auto fine = check_tables(*database); !fine) return fine.error();
  return make_sqlite_run_store(std::move(*database), std::nullopt);
}

/// @param lock  Held; goes on to the store.
Result<std::unique_ptr<RunStore>> open_for_writing(const fs::path& file, RunLock lock) {
  auto database = connect(file, SQLITE_OPEN_READWRITE);
  if (!database) return database.error();
  if (database->is_read_only()) {
    return Error{Error::Code::io, fmt::format("cannot write {}: permission denied", file.string())};
  }
  if (auto fine = check_tables(*database); !fine) return fine.error();
  if (auto fine = check_pages(*database, size_or_zero(file)); !fine) return fine.error();
  // secure_delete, Debian's default, would write zeros over what nobody deletes.
  if (auto done = database->execute("PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF"); !done) return done.error();
  database->keep_wal_on_close(false);
  return make_sqlite_run_store(std::move(*database), std::move(lock));
}

Result<std::uint64_t> count_evaluations(const fs::path& file) {
  if (auto fine = check_run_file(file); !fine) return fine.error();
  auto database = connect_for_reading(file);
  if (!database) return database.error();
  if (auto fine = check_tables(*database); !fine) return fine.error();
  auto query = database->prepare("SELECT count(*) FROM evaluation");
  if (!query) return query.error();
  if (auto row = database->next(*query); !row) return row.error();
  return static_cast<std::uint64_t>(query->integer(0));
}

/// The whole file in one rollback-journal transaction; WAL mode, a property of the file, comes last: so the header is
/// in the file itself, where check_file_header() looks.
Result<void> write_new_file(const fs::path& file, const RunHeader& header, const std::vector<Axis>& axes) {
  auto database =
      Database::open(file.string(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW, file.string());
  if (!database) return database.error();
  if (auto done = database->execute("PRAGMA synchronous=FULL; BEGIN IMMEDIATE"); !done) return done;
  if (auto done = create_tables(*database); !done) return done;
  if (auto done = write_header(*database, header, axes); !done) return done;
  if (auto done = database->execute("COMMIT"); !done) return done;
  auto query = database->prepare("PRAGMA journal_mode=WAL");
  if (!query) return query.error();
  const auto row = database->next(*query);
  if (!row) return row.error();
  if (*row && query->bytes(0) == "wal") return {};
  return Error{Error::Code::io,
               fmt::format("cannot make {}: its file system can't share memory between processes, which SQLite's WAL "
                           "needs; put the run on a local disk",
                           file.string())};
}

void remove_with_neighbours(const fs::path& file) {
  for (const char* ending : {"", "-journal", "-wal", "-shm"}) unlink((file.string() + ending).c_str());
}

/// Renames, and makes the name itself durable.
Result<void> put_in_place(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) return failed("make", to, error);
  const int folder = ::open(to.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder >= 0 && fsync(folder) == 0;
  const int number = errno;
  if (folder >= 0) close(folder);
  // Some network file systems can't sync a folder (EINVAL); their rename is durable or nothing is.
  if (!synced && number != EINVAL) return failed("sync", to.parent_path(), {number, std::generic_category()});
  return {};
}

}  // namespace

Result<std::unique_ptr<RunStore>> RunStore::create(const fs::path& folder, const RunHeader& header,
                                                   const std::vector<Axis>& axes) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return failed("make the folder", folder, error);
  auto file = run_file(folder);
  if (!file) return file.error();
  auto lock = RunLock::take(file->parent_path() / kLockName);
  if (!lock) return lock.error();

  if (fs::symlink_status(*file, error).type() != fs::file_type::not_found) {
    auto count = count_evaluations(*file);
    if (!count) return count.error();
    if (*count > 0) {
      return Error{Error::Code::invalid_argument,
                   fmt::format("{} holds a run already ({} evaluations); `aiopt resume` goes on with it",
                               folder.string(), *count)};
    }
    remove_with_neighbours(*file);  // Its WAL must not meet the new file.
  }
  const fs::path unfinished = file->parent_path() / kNewName;
  remove_with_neighbours(unfinished);
  if (auto done = write_new_file(unfinished, header, axes); !done) {
    remove_with_neighbours(unfinished);
    return done.error();
  }
  if (auto done = put_in_place(unfinished, *file); !done) return done.error();
  return open_for_writing(*file, std::move(*lock));
}

Result<std::unique_ptr<RunStore>> RunStore::open(const fs::path& folder, Access access) {
  auto file = run_file(folder);
  if (!file) return file.error();
  if (access == Access::read_only) return open_for_reading(*file);
  // Before the lock, which would leave its file in a folder that is none of ours.
  if (auto fine = check_run_file(*file); !fine) return fine.error();
  auto lock = RunLock::take(file->parent_path() / kLockName);
  if (!lock) return lock.error();
  return open_for_writing(*file, std::move(*lock));
}

}  // namespace aiopt
