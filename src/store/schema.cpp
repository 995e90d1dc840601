/// run.db's tables: see schema.hpp.

#include "store/schema.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <string>

#include <sys/stat.h>

#include <fmt/format.h>

#include "core/run_format.hpp"

namespace aiopt {
namespace {

constexpr std::uintmax_t kMaxCheckedBytes = 512u << 20;

struct Table {
  const char* name;
  const char* sql;
};

// Columns of type ANY are packed texts: TEXT if short, else a zstd frame. Enumerators are numbers, in the order of
// their declaration.
constexpr std::array<Table, 8> kTables = {{
    {"header", R"(CREATE TABLE header (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  task_yaml ANY NOT NULL,
  task_file TEXT NOT NULL,
  options ANY NOT NULL,
  baseline_sha256 TEXT NOT NULL,
  protected_sha256 TEXT NOT NULL,
  aiopt_version TEXT NOT NULL,
  started_at TEXT NOT NULL
) STRICT)"},
    {"axis", R"(CREATE TABLE axis (
  position INTEGER PRIMARY KEY,
  measure TEXT NOT NULL,
  kind INTEGER NOT NULL,
  cells INTEGER NOT NULL,
  lower REAL NOT NULL,
  upper REAL NOT NULL
) STRICT)"},
    {"ask", R"(CREATE TABLE ask (
  id INTEGER PRIMARY KEY,
  asked_after INTEGER NOT NULL,
  emitter TEXT NOT NULL,
  ask ANY NOT NULL
) STRICT)"},
    // ask: null if it is that of table ask. patch_is: 0 none, 1 here, 2 the ask's. exact_is: 0 none, 1 here, 2 as
    // patch.
    {"evaluation", R"(CREATE TABLE evaluation (
  told INTEGER PRIMARY KEY,
  id INTEGER NOT NULL UNIQUE,
  parent INTEGER NOT NULL,
  island INTEGER NOT NULL,
  emitter TEXT NOT NULL,
  asked_after INTEGER NOT NULL,
  ask ANY,
  patch_is INTEGER NOT NULL,
  patch ANY,
  exact_is INTEGER NOT NULL,
  exact ANY,
  patch_reason ANY NOT NULL,
  model TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  latency_ms INTEGER NOT NULL,
  tree_sha256 TEXT NOT NULL,
  generation INTEGER NOT NULL,
  changed_function TEXT NOT NULL,
  status INTEGER NOT NULL,
  reason ANY NOT NULL,
  reused_from INTEGER,
  benchmark ANY,
  profile ANY,
  gates ANY,
  objective REAL,
  standard_error REAL,
  measures TEXT,
  add_status INTEGER,
  add_cell INTEGER,
  add_improvement REAL,
  run_seconds REAL NOT NULL,
  rng BLOB NOT NULL
) STRICT)"},
    // number: 64 * told + position.
    {"stage", R"(CREATE TABLE stage (
  number INTEGER PRIMARY KEY,
  stage INTEGER NOT NULL,
  status INTEGER NOT NULL,
  exit_code INTEGER NOT NULL,
  wall_us INTEGER NOT NULL,
  cpu_us INTEGER NOT NULL,
  peak_rss_bytes INTEGER NOT NULL,
  output ANY NOT NULL
) STRICT)"},
    {"exchange", R"(CREATE TABLE exchange (
  told INTEGER PRIMARY KEY,
  prompt ANY NOT NULL,
  reply ANY NOT NULL
) STRICT)"},
    // The short list as it was measured again after the search, the best first.
    {"claim", R"(CREATE TABLE claim (
  place INTEGER PRIMARY KEY,
  id INTEGER NOT NULL,
  benchmark ANY NOT NULL,
  holdout ANY,
  against_parent ANY
) STRICT)"},
    // What was seen of the host: kind 0 is a fingerprint, 1 an A/A test.
    {"observation", R"(CREATE TABLE observation (
  number INTEGER PRIMARY KEY,
  kind INTEGER NOT NULL,
  told INTEGER NOT NULL,
  run_seconds REAL NOT NULL,
  content ANY NOT NULL
) STRICT)"},
}};

std::uint32_t big_endian(const DatabaseHeader& bytes, std::size_t offset) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = (value << 8) | bytes[offset + i];
  return value;
}

Error refused(const std::filesystem::path& file, Error::Code code, const std::string& why) {
  return {code, fmt::format("cannot open the run {}: {}", file.string(), why)};
}

/// A file that SQLite keeps beside run.db: absent or a regular file, nothing that leads elsewhere.
bool is_absent_or_regular(const std::filesystem::path& file) {
  struct stat status {};
  if (lstat(file.c_str(), &status) != 0) return errno == ENOENT;
  return S_ISREG(status.st_mode);
}

Result<void> check_kind(const std::filesystem::path& file) {
  struct stat status {};
  if (lstat(file.parent_path().c_str(), &status) != 0) {
    return Error{Error::Code::not_found,
                 fmt::format("cannot open the run {}: there is no such folder", file.parent_path().string())};
  }
  if (lstat(file.c_str(), &status) != 0) {
    if (errno != ENOENT) return refused(file, Error::Code::io, std::strerror(errno));
    return Error{Error::Code::not_found, fmt::format("{} holds no run (there is no {} in it); `aiopt evolve` makes one",
                                                     file.parent_path().string(), file.filename().string())};
  }
  if (S_ISLNK(status.st_mode)) return refused(file, Error::Code::invalid_argument, "it is a symbolic link");
  if (!S_ISREG(status.st_mode)) return refused(file, Error::Code::invalid_argument, "it is no regular file");
  if (status.st_size == 0) return refused(file, Error::Code::corruption, "it is empty");
  return {};
}

Result<void> check_neighbours(const std::filesystem::path& file) {
  if (struct stat status{}; lstat((file.string() + "-journal").c_str(), &status) == 0) {
    return refused(file, Error::Code::invalid_argument,
                   fmt::format("{}-journal lies beside it, which is not aiopt's", file.filename().string()));
  }
  for (const char* ending : {"-wal", "-shm"}) {
    if (!is_absent_or_regular(file.string() + ending)) {
      return refused(file, Error::Code::invalid_argument,
                     fmt::format("{}{} beside it is no regular file", file.filename().string(), ending));
    }
  }
  return {};
}

}  // namespace

Result<void> check_run_file(const std::filesystem::path& file) {
  if (auto kind = check_kind(file); !kind) return kind;
  return check_neighbours(file);
}

Result<void> check_file_header(const Database& database) {
  const std::filesystem::path& file = database.shown();
  const auto bytes = database.file_header();  // https://www.sqlite.org/fileformat.html, 1.3
  if (!bytes || std::memcmp(bytes->data(), "SQLite format 3", 16) != 0) {
    return refused(file, Error::Code::invalid_argument, "it is not a file of aiopt's");
  }
  if (big_endian(*bytes, 68) != kRunApplicationId) {
    return refused(file, Error::Code::invalid_argument, "it is an SQLite file of another program");
  }
  const std::uint32_t format = big_endian(*bytes, 60);
  if (format > kRunFormat) {
    return refused(
        file, Error::Code::invalid_argument,
        fmt::format("its format {} is newer than this aiopt (which reads {}); get a newer aiopt", format, kRunFormat));
  }
  if (format >= 1 && format < kRunFormat) {
    return refused(file, Error::Code::invalid_argument,
                   fmt::format("its format {} is older than what this aiopt reads, {}; the aiopt that made it reads it",
                               format, kRunFormat));
  }
  if (format != kRunFormat || (*bytes)[18] != 2 || (*bytes)[19] != 2) {
    return refused(file, Error::Code::corruption, "its first page is damaged; restore it from a copy");
  }
  return {};
}

Result<void> create_tables(Database& database) {
  for (const Table& table : kTables) {
    if (auto done = database.execute(table.sql); !done) return done;
  }
  return database.execute(
      fmt::format("PRAGMA application_id={}; PRAGMA user_version={}", kRunApplicationId, kRunFormat).c_str());
}

Result<void> check_tables(const Database& database) {
  auto query = database.prepare("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL");
  if (!query) return query.error();
  std::map<std::string, std::string> expected;
  for (const Table& table : kTables) expected[table.name] = table.sql;
  for (;;) {
    const auto row = database.next(*query);
    if (!row) return row.error();
    if (!*row) break;
    const auto table = expected.find(std::string(query->bytes(1)));
    if (query->bytes(0) != "table" || table == expected.end() || table->second != query->bytes(2)) {
      return Error{Error::Code::corruption,
                   fmt::format("cannot use {}: its tables are not those that aiopt makes", database.shown())};
    }
    expected.erase(table);
  }
  if (expected.empty()) return {};
  return Error{Error::Code::corruption,
               fmt::format("cannot use {}: its table {} is missing", database.shown(), expected.begin()->first)};
}

Result<void> check_pages(const Database& database, std::uintmax_t file_bytes) {
  if (file_bytes > kMaxCheckedBytes) return {};
  auto query = database.prepare("PRAGMA quick_check(1)");
  if (!query) return query.error();
  const auto row = database.next(*query);
  if (!row) return row.error();
  if (*row && query->bytes(0) == "ok") return {};
  return Error{Error::Code::corruption, fmt::format("{} is damaged; restore it from a copy", database.shown())};
}

}  // namespace aiopt
