/// What LevelDB and RocksDB promise, held against a candidate: contents, kill -9, sync writes, damaged files, threads.
///
///   store_test                          runs the checks, in folders below $TMPDIR or /tmp
///   store_test --verify DB NUM THREADS  whether DB holds what db_bench's fillrandom left, with those flags
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#ifdef STORE_IS_ROCKSDB
#include "rocksdb/db.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/table.h"
#include "rocksdb/write_batch.h"
namespace store = rocksdb;
#else
#include "leveldb/db.h"
#include "leveldb/filter_policy.h"
#include "leveldb/write_batch.h"
namespace store = leveldb;
#endif

namespace fs = std::filesystem;

#define CHECK(condition)                                                               \
  do {                                                                                 \
    if (condition) break;                                                              \
    std::fprintf(stderr, "store_test:%d: FAILED, not so: %s\n", __LINE__, #condition); \
    std::_Exit(1);                                                                     \
  } while (false)

#define CHECK_OK(expression)                                                                                         \
  do {                                                                                                               \
    const store::Status status_of_it = (expression);                                                                 \
    if (status_of_it.ok()) break;                                                                                    \
    std::fprintf(stderr, "store_test:%d: FAILED, %s: %s\n", __LINE__, #expression, status_of_it.ToString().c_str()); \
    std::_Exit(1);                                                                                                   \
  } while (false)

// The system calls of this program, in the place of libc's: the store cannot claim a sync that was not made.

static std::atomic<long> syncs_begun{0};
static std::atomic<long> last_sync_done{-1};  ///< The youngest sync that ended well: how many had begun before it.
static std::atomic<bool> syncs_fail{false};

static int counted_sync(long system_call, int file) {
  const long number = syncs_begun.fetch_add(1);
  if (syncs_fail) {
    errno = EIO;
    return -1;
  }
  const int result = static_cast<int>(syscall(system_call, file));
  long last = last_sync_done;
  while (result == 0 && last < number && !last_sync_done.compare_exchange_weak(last, number)) {
  }
  return result;
}

extern "C" int fsync(int file) {
  return counted_sync(SYS_fsync, file);
}
extern "C" int fdatasync(int file) {
  return counted_sync(SYS_fdatasync, file);
}

namespace {

using Random = std::mt19937_64;
using Contents = std::map<std::string, std::string>;

struct Store {
  explicit Store(const fs::path& folder) { CHECK_OK(open(folder)); }
  Store() = default;

  /// Small buffers, so that a few thousand writes make and merge files.
  store::Status open(const fs::path& folder) {
    db.reset();
    options.write_buffer_size = 64 << 10;
    options.paranoid_checks = true;
#ifdef STORE_IS_ROCKSDB
    store::BlockBasedTableOptions table;
    table.filter_policy.reset(store::NewBloomFilterPolicy(10));
    options.table_factory.reset(store::NewBlockBasedTableFactory(table));
    options.target_file_size_base = 256 << 10;
#else
    filter.reset(store::NewBloomFilterPolicy(10));
    options.filter_policy = filter.get();
#endif
    store::DB* opened = nullptr;
    const store::Status status = store::DB::Open(options, folder.string(), &opened);
    db.reset(opened);
    return status;
  }

  static store::Options creating() {
    store::Options options;
    options.create_if_missing = true;
    return options;
  }

  void compact() {
#ifdef STORE_IS_ROCKSDB
    CHECK_OK(db->CompactRange(store::CompactRangeOptions(), nullptr, nullptr));
#else
    db->CompactRange(nullptr, nullptr);
#endif
  }

  store::Options options = creating();
  std::unique_ptr<const store::FilterPolicy> filter;
  std::unique_ptr<store::DB> db;
};

store::ReadOptions checked() {
  store::ReadOptions options;
  options.verify_checksums = true;
  return options;
}

/// Runs `check` in a process of its own: the store keeps threads that a later fork would lose.
bool holds(const std::function<void()>& check) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    check();
    std::_Exit(0);
  }
  int status = 0;
  const bool is_known = waitpid(child, &status, 0) == child;
  if (is_known && WIFSIGNALED(status)) std::fprintf(stderr, "store_test: FAILED, signal %d\n", WTERMSIG(status));
  return is_known && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string value_of(const std::string& key, std::uint64_t version, std::size_t bytes) {
  std::string value = key + '#' + std::to_string(version) + '#';
  while (value.size() < bytes) value += value;
  value.resize(std::max(bytes, key.size() + 22));
  return value;
}

// Contents.

void check_contents(store::DB& db, const store::Snapshot* snapshot, const Contents& expected, Random& random) {
  store::ReadOptions options = checked();
  options.snapshot = snapshot;
  const std::unique_ptr<store::Iterator> iterator(db.NewIterator(options));
  auto at = expected.begin();
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next(), ++at) {
    CHECK(at != expected.end());
    CHECK(iterator->key().ToString() == at->first);
    CHECK(iterator->value().ToString() == at->second);
  }
  CHECK(at == expected.end());
  CHECK_OK(iterator->status());
  auto back = expected.rbegin();
  for (iterator->SeekToLast(); iterator->Valid(); iterator->Prev(), ++back) {
    CHECK(back != expected.rend());
    CHECK(iterator->key().ToString() == back->first);
    CHECK(iterator->value().ToString() == back->second);
  }
  CHECK(back == expected.rend());
  for (int i = 0; i < 300; ++i) {
    const std::string key = std::to_string(random() % 4000);
    std::string value;
    const store::Status status = db.Get(options, key, &value);
    const auto found = expected.find(key);
    CHECK(found == expected.end() ? status.IsNotFound() : status.ok() && value == found->second);
    iterator->Seek(key);
    const auto next = expected.lower_bound(key);
    CHECK(iterator->Valid() == (next != expected.end()));
    if (iterator->Valid()) CHECK(iterator->key().ToString() == next->first);
    if (iterator->Valid() && next != expected.begin()) {
      iterator->Prev();
      CHECK(iterator->Valid() && iterator->key().ToString() == std::prev(next)->first);
    }
  }
}

void write_some(store::DB& db, Contents& contents, Random& random) {
  store::WriteBatch batch;
  const std::size_t writes = random() % 4 == 0 ? 1 + random() % 20 : 1;
  for (std::size_t i = 0; i < writes; ++i) {
    const std::string key = std::to_string(random() % 4000);
    if (random() % 5 == 0) {
      batch.Delete(key);
      contents.erase(key);
    } else {
      contents[key] = value_of(key, random(), random() % (random() % 50 == 0 ? 100'000 : 600));
      batch.Put(key, contents[key]);
    }
  }
  CHECK_OK(db.Write(store::WriteOptions(), &batch));
}

void contents_follow_a_map(const fs::path& folder, std::uint64_t seed) {
  Random random(seed);
  Store store(folder);
  Contents contents;
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 400; ++i) write_some(*store.db, contents, random);
    const store::Snapshot* snapshot = store.db->GetSnapshot();
    const Contents then = contents;
    for (int i = 0; i < 400; ++i) write_some(*store.db, contents, random);
    if (round % 4 == 3) store.compact();
    check_contents(*store.db, snapshot, then, random);
    check_contents(*store.db, nullptr, contents, random);
    store.db->ReleaseSnapshot(snapshot);
    if (round % 3 == 2) CHECK_OK(store.open(folder));
  }
  check_contents(*store.db, nullptr, contents, random);
}

// kill -9.

constexpr int kWriters = 3;

struct Progress {
  std::atomic<long> begun[kWriters];
  std::atomic<long> acknowledged[kWriters];
};

std::string writer_key(int writer, long number) {
  return std::to_string(writer) + '-' + std::to_string(number);
}

void write_until_killed(const fs::path& folder, Progress& progress) {
  Store store(folder);
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      store::WriteOptions options;
      for (long number = progress.begun[writer];; ++number) {
        progress.begun[writer] = number + 1;
        const std::string key = writer_key(writer, number);
        options.sync = number % 64 == 0;
        CHECK_OK(store.db->Put(options, key, value_of(key, 0, 20 + static_cast<std::size_t>(number % 900))));
        progress.acknowledged[writer] = number + 1;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
}

/// Each writer's acknowledged writes are there, and what follows them has no gap.
void check_prefixes(const fs::path& folder, Progress& progress) {
  Store store(folder);
  for (int writer = 0; writer < kWriters; ++writer) {
    long number = 0;
    for (;; ++number) {
      const std::string key = writer_key(writer, number);
      std::string value;
      const store::Status status = store.db->Get(checked(), key, &value);
      if (status.IsNotFound()) break;
      CHECK_OK(status);
      CHECK(value == value_of(key, 0, 20 + static_cast<std::size_t>(number % 900)));
    }
    CHECK(number >= progress.acknowledged[writer]);
    CHECK(number <= progress.begun[writer]);
    progress.begun[writer] = number;
    progress.acknowledged[writer] = number;
  }
}

void acknowledged_writes_survive_kill(const fs::path& folder, std::uint64_t seed) {
  Random random(seed);
  void* shared = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(shared != MAP_FAILED);
  Progress& progress = *new (shared) Progress{};
  for (int round = 0; round < 6; ++round) {
    const pid_t child = fork();
    if (child == 0) write_until_killed(folder, progress);
    const long before = progress.acknowledged[0];
    while (progress.acknowledged[0] < before + 10) {
      CHECK(waitpid(child, nullptr, WNOHANG) == 0);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 150));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    CHECK(holds([&] { check_prefixes(folder, progress); }));
  }
}

// Sync writes.

void a_sync_write_is_synced(const fs::path& folder) {
  Store store(folder);
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      store::WriteOptions options;
      options.sync = true;
      for (int i = 0; i < 60; ++i) {
        const long begun_before = syncs_begun;
        CHECK_OK(store.db->Put(options, writer_key(writer, i), std::string(1000, 'x')));
        CHECK(last_sync_done >= begun_before);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  store::WriteOptions options;
#ifdef STORE_IS_ROCKSDB
  CHECK_OK(store.db->Put(options, "synced later", "x"));
  const long begun_before = syncs_begun;
  CHECK_OK(store.db->SyncWAL());
  CHECK(last_sync_done >= begun_before);
#endif
  options.sync = true;
  syncs_fail = true;
  CHECK(!store.db->Put(options, "not synced", "x").ok());
  syncs_fail = false;
  std::string value;
  CHECK_OK(store.db->Get(checked(), writer_key(3, 59), &value));
}

// Damaged files.

void flip_a_bit(const fs::path& file, std::uintmax_t at) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(at));
  const int byte = stream.get();
  stream.seekp(static_cast<std::streamoff>(at));
  stream.put(static_cast<char>(byte ^ 0x10));
}

/// Whatever the store finds, it serves no value that was not put.
void check_served_values(const fs::path& folder) {
  Store store;
  if (!store.open(folder).ok()) return;
  const std::unique_ptr<store::Iterator> iterator(store.db->NewIterator(checked()));
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    const std::string key = iterator->key().ToString();
    CHECK(iterator->value().ToString() == value_of(key, 7, 300));
  }
  for (int i = 0; i < 1000; i += 7) {
    const std::string key = std::to_string(i);
    std::string value;
    if (store.db->Get(checked(), key, &value).ok()) CHECK(value == value_of(key, 7, 300));
  }
}

void a_damaged_byte_is_never_served(const fs::path& folder, std::uint64_t seed) {
  const fs::path whole = folder / "whole";
  CHECK(holds([&] {
    Store store(whole);
    for (int i = 0; i < 1000; ++i) {
      const std::string key = std::to_string(i);
      CHECK_OK(store.db->Put(store::WriteOptions(), key, value_of(key, 7, 300)));
      if (i == 600) store.compact();
    }
  }));
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(whole)) {
    const std::string name = entry.path().filename().string();
    const bool has_data = name.find(".ldb") != name.npos || name.find(".sst") != name.npos || name.ends_with(".log");
    if (has_data && entry.file_size() > 0) files.push_back(entry.path().filename());
  }
  CHECK(files.size() >= 2);
  Random random(seed);
  for (int round = 0; round < 40; ++round) {
    const fs::path copy = folder / "damaged";
    fs::remove_all(copy);
    fs::copy(whole, copy);
    const fs::path file = copy / files[static_cast<std::size_t>(round) % files.size()];
    flip_a_bit(file, random() % fs::file_size(file));
    CHECK(holds([&] { check_served_values(copy); }));
  }
}

// Threads.

void readers_see_what_was_acknowledged(const fs::path& folder) {
  Store store(folder);
  constexpr int kKeys = 50;
  std::atomic<long> acknowledged[kKeys] = {};
  std::atomic<bool> ends{false};
  std::vector<std::thread> threads;
  for (int reader = 0; reader < 2; ++reader) {
    threads.emplace_back([&, reader] {
      Random random(static_cast<std::uint64_t>(reader));
      while (!ends) {
        const std::size_t key = random() % kKeys;
        const long at_least = acknowledged[key];
        std::string value;
        const store::Status status = store.db->Get(checked(), std::to_string(key), &value);
        CHECK(status.ok() || (status.IsNotFound() && at_least == 0));
        if (status.ok()) CHECK(std::atol(value.c_str()) >= at_least);
      }
    });
  }
  for (int writer = 0; writer < 2; ++writer) {
    threads.emplace_back([&, writer] {
      for (long i = 1; i < 6000; ++i) {
        const int key = static_cast<int>(i * 7 % (kKeys / 2)) * 2 + writer;
        std::string value = std::to_string(i) + ' ' + std::string(400, 'v');
        CHECK_OK(store.db->Put(store::WriteOptions(), std::to_string(key), value));
        acknowledged[key] = i;
      }
    });
  }
  threads[2].join();
  threads[3].join();
  ends = true;
  threads[0].join();
  threads[1].join();
}

// What a benchmark left.

int verify(const fs::path& folder, double num, double threads) {
  Store store;
  store.options.create_if_missing = false;
  CHECK_OK(store.open(folder));
  const std::unique_ptr<store::Iterator> iterator(store.db->NewIterator(checked()));
  std::string last;
  double keys = 0;
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    CHECK(iterator->key().size() == 16 && iterator->value().size() == 100);
    CHECK(iterator->key().compare(last) > 0);
    last = iterator->key().ToString();
    keys += 1;
    if (std::fmod(keys, 50) != 0) continue;
    std::string value;
    CHECK_OK(store.db->Get(checked(), last, &value));
    CHECK(iterator->value() == value);
  }
  CHECK_OK(iterator->status());
  // Each thread draws `num` of `num` keys: so many are drawn at least once, give or take ten standard deviations.
  const double expected = num * (1 - std::exp(-threads));
  CHECK(std::abs(keys - expected) < 5 * std::sqrt(num));
  return 0;
}

struct NamedCheck {
  const char* name;
  std::function<void(const fs::path& folder)> run;
};

}  // namespace

int main(int count, char** arguments) {
  if (count == 5 && std::string(arguments[1]) == "--verify") {
    return verify(arguments[2], std::atof(arguments[3]), std::atof(arguments[4]));
  }
  std::string folder = (fs::temp_directory_path() / "store_test.XXXXXX").string();
  CHECK(mkdtemp(folder.data()) != nullptr);
  const std::uint64_t seed = std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  const std::vector<NamedCheck> checks = {
      {"contents follow a map", [&](const fs::path& path) { contents_follow_a_map(path, seed); }},
      {"acknowledged writes survive kill -9",
       [&](const fs::path& path) { acknowledged_writes_survive_kill(path, seed); }},
      {"a sync write is synced", [](const fs::path& path) { a_sync_write_is_synced(path); }},
      {"a damaged byte is never served", [&](const fs::path& path) { a_damaged_byte_is_never_served(path, seed); }},
      {"readers see what was acknowledged", [](const fs::path& path) { readers_see_what_was_acknowledged(path); }},
  };
  bool all = true;
  for (const NamedCheck& check : checks) {
    const fs::path path = fs::path(folder) / std::to_string(&check - checks.data());
    fs::create_directories(path);
    const auto start = std::chrono::steady_clock::now();
    const bool good = holds([&] { check.run(path); });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("%s: %s (%.1f s)\n", good ? "holds" : "FAILS", check.name, seconds.count());
    all = all && good;
  }
  fs::remove_all(folder);
  return all ? 0 : 1;
}
