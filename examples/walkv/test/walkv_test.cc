/// The test suite: what walkv promises, against a model, through crashes, on a disk that forgets, among threads.

#include <malloc.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "db.h"
#include "kernel_sync.h"
#include "memory_env.h"

namespace walkv {
namespace {

// One line to stderr and the end: nothing after a broken promise is worth knowing.
#define CHECK(condition)                                                                                   \
  do {                                                                                                     \
    if (!(condition)) {                                                                                    \
      std::fprintf(stderr, "FAILED %s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, describe().c_str()); \
      std::_Exit(1);                                                                                       \
    }                                                                                                      \
  } while (false)

thread_local std::string context;
std::string describe() {
  return context.empty() ? "no more is known" : context;
}

constexpr WriteOptions kSync{.sync = true};
constexpr WriteOptions kNoSync{.sync = false};
const std::string kDirectory = "db";

using Model = std::map<std::string, std::string>;

class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed * 2654435761u + 1) {}
  uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }
  uint32_t below(uint32_t limit) { return next() % limit; }

 private:
  uint32_t state_;
};

std::unique_ptr<Db> open_db(Env* env, const std::string& directory = kDirectory, size_t memtable_bytes = 0,
                            size_t max_runs = 0) {
  Options options;
  options.env = env;
  options.memtable_bytes = memtable_bytes;
  options.max_runs = max_runs;
  std::unique_ptr<Db> db;
  const Status status = Db::open(options, directory, &db);
  context = status.message();
  CHECK(status.ok());
  context.clear();
  return db;
}

void put(Db& db, const WriteOptions& options, const std::string& key, const std::string& value) {
  const Status status = db.put(options, key, value);
  context = "put " + key + ": " + status.message();
  CHECK(status.ok());
  context.clear();
}

void erase(Db& db, const WriteOptions& options, const std::string& key) {
  const Status status = db.erase(options, key);
  context = "erase " + key + ": " + status.message();
  CHECK(status.ok());
  context.clear();
}

/// "(none)" if it is not there.
std::string get(Db& db, const std::string& key) {
  std::string value;
  const Status status = db.get(key, &value);
  context = "get " + key + ": " + status.message();
  CHECK(status.ok() || status.is_not_found());
  context.clear();
  return status.ok() ? value : "(none)";
}

void check_equals(const std::string& what, const std::string& got, const std::string& wanted) {
  context = what + " is \"" + got.substr(0, 40) + "\", should be \"" + wanted.substr(0, 40) + "\"";
  CHECK(got == wanted);
  context.clear();
}

std::string at(const Model& model, const std::string& key) {
  const auto found = model.find(key);
  return found == model.end() ? "(none)" : found->second;
}

// ---- contents ----

void contents_follow_a_model() {
  for (uint32_t seed = 1; seed <= 2; ++seed) {
    Random random(seed);
    MemoryEnv env;
    std::unique_ptr<Db> db = open_db(&env, kDirectory, 8192, 3);
    Model model;
    const auto check_all = [&] {
      for (uint32_t i = 0; i < 150; ++i) {
        const std::string key = "key" + std::to_string(i);
        check_equals(key, get(*db, key), at(model, key));
      }
    };
    for (int step = 0; step < 3000; ++step) {
      const std::string key = "key" + std::to_string(random.below(130));
      const uint32_t action = random.below(1000);
      if (action < 450) {
        const std::string value(random.below(20) == 0 ? random.below(5000) : random.below(80),
                                static_cast<char>('a' + step % 26));
        put(*db, kNoSync, key, value + std::to_string(step));
        model[key] = value + std::to_string(step);
      } else if (action < 650) {
        erase(*db, kNoSync, key);
        model.erase(key);
      } else if (action < 990) {
        check_equals(key, get(*db, key), at(model, key));
      } else if (action < 996) {
        CHECK(db->flush().ok());
      } else {
        db.reset();
        db = open_db(&env, kDirectory, 8192, 3);
        check_all();
      }
    }
    check_all();
  }
}

void odd_keys_and_values_come_back() {
  MemoryEnv env;
  std::unique_ptr<Db> db = open_db(&env);
  const std::string binary("\0\xff\n\0x", 5);
  const Model model{{"", "empty key"},  {binary, "binary key"},
                    {"empty", ""},      {"large", std::string(300000, 'v')},
                    {"binary", binary}, {std::string(5000, 'k'), "large key"}};
  for (const auto& [key, value] : model) put(*db, kSync, key, value);
  for (int round = 0; round < 3; ++round) {
    for (const auto& [key, value] : model) check_equals("odd key", get(*db, key), value);
    if (round == 0) CHECK(db->flush().ok());
    if (round == 1) {
      db.reset();
      db = open_db(&env);
    }
  }
}

void a_deleted_key_stays_deleted() {
  MemoryEnv env;
  std::unique_ptr<Db> db = open_db(&env, kDirectory, 1 << 20, 2);
  put(*db, kSync, "key", "old");
  CHECK(db->flush().ok());
  erase(*db, kSync, "key");
  check_equals("before the flush", get(*db, "key"), "(none)");
  CHECK(db->flush().ok());
  check_equals("after the flush", get(*db, "key"), "(none)");
  for (int i = 0; i < 4; ++i) {
    put(*db, kSync, "other", std::to_string(i));
    CHECK(db->flush().ok());
    check_equals("among runs and merges", get(*db, "key"), "(none)");
  }
  db.reset();
  check_equals("after reopening", get(*open_db(&env), "key"), "(none)");
  check_equals("others are there", get(*open_db(&env), "other"), "3");
}

// ---- histories: each thread writes a known sequence, so that any prefix of it can be told from anything else ----

constexpr int kHistoryKeys = 5;

std::string history_key(int round, int thread, int step) {
  return "r" + std::to_string(round) + "t" + std::to_string(thread) + "k" + std::to_string(step % kHistoryKeys);
}

/// What the step leaves in its key.
std::string history_value(int step) {
  if (step % 7 == 3) return "(none)";
  const int size = step % 11 == 0 ? 4200 : step * 37 % 400;
  return std::to_string(step) + std::string(static_cast<size_t>(size), static_cast<char>('a' + step % 26));
}

void history_step(Db& db, const WriteOptions& options, int round, int thread, int step) {
  const std::string key = history_key(round, thread, step);
  const std::string value = history_value(step);
  if (value == "(none)") {
    erase(db, options, key);
  } else {
    put(db, options, key, value);
  }
}

/// The thread's keys must be as some number of steps, at least `acknowledged`, left them.
void check_history(Db& db, int round, int thread, int acknowledged) {
  std::vector<std::string> found;
  for (int key = 0; key < kHistoryKeys; ++key) found.push_back(get(db, history_key(round, thread, key)));
  // A few steps more may have been under way: one, or as many as were written before the crash was noticed.
  for (int steps = acknowledged; steps <= acknowledged + 2000; ++steps) {
    bool same = true;
    for (int key = 0; key < kHistoryKeys && same; ++key) {
      int last = steps - 1;
      while (last >= 0 && last % kHistoryKeys != key) --last;
      same = found[static_cast<size_t>(key)] == (last < 0 ? "(none)" : history_value(last));
    }
    if (same) return;
  }
  context = "round " + std::to_string(round) + ", thread " + std::to_string(thread) + ": no state at or after step " +
            std::to_string(acknowledged) + " looks like this: ";
  for (const std::string& value : found) context += value.substr(0, 8) + " ";
  CHECK(false);
}

// ---- power cuts, on the disk that forgets ----

/// The cuts come right before each sync, rename and removal, those in the middle of flushes and merges too: what was
/// acknowledged must be there whether or not the things under way have reached the disk.
void an_acknowledged_sync_write_survives_a_power_cut() {
  constexpr int kSteps = 150;
  MemoryEnv env;
  std::atomic<int> acknowledged = 0;
  std::atomic<uint32_t> cuts = 0;
  const auto cut_power = [&] {
    const int before_the_cut = acknowledged;
    const uint32_t cut = ++cuts;
    const auto disk = env.after_power_cut(cut * 7919, cut % 3 != 0);
    check_history(*open_db(disk.get()), 0, 0, before_the_cut);
  };
  env.set_before_change(cut_power);
  std::unique_ptr<Db> db = open_db(&env, kDirectory, 4096, 3);
  for (int step = 0; step < kSteps; ++step) {
    history_step(*db, kSync, 0, 0, step);
    acknowledged = step + 1;
  }
  for (int i = 0; i < 3; ++i) cut_power();
  CHECK(cuts > kSteps);
}

void unsynced_writes_become_durable_with_the_next_sync_write() {
  MemoryEnv env;
  std::unique_ptr<Db> db = open_db(&env);
  for (int step = 0; step < 60; ++step) history_step(*db, step % 10 == 9 ? kSync : kNoSync, 0, 0, step);
  const auto disk = env.after_power_cut(0, true);
  check_history(*open_db(disk.get()), 0, 0, 60);
}

void a_power_cut_among_threads_loses_nothing_acknowledged() {
  constexpr int kThreads = 8;
  for (uint32_t round = 0; round < 8; ++round) {
    MemoryEnv env;
    env.set_sync_microseconds(60);
    // In every other round the memtable is flushed and runs are merged all the time.
    std::unique_ptr<Db> db = open_db(&env, kDirectory, round % 2 == 0 ? 0 : 30000, 3);
    std::atomic<bool> stop = false;
    std::atomic<int> acknowledged[kThreads] = {};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int step = 0; !stop; ++step) {
          history_step(*db, kSync, 0, thread, step);
          acknowledged[thread] = step + 1;
        }
      });
    }
    for (uint32_t cut = 0; cut < 4; ++cut) {
      std::this_thread::sleep_for(std::chrono::milliseconds(4));
      int before_the_cut[kThreads];
      for (int thread = 0; thread < kThreads; ++thread) before_the_cut[thread] = acknowledged[thread];
      const auto disk = env.after_power_cut(round * 7919 + cut * 104729, cut == 0);
      const std::unique_ptr<Db> recovered = open_db(disk.get());
      for (int thread = 0; thread < kThreads; ++thread) check_history(*recovered, 0, thread, before_the_cut[thread]);
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
  }
}

void a_sync_write_returns_only_after_the_sync() {
  MemoryEnv env;
  std::unique_ptr<Db> db = open_db(&env);
  put(*db, kSync, "key", "old");
  std::atomic<int> returned = 0;
  env.hold_syncs(true);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      put(*db, kSync, "key" + std::to_string(i), "new");
      ++returned;
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  CHECK(returned == 0);
  env.hold_syncs(false);
  for (std::thread& thread : threads) thread.join();
  const auto disk = env.after_power_cut(0, true);
  const std::unique_ptr<Db> recovered = open_db(disk.get());
  for (int i = 0; i < 3; ++i) check_equals("key", get(*recovered, "key" + std::to_string(i)), "new");
}

void a_failed_sync_fails_the_write() {
  MemoryEnv env;
  std::unique_ptr<Db> db = open_db(&env);
  put(*db, kSync, "key", "old");
  env.set_syncs_fail(true);
  CHECK(!db->put(kSync, "key", "new").ok());
  CHECK(!db->erase(kSync, "other").ok());
  env.set_syncs_fail(false);
  // What the log holds is unknown now: a write behind that, though synced, might not be found again.
  CHECK(!db->put(kSync, "key", "newer").ok());
  CHECK(!db->put(kNoSync, "another", "new").ok());
  CHECK(!db->erase(kSync, "key").ok());
  const auto disk = env.after_power_cut(0, true);
  check_equals("after the failure", get(*open_db(disk.get()), "key"), "old");
}

// ---- damaged files ----

/// Opens the disk and compares; true if all is as in the model, or an error says that it is not.
bool right_or_refused(MemoryEnv* disk, const Model& model) {
  Options options;
  options.env = disk;
  std::unique_ptr<Db> db;
  if (!Db::open(options, kDirectory, &db).ok()) return true;
  for (int i = 0; i < 12; ++i) {
    const std::string key = "key" + std::to_string(i);
    std::string value;
    const Status status = db->get(key, &value);
    if (!status.ok() && !status.is_not_found()) return true;
    if ((status.ok() ? value : "(none)") != at(model, key)) return false;
  }
  return true;
}

std::string random_bytes(Random* random, size_t size) {
  std::string bytes;
  while (bytes.size() < size) bytes.push_back(static_cast<char>(random->next() >> 8));
  return bytes;
}

/// Models of a database after 0, 1, 2... of a few writes; with `large`, two values are of many kilobytes.
std::vector<Model> write_some(Db& db, bool large = false) {
  Random random(1);
  std::vector<Model> models{Model()};
  for (int i = 0; i < 9; ++i) {
    Model model = models.back();
    const std::string key = "key" + std::to_string(i % 7);
    if (i == 5) {
      erase(db, kSync, "key1");
      model.erase("key1");
    } else {
      const size_t more = large && i == 3 ? 9000 : large && i == 8 ? 4000 : 0;
      const std::string value = "value" + std::to_string(i * 1111) + random_bytes(&random, more);
      put(db, kSync, key, value);
      model[key] = value;
    }
    models.push_back(model);
  }
  return models;
}

void a_log_cut_short_is_recovered_up_to_the_cut() {
  MemoryEnv env;
  std::unique_ptr<Db> db = open_db(&env);
  const size_t files = env.paths().size();
  const std::vector<Model> models = write_some(*db);
  CHECK(env.paths().size() == files);
  bool found_log = false;
  for (const std::string& path : env.paths()) {
    if (!path.ends_with(".log")) continue;
    found_log = true;
    const std::string whole = env.contents(path);
    size_t reached = 0;
    for (size_t size = 0; size <= whole.size(); ++size) {
      const auto disk = env.copy();
      // Some file systems leave zeros where data did not arrive.
      disk->set_contents(path, whole.substr(0, size) + (size % 3 == 0 ? std::string(100, '\0') : ""));
      const std::unique_ptr<Db> recovered = open_db(disk.get());
      Model contents;
      for (int i = 0; i < 12; ++i) {
        const std::string key = "key" + std::to_string(i);
        if (const std::string value = get(*recovered, key); value != "(none)") contents[key] = value;
      }
      while (reached < models.size() && contents != models[reached]) ++reached;
      context = "log cut at " + std::to_string(size);
      CHECK(reached < models.size());
      context.clear();
    }
    CHECK(reached == models.size() - 1);
  }
  CHECK(found_log);
}

/// Damages every `step`th byte of each file in several ways.
void check_damage(bool large, bool flushed, size_t step) {
  MemoryEnv env;
  std::unique_ptr<Db> db = open_db(&env);
  const std::vector<Model> models = write_some(*db, large);
  if (flushed) CHECK(db->flush().ok());
  for (const std::string& path : env.paths()) {
    const std::string whole = env.contents(path);
    const auto check = [&](const std::string& damaged, const std::string& how) {
      const auto disk = env.copy();
      disk->set_contents(path, damaged);
      context = path + ", " + how;
      // A bad last record of a log cannot be told from a torn one.
      CHECK(right_or_refused(disk.get(), models.back()) ||
            (path.ends_with(".log") && right_or_refused(disk.get(), models[models.size() - 2])));
      context.clear();
    };
    for (size_t i = 0; i < whole.size(); i += step) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << i % 8));
      check(damaged, "bit flipped in byte " + std::to_string(i));
      // A sum of bytes does not see the first of these swaps, nor a sum of 8-byte words the second.
      for (const size_t distance : {1, 8}) {
        if (i + distance >= whole.size() || whole[i] == whole[i + distance]) continue;
        damaged = whole;
        std::swap(damaged[i], damaged[i + distance]);
        check(damaged, "bytes " + std::to_string(i) + " and " + std::to_string(i + distance) + " swapped");
      }
    }
  }
}

void a_damaged_byte_is_never_served() {
  for (const bool flushed : {false, true}) {
    check_damage(false, flushed, 1);
    check_damage(true, flushed, 499);  // A prime: no pattern of bytes that a checksum leaves out escapes it for long.
  }
}

// ---- threads ----

void readers_never_see_the_past() {
  constexpr int kWriters = 2;
  constexpr int kReaders = 2;
  constexpr int kSteps = 5000;
  constexpr int kKeys = 8;
  // So that readers who look at what a flush has freed notice it: freed memory is overwritten.
  ::mallopt(M_PERTURB, 0xa5);
  MemoryEnv env;
  // So few bytes that memtables and runs come and go all the time.
  std::unique_ptr<Db> db = open_db(&env, kDirectory, 1500, 3);
  // Each key is written by one thread; its value starts with a number that only grows.
  std::atomic<int> newest[kWriters][kKeys] = {};
  std::atomic<int> writing = kWriters;
  std::vector<std::thread> threads;
  // Of a lock that readers share, writers may see little: then fewer steps must do.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
  const auto key_of = [](int writer, int key) { return "w" + std::to_string(writer) + "k" + std::to_string(key); };
  const auto number_in = [](const std::string& value) { return value == "(none)" ? 0 : std::atoi(value.c_str()); };
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      for (int step = 1; step <= kSteps && std::chrono::steady_clock::now() < deadline; ++step) {
        const int key = step % kKeys;
        const std::string value = std::to_string(step) + std::string(static_cast<size_t>(step % 90), '.');
        put(*db, step % 3 == 0 ? kSync : kNoSync, key_of(writer, key), value);
        newest[writer][key] = step;
        if (step % 5 == 0) check_equals("own write", get(*db, key_of(writer, key)), value);
      }
      --writing;
    });
  }
  for (int reader = 0; reader < kReaders; ++reader) {
    threads.emplace_back([&, reader] {
      Random random(static_cast<uint32_t>(reader) + 1);
      for (int reads = 1; writing > 0; ++reads) {
        if (reads % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(20));  // Lets writers in.
        const int writer = static_cast<int>(random.below(kWriters));
        const int key = static_cast<int>(random.below(kKeys));
        const int known = newest[writer][key];
        const std::string value = get(*db, key_of(writer, key));
        const int number = number_in(value);
        context = "read " + std::to_string(number) + ", written before " + std::to_string(known);
        CHECK(number >= known);
        CHECK(number == 0 || value == std::to_string(number) + std::string(static_cast<size_t>(number % 90), '.'));
        context.clear();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  db.reset();
  db = open_db(&env);
  for (int writer = 0; writer < kWriters; ++writer) {
    for (int key = 0; key < kKeys; ++key) CHECK(number_in(get(*db, key_of(writer, key))) == newest[writer][key]);
  }
  ::mallopt(M_PERTURB, 0);
}

// ---- on the real disk ----

/// Relative: the suite runs in the folder of the Makefile.
const std::string kRealDirectory = "build/walkv_test.db";

void a_sync_write_reaches_the_kernels_disk() {
  constexpr int kSteps = 300;
  const std::string directory = kRealDirectory;
  std::filesystem::remove_all(directory);
  const std::string parent = std::filesystem::path(directory).parent_path();
  const int parent_syncs = kernel_sync_count(parent);
  std::unique_ptr<Db> db = open_db(Env::posix(), directory);
  CHECK(kernel_sync_count(directory) > 0);
  CHECK(kernel_sync_count(parent) > parent_syncs);
  const auto all_synced = [&] {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      context = entry.path().string() + " has data that was not synced";
      CHECK(kernel_synced(entry.path().string()));
      context.clear();
    }
  };
  kernel_pretend_to_sync(true);
  for (int step = 0; step < kSteps; ++step) {
    const int syncs = kernel_sync_count();
    history_step(*db, kSync, 0, 0, step);
    // Of the sizes alone it could not be told when the log's space is allocated ahead.
    context = "sync write " + std::to_string(step);
    CHECK(kernel_sync_count() > syncs || open_for_synchronous_writes());
    context.clear();
    if (step % 8 == 0) all_synced();
  }
  all_synced();
  for (int i = 0; i < 3; ++i) {
    const int syncs = kernel_sync_count(directory);
    history_step(*db, kSync, 0, 0, kSteps + i);
    CHECK(db->flush().ok());
    CHECK(kernel_sync_count(directory) > syncs);
    CHECK(Env::posix()->sync_directory(directory).ok());
    CHECK(kernel_sync_count(directory) > syncs + 1);
    all_synced();
  }
  kernel_pretend_to_sync(false);
  std::vector<std::thread> threads;
  for (int thread = 1; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int step = 0; step < 15; ++step) history_step(*db, kSync, 0, thread, step);
    });
  }
  for (std::thread& thread : threads) thread.join();
  all_synced();
  CHECK(db->flush().ok());
  all_synced();
  for (int thread = 0; thread < 4; ++thread) check_history(*db, 0, thread, thread == 0 ? kSteps + 3 : 15);
  db.reset();
  std::filesystem::remove_all(directory);
}

struct Acknowledgement {
  int thread;
  int step;
};

constexpr int kKilledThreads = 3;

/// Writes until it is killed; tells the parent of every write that returned.
[[noreturn]] void write_forever(const std::string& directory, int round, int pipe_end) {
  std::unique_ptr<Db> db = open_db(Env::posix(), directory, 20000, 3);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kKilledThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int step = 0;; ++step) {
        // What was written is the kernel's, synced or not: a log kept back until the next sync would be lost. The last
        // thread never syncs, and in every other round nobody does, so that no one's sync helps it.
        const bool may_sync = thread != kKilledThreads - 1 && round % 2 == 0;
        history_step(*db, may_sync && step % 2 == 0 ? kSync : kNoSync, round, thread, step);
        const Acknowledgement message{thread, step};
        if (::write(pipe_end, &message, sizeof message) != sizeof message) std::_Exit(1);
      }
    });
  }
  threads[0].join();
  std::_Exit(1);
}

void writes_survive_kill_9() {
  constexpr int kRounds = 6;
  const std::string directory = kRealDirectory;
  std::filesystem::remove_all(directory);
  int acknowledged[kRounds][kKilledThreads] = {};
  for (int round = 0; round < kRounds; ++round) {
    int ends[2];
    CHECK(::pipe(ends) == 0);
    const pid_t child = ::fork();
    CHECK(child >= 0);
    if (child == 0) {
      ::alarm(30);
      ::close(ends[0]);
      write_forever(directory, round, ends[1]);
    }
    ::close(ends[1]);
    Acknowledgement message{};
    // The first word shows that it has begun; from then on it lives a different while in each round.
    CHECK(::read(ends[0], &message, sizeof message) == sizeof message);
    std::this_thread::sleep_for(std::chrono::milliseconds(5 + 4 * round));
    ::kill(child, SIGKILL);
    do {
      acknowledged[round][message.thread] = message.step + 1;
    } while (::read(ends[0], &message, sizeof message) == sizeof message);
    ::close(ends[0]);
    int exit_status = 0;
    ::waitpid(child, &exit_status, 0);
    CHECK(WIFSIGNALED(exit_status) && WTERMSIG(exit_status) == SIGKILL);

    const std::unique_ptr<Db> db = open_db(Env::posix(), directory);
    for (int past = 0; past <= round; ++past) {
      for (int thread = 0; thread < kKilledThreads; ++thread) {
        check_history(*db, past, thread, acknowledged[past][thread]);
      }
    }
  }
  std::filesystem::remove_all(directory);
}

struct Test {
  const char* name;
  void (*run)();
};

#define TEST(function)  \
  Test {                \
#function, function \
  }

const Test kTests[] = {
    TEST(writes_survive_kill_9),  // First: it forks, and no thread may have been started by then.
    TEST(contents_follow_a_model),
    TEST(odd_keys_and_values_come_back),
    TEST(a_deleted_key_stays_deleted),
    TEST(an_acknowledged_sync_write_survives_a_power_cut),
    TEST(unsynced_writes_become_durable_with_the_next_sync_write),
    TEST(a_power_cut_among_threads_loses_nothing_acknowledged),
    TEST(a_sync_write_returns_only_after_the_sync),
    TEST(a_failed_sync_fails_the_write),
    TEST(a_log_cut_short_is_recovered_up_to_the_cut),
    TEST(a_damaged_byte_is_never_served),
    TEST(readers_never_see_the_past),
    TEST(a_sync_write_reaches_the_kernels_disk),
};

}  // namespace
}  // namespace walkv

int main() {
  ::alarm(30);  // A deadlock ends here.
  ::signal(SIGPIPE, SIG_IGN);
  int passed = 0;
  for (const walkv::Test& test : walkv::kTests) {
    std::printf("%-60s ", test.name);
    std::fflush(stdout);
    const auto start = std::chrono::steady_clock::now();
    test.run();
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    std::printf("ok %6.0f ms\n", took.count());
    ++passed;
  }
  std::printf("%d tests passed\n", passed);
  return 0;
}
