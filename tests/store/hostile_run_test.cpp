// Refusals, damage, strangers' files, full disks and kills. It forks, so it is no unit test.

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <zstd.h>

#include "base/files.hpp"
#include "store/run_store.hpp"
#include "stored_examples.hpp"

using namespace aiopt;
namespace fs = std::filesystem;

namespace {

using Access = RunStore::Access;

/// Every entry of a folder with its content.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> bytes;
  if (!fs::exists(folder)) return bytes;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (entry.is_symlink()) {
      bytes[name] = "-> " + fs::read_symlink(entry.path()).string();
    } else {
      bytes[name] = entry.is_regular_file() ? *read_file(entry.path()) : "special";
    }
  }
  return bytes;
}

std::unique_ptr<RunStore> opened(const fs::path& folder, Access access) {
  auto store = RunStore::open(folder, access);
  if (!store) FAIL(store.error().message);
  return std::move(*store);
}

void make_run(const fs::path& folder, std::uint64_t evaluations = 5) {
  auto store = RunStore::create(folder, example_header(), kExampleAxes);
  REQUIRE(store);
  fill(**store, evaluations);
}

/// As somebody with sqlite3 would.
void run_sql(const fs::path& folder, const std::string& sql) {
  sqlite3* database = nullptr;
  REQUIRE(sqlite3_open((folder / "run.db").c_str(), &database) == SQLITE_OK);
  char* message = nullptr;
  sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &message);
  const std::string error = message ? message : "";
  sqlite3_free(message);
  sqlite3_close(database);
  CAPTURE(sql);
  REQUIRE(error == "");
}

void patch_bytes(const fs::path& file, std::size_t offset, const std::string& bytes) {
  std::string text = *read_file(file);
  text.replace(offset, bytes.size(), bytes);
  REQUIRE(write_file_atomic(file, text));
}

bool is_one_line(const std::string& message) {
  return !message.empty() && message.find('\n') == std::string::npos;
}

/// Reads all that there is. The first error, or "".
std::string read_everything(const fs::path& folder, Access access = Access::read_only) {
  auto store = RunStore::open(folder, access);
  if (!store) return store.error().message;
  std::string first;
  const auto note = [&](const auto& result) {
    if (!result && first.empty()) first = result.error().message;
  };
  std::vector<CandidateId> ids;
  note((*store)->each_evaluation([&](const StoredEvaluation& stored) -> Result<void> {
    ids.push_back(stored.proposal.id);
    return {};
  }));
  for (std::uint64_t id = 0; id < 10; ++id) {
    const auto found = (*store)->evaluation(CandidateId{id});
    if (!found && found.error().code != Error::Code::not_found) note(found);
    const auto lineage = (*store)->lineage(CandidateId{id});
    if (!lineage && lineage.error().code == Error::Code::corruption) note(lineage);
  }
  note((*store)->asks());
  note((*store)->rng());
  note((*store)->claims());
  note((*store)->observations());
  return first;
}

/// A process that is killed when the scope ends, a failed REQUIRE included.
class Child {
 public:
  explicit Child(const std::function<int()>& work) : pid_(fork()) {
    if (pid_ == 0) _exit(work());
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  /// Kills it, unless it ended before. Whether it was the kill that ended it.
  bool end() {
    if (pid_ <= 0) return false;
    int status = 0;
    kill(pid_, SIGKILL);
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

 private:
  pid_t pid_;
};

/// Runs `work` in a child of its own. Its exit code, or 128 + the signal that ended it.
int in_child(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void wait_for_bytes(int descriptor) {
  struct pollfd waited {
    descriptor, POLLIN, 0
  };
  poll(&waited, 1, 5'000);
}

}  // namespace

TEST_CASE("what is no run of ours is refused in one line, and nothing in the folder changes") {
  struct Refusal {
    const char* what;
    std::function<void(const fs::path&)> prepare;
    const char* says;
    bool when_reading = true;
  };
  const auto stranger = [](const fs::path& folder) {
    sqlite3* database = nullptr;
    sqlite3_open((folder / "run.db").c_str(), &database);
    sqlite3_exec(database, "CREATE TABLE recipe (name TEXT)", nullptr, nullptr, nullptr);
    sqlite3_close(database);
  };
  const std::vector<Refusal> refusals = {
      {"no folder", [](const fs::path& folder) { fs::remove(folder); }, "there is no such folder"},
      {"a file for a folder",
       [](const fs::path& folder) {
         fs::remove(folder);
         REQUIRE(write_file_atomic(folder, "x"));
       },
       "it is no folder"},
      {"an empty folder", [](const fs::path&) {}, "holds no run"},
      {"a directory", [](const fs::path& folder) { fs::create_directory(folder / "run.db"); }, "no regular file"},
      {"a fifo", [](const fs::path& folder) { mkfifo((folder / "run.db").c_str(), 0600); }, "no regular file"},
      {"an empty file", [](const fs::path& folder) { REQUIRE(write_file_atomic(folder / "run.db", "")); }, "empty"},
      {"a short text", [](const fs::path& folder) { REQUIRE(write_file_atomic(folder / "run.db", "hello")); },
       "not a file of aiopt's"},
      {"garbage",
       [](const fs::path& folder) { REQUIRE(write_file_atomic(folder / "run.db", std::string(9000, '\xA5'))); },
       "not a file of aiopt's"},
      {"another program's database", stranger, "an SQLite file of another program"},
      {"a newer format",
       [](const fs::path& folder) {
         make_run(folder);
         patch_bytes(folder / "run.db", 60, std::string("\0\0\0\4", 4));
       },
       "format 4 is newer than this aiopt (which reads 3)"},
      {"a link to a run",
       [](const fs::path& folder) {
         make_run(folder / "elsewhere");
         fs::create_symlink(folder / "elsewhere" / "run.db", folder / "run.db");
       },
       "symbolic link"},
      {"a link that leads nowhere", [](const fs::path& folder) { fs::create_symlink("/nowhere", folder / "run.db"); },
       "symbolic link"},
      {"a linked WAL",
       [](const fs::path& folder) {
         make_run(folder);
         fs::create_symlink("/etc/hostname", folder / "run.db-wal");
       },
       "run.db-wal beside it is no regular file"},
      {"a journal to roll back",
       [](const fs::path& folder) {
         make_run(folder);
         REQUIRE(write_file_atomic(folder / "run.db-journal", "anything"));
       },
       "run.db-journal lies beside it"},
      {"a file cut short",
       [](const fs::path& folder) {
         make_run(folder, 30);
         fs::resize_file(folder / "run.db", fs::file_size(folder / "run.db") / 2);
       },
       "damaged", false},
      {"a page of garbage",
       [](const fs::path& folder) {
         make_run(folder, 30);
         patch_bytes(folder / "run.db", 5 * 4096, std::string(4096, '\x5A'));
       },
       "damaged", false},
      {"the schema page in garbage",
       [](const fs::path& folder) {
         make_run(folder);
         patch_bytes(folder / "run.db", 100, std::string(3996, '\x5A'));
       },
       "damaged"},
      {"a trigger",
       [](const fs::path& folder) {
         make_run(folder);
         run_sql(folder, "CREATE TRIGGER t AFTER INSERT ON ask BEGIN DELETE FROM evaluation; END");
       },
       "not those that aiopt makes"},
      {"a view in the place of a table",
       [](const fs::path& folder) {
         make_run(folder);
         run_sql(folder, "DROP TABLE ask; CREATE VIEW ask AS SELECT * FROM evaluation");
       },
       "not those that aiopt makes"},
      {"a table too many",
       [](const fs::path& folder) {
         make_run(folder);
         run_sql(folder, "CREATE TABLE extra (x)");
       },
       "not those that aiopt makes"},
      {"a table too few",
       [](const fs::path& folder) {
         make_run(folder);
         run_sql(folder, "DROP TABLE stage");
       },
       "its table stage is missing"},
      {"no header",
       [](const fs::path& folder) {
         make_run(folder);
         run_sql(folder, "DELETE FROM header");
       },
       "it has no header"},
  };
  for (const Refusal& refusal : refusals) {
    CAPTURE(refusal.what);
    const TemporaryFolder parent;
    const fs::path folder = parent.path() / "run";
    fs::create_directory(folder);
    refusal.prepare(folder);
    const auto before = contents(parent.path());
    const auto inner = fs::is_directory(folder) ? contents(folder) : before;
    for (const Access access : {Access::read_write, Access::read_only}) {
      if (access == Access::read_only && !refusal.when_reading) continue;
      const auto store = RunStore::open(folder, access);
      REQUIRE_FALSE(store);
      CAPTURE(store.error().message);
      CHECK(store.error().message.find(refusal.says) != std::string::npos);
      CHECK(is_one_line(store.error().message));
      CHECK(contents(parent.path()) == before);
      CHECK((fs::is_directory(folder) ? contents(folder) : before) == inner);
    }
    const bool absent = !fs::is_directory(folder) || inner.empty();
    if (!absent) CHECK_FALSE(RunStore::create(folder, example_header(), kExampleAxes));
    if (fs::is_directory(folder) && !absent) CHECK(contents(folder) == inner);
  }
}

TEST_CASE("values that aiopt never wrote are errors, not crashes") {
  std::string bomb;
  {
    const std::string zeros(200u << 20, '\0');
    bomb.resize(ZSTD_compressBound(zeros.size()));
    bomb.resize(ZSTD_compress(bomb.data(), bomb.size(), zeros.data(), zeros.size(), 1));
  }
  const auto hex = [](const std::string& bytes) {
    std::string text = "x'";
    for (const char c : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return text + "'";
  };
  const std::string huge_claim = hex(std::string("\x28\xB5\x2F\xFD\xE0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 13));
  const std::vector<std::string> changes = {
      "UPDATE evaluation SET id = -5 WHERE told = 3",
      "UPDATE evaluation SET id = 99 WHERE told = 3",
      "UPDATE evaluation SET told = 9223372036854775807 WHERE told = 5",
      "UPDATE evaluation SET told = -1 WHERE told = 0",
      "UPDATE evaluation SET parent = 5 WHERE told = 2",
      "UPDATE evaluation SET parent = 4, ask = "
      "'{\"parent\":4,\"inspirations\":[],\"patch\":{\"edits\":[]},\"note\":\"\"}' "
      "WHERE told = 2",
      "DELETE FROM evaluation WHERE told = 2",
      "DELETE FROM ask WHERE id = 2",
      "UPDATE evaluation SET ask = x'00' WHERE told = 2",
      "UPDATE evaluation SET ask = '[[[[' WHERE told = 2",
      "UPDATE evaluation SET ask = " + hex(bomb) + " WHERE told = 2",
      "UPDATE evaluation SET exact = " + huge_claim + " WHERE told = 2",
      "UPDATE evaluation SET exact = NULL WHERE told = 2",
      "UPDATE evaluation SET exact = 3 WHERE told = 2",
      "UPDATE evaluation SET exact_is = 7 WHERE told = 2",
      "UPDATE evaluation SET patch_is = 2 WHERE told = 2",
      "UPDATE evaluation SET exact_is = 0 WHERE told = 2",
      "UPDATE evaluation SET emitter = 'a' || char(0) || 'b' WHERE told = 2",
      "UPDATE evaluation SET status = 99 WHERE told = 2",
      "UPDATE evaluation SET island = -1 WHERE told = 2",
      "UPDATE evaluation SET reused_from = -1 WHERE told = 2",
      "UPDATE evaluation SET objective = 9e999 WHERE told = 2",
      "UPDATE evaluation SET objective = NULL WHERE told = 2",
      "UPDATE evaluation SET measures = '{}' WHERE told = 2",
      "UPDATE evaluation SET measures = '{\"offcpu_ratio\":\"x\",\"function\":1}' WHERE told = 2",
      "UPDATE evaluation SET benchmark = '{\"candidate\":3}' WHERE told = 2",
      "UPDATE evaluation SET add_status = 4 WHERE told = 2",
      "UPDATE evaluation SET generation = 99999999999 WHERE told = 2",
      "UPDATE evaluation SET run_seconds = -9e999 WHERE told = 2",
      "UPDATE stage SET stage = -1 WHERE number = 129",
      "UPDATE stage SET exit_code = 99999999999 WHERE number = 129",
      "UPDATE stage SET number = -3 WHERE number = 129",
      "UPDATE stage SET number = 133 WHERE number = 129",
      "UPDATE stage SET output = " + hex(bomb) + " WHERE number = 129",
      "UPDATE exchange SET prompt = " + hex(bomb) + " WHERE told = 2",
      "UPDATE exchange SET reply = zeroblob(70000000) WHERE told = 2",
      "UPDATE ask SET id = -1 WHERE id = 3",
      "UPDATE ask SET ask = x'28b52ffd' WHERE id = 3",
      "UPDATE evaluation SET rng = zeroblob(32)",
      "UPDATE evaluation SET rng = zeroblob(31)",
      "UPDATE header SET task_file = 'a' || char(0)",
      "UPDATE header SET task_yaml = x'00'",
      "UPDATE axis SET cells = -1",
      "UPDATE axis SET kind = 2",
      "UPDATE axis SET lower = 9e999",
      "INSERT INTO claim VALUES (1, -1, '{}', NULL, NULL)",
      "INSERT INTO claim VALUES (1, 1, '{\"candidate\": [], \"baseline\": []}', '[]', NULL)",
      "INSERT INTO observation VALUES (1, 2, 0, 0.0, '{}')",
      "INSERT INTO observation VALUES (1, 0, -1, 0.0, '{}')",
      "UPDATE evaluation SET gates = '[{\"name\": \"clock\"}]' WHERE told = 2",
      "UPDATE evaluation SET gates = '[{\"name\": \"clock\", \"fired\": 1, \"detail\": \"\"}]' WHERE told = 2",
      "UPDATE evaluation SET standard_error = -1.0 WHERE told = 2",
      "UPDATE evaluation SET standard_error = NULL WHERE told = 2",
  };
  const TemporaryFolder good;
  make_run(good.path());
  REQUIRE(read_everything(good.path()) == "");
  for (const std::string& change : changes) {
    CAPTURE(change.substr(0, 120));
    const TemporaryFolder folder;
    fs::copy_file(good.path() / "run.db", folder.path() / "run.db");
    run_sql(folder.path(), change);
    const std::string error = read_everything(folder.path());
    CAPTURE(error);
    CHECK(is_one_line(error));
    read_everything(folder.path(), Access::read_write);
  }
}

TEST_CASE("a damaged byte anywhere is an error or harmless, never a crash") {
  const TemporaryFolder good;
  make_run(good.path(), 8);
  const std::string bytes = *read_file(good.path() / "run.db");
  std::mt19937_64 random(5);  // NOLINT: the same bytes every time
  for (int round = 0; round < 150; ++round) {
    const TemporaryFolder folder;
    std::string damaged = bytes;
    for (int i = 0; i < 20; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    REQUIRE(write_file_atomic(folder.path() / "run.db", damaged));
    read_everything(folder.path(), Access::read_only);
    read_everything(folder.path(), Access::read_write);
  }
}

TEST_CASE("kill -9 in the middle of commits loses none that returned, repeats none and leaves none half") {
  const TemporaryFolder folder;
  std::mt19937_64 random(11);  // NOLINT
  std::set<std::uint64_t> reported;
  for (int kill_number = 0; kill_number < 50; ++kill_number) {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    Child child([&] {
      auto store = fs::exists(folder.path() / "run.db")
                       ? RunStore::open(folder.path(), Access::read_write)
                       : RunStore::create(folder.path(), example_header(), kExampleAxes);
      if (!store) return 1;
      std::uint64_t told = 0;
      static_cast<void>((*store)->each_evaluation([&](const StoredEvaluation&) -> Result<void> {
        ++told;
        return {};
      }));
      for (;; ++told) {
        const StoredEvaluation stored = told == 0 ? example_baseline() : example_evaluation(told, told - 1);
        const std::vector<StoredAsk> asks = {ask_of(stored)};
        if (!commit_one(**store, stored, asks, {told + 1, 2, 3, 4})) return 2;
        if (write(ends[1], &told, sizeof told) != sizeof told) return 3;
      }
    });
    close(ends[1]);
    // Half of them while it opens or commits, half soon after a commit.
    if (kill_number % 2 == 1) wait_for_bytes(ends[0]);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    REQUIRE(child.end());
    for (std::uint64_t told = 0; read(ends[0], &told, sizeof told) == sizeof told;) {
      CHECK(reported.insert(told).second);
    }
    close(ends[0]);
    if (!fs::exists(folder.path() / "run.db")) continue;

    std::uint64_t count = 0;
    {
      const auto store = opened(folder.path(), kill_number % 2 == 0 ? Access::read_only : Access::read_write);
      REQUIRE((*store).each_evaluation([&](const StoredEvaluation& stored) -> Result<void> {
        REQUIRE(stored.told == count++);
        REQUIRE(stored.evaluation.stages.size() == (stored.told == 0 ? 0 : 4));
        return {};
      }));
      if (count > 1) {
        const StoredEvaluation last = example_evaluation(count - 1, count - 2);
        CHECK(every_field(*store->evaluation(CandidateId{count - 1})) == every_field(last));
      }
      CHECK(store->asks()->size() == count);
      if (count > 0) CHECK((**store->rng())[0] == count);
    }
    CHECK(reported.size() <= count);
    CHECK((reported.empty() || *reported.rbegin() < count));
    for (std::uint64_t told = reported.size(); told < count; ++told) reported.insert(told);  // Committed, unreported.
    REQUIRE(reported.size() == count);
  }
  MESSAGE("evaluations after 50 kills: ", reported.size());
  CHECK(reported.size() > 50);
  run_sql(folder.path(),
          "CREATE TEMP TABLE ok (x CHECK (x = 'ok')); "
          "INSERT INTO ok SELECT integrity_check FROM pragma_integrity_check");
}

TEST_CASE("kill -9 in the middle of create() leaves a run, or what create() takes over") {
  std::mt19937_64 random(3);  // NOLINT
  for (int round = 0; round < 20; ++round) {
    const TemporaryFolder folder;
    Child child([&] {
      const auto store = RunStore::create(folder.path() / "run", example_header(), kExampleAxes);
      return pause();
    });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    CHECK(child.end());
    const auto store = RunStore::create(folder.path() / "run", example_header(), kExampleAxes);
    CAPTURE((store ? "" : store.error().message));
    REQUIRE(store);
    fill(**store, 1);
  }
}

TEST_CASE("a full disk is an error that says what to do, and the run goes on once there is space") {
  const TemporaryFolder folder;
  const int code = in_child([&] {
    signal(SIGXFSZ, SIG_IGN);
    auto store = RunStore::create(folder.path(), example_header(), kExampleAxes);
    if (!store) return 10;
    fill(**store, 3);
    struct rlimit limit {};
    getrlimit(RLIMIT_FSIZE, &limit);
    const struct rlimit before = limit;
    limit.rlim_cur = 400'000;
    setrlimit(RLIMIT_FSIZE, &limit);
    std::uint64_t told = 4;
    std::string error;
    for (; told < 200 && error.empty(); ++told) {
      const auto done = commit_one(**store, example_evaluation(told), {}, {told, 1, 1, 1});
      if (!done) error = done.error().message;
    }
    if (error.find("the disk, a quota or a limit of file size is full") == std::string::npos) return 11;
    if (!is_one_line(error)) return 11;
    --told;
    if ((**(*store)->rng())[0] != told - 1) return 12;
    if (commit_one(**store, example_evaluation(told), {}, {told, 1, 1, 1})) return 13;  // Still full.
    if ((*store)->evaluation(CandidateId{told})) return 14;
    setrlimit(RLIMIT_FSIZE, &before);
    for (const std::uint64_t end = told + 50; told < end; ++told) {
      if (!commit_one(**store, example_evaluation(told), {}, {told, 1, 1, 1})) return 15;
    }
    return 0;
  });
  CHECK(code == 0);
  CHECK(read_everything(folder.path(), Access::read_write) == "");
}

TEST_CASE("a file system without space is told in the same words") {
  const TemporaryFolder folder;
  const int code = in_child([&] {
    if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=400k") != 0) {
      return 77;
    }
    auto store = RunStore::create(folder.path() / "run", example_header(), kExampleAxes);
    if (!store) return 10;
    if (!commit_one(**store, example_baseline(), {}, {1, 1, 1, 1})) return 11;
    std::string error;
    std::uint64_t told = 1;
    for (; told < 500 && error.empty(); ++told) {
      const auto done = commit_one(**store, example_evaluation(told), {}, {told, 1, 1, 1});
      if (!done) error = done.error().message;
    }
    --told;
    if (error.find("the disk is full") == std::string::npos) return 12;
    const auto second = RunStore::create(folder.path() / "other", example_header(), kExampleAxes);
    if (second || !is_one_line(second.error().message)) return 13;
    if (mount("tmpfs", folder.path().c_str(), "tmpfs", MS_REMOUNT, "size=4m") != 0) return 77;
    for (const std::uint64_t end = told + 20; told < end; ++told) {
      if (!commit_one(**store, example_evaluation(told), {}, {told, 1, 1, 1})) return 14;
    }
    store->reset();
    if (!RunStore::create(folder.path() / "other", example_header(), kExampleAxes)) return 15;
    return read_everything(folder.path() / "run", Access::read_write).empty() ? 0 : 16;
  });
  if (code == 77) {
    MESSAGE("skipped: may not mount here");
    return;
  }
  CHECK(code == 0);
}

TEST_CASE("a second process is refused with the pid of the first, and may write once that was killed") {
  const TemporaryFolder folder;
  make_run(folder.path());
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  Child child([&] {
    const auto store = RunStore::open(folder.path(), Access::read_write);
    if (write(ends[1], "x", 1) != 1) return 1;
    return pause();
  });
  char byte = 0;
  REQUIRE(read(ends[0], &byte, 1) == 1);
  const auto store = RunStore::open(folder.path(), Access::read_write);
  REQUIRE_FALSE(store);
  CHECK(store.error().message.find(fmt::format("process {} is writing to it", child.pid())) != std::string::npos);
  CHECK(read_everything(folder.path()) == "");  // Reading goes.
  CHECK(child.end());
  close(ends[0]);
  close(ends[1]);
  CHECK(RunStore::open(folder.path(), Access::read_write));
}

TEST_CASE("a run is read in a folder that can't be written to, and nothing is written there") {
  const TemporaryFolder folder;
  make_run(folder.path() / "run");
  chmod(folder.path().c_str(), 0755);
  chmod((folder.path() / "run").c_str(), 0555);
  chmod((folder.path() / "run" / "run.db").c_str(), 0444);
  const auto before = contents(folder.path() / "run");
  const int code = in_child([&] {
    if (geteuid() == 0 && (setegid(65534) != 0 || seteuid(65534) != 0)) return 77;
    if (RunStore::open(folder.path() / "run", Access::read_write)) return 10;
    return read_everything(folder.path() / "run").empty() ? 0 : 11;
  });
  chmod((folder.path() / "run").c_str(), 0755);
  CHECK((code == 0 || code == 77));
  CHECK(contents(folder.path() / "run") == before);
}

TEST_CASE("a reader of a run that was killed leaves its WAL to the next writer") {
  const TemporaryFolder folder;
  CHECK(in_child([&] {
          auto store = RunStore::create(folder.path(), example_header(), kExampleAxes);
          fill(**store, 5);
          kill(getpid(), SIGKILL);
          return 0;
        }) == 128 + SIGKILL);
  const std::string wal = *read_file(folder.path() / "run.db-wal");
  const std::string file = *read_file(folder.path() / "run.db");
  REQUIRE(wal.size() > 0);
  CHECK(read_everything(folder.path()) == "");
  CHECK(*read_file(folder.path() / "run.db-wal") == wal);
  CHECK(*read_file(folder.path() / "run.db") == file);
  CHECK(read_everything(folder.path(), Access::read_write) == "");
  CHECK_FALSE(fs::exists(folder.path() / "run.db-wal"));
}
