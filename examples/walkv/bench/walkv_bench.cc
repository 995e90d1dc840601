/// walkv_bench: db_bench's workloads on walkv, with its flags and its output.

#include <dirent.h>
#include <unistd.h>

#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "db.h"
#include "flags.h"
#include "stats.h"

namespace walkv {
namespace {

[[noreturn]] void fail(const std::string& what, const Status& status) {
  std::fprintf(stderr, "walkv_bench: %s: %s\n", what.c_str(), status.message().c_str());
  std::exit(1);
}

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {  // splitmix64 (G. L. Steele and others, 2014).
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

/// Values are windows into a pool of random bytes.
class ValuePool {
 public:
  explicit ValuePool(uint64_t seed) {
    Random random(seed);
    for (size_t i = 0; i < kBytes; ++i) pool_.push_back(static_cast<char>(random.next()));
  }

  std::string_view value(Random* random, int size) const {
    return std::string_view(pool_).substr(random->next() % (kBytes - static_cast<size_t>(size)),
                                          static_cast<size_t>(size));
  }

 private:
  static constexpr size_t kBytes = 2 << 20;
  std::string pool_;
};

struct Workload {
  enum class Action { write, erase, read, mixed };

  const char* name;
  Action action;
  bool sequential = false;
  bool fresh = false;    ///< Begins with an empty database.
  bool sync = false;     ///< Even without --sync.
  bool missing = false;  ///< Asks for keys that are not there.
  bool background_writer = false;
};

constexpr Workload kWorkloads[] = {
    {.name = "fillseq", .action = Workload::Action::write, .sequential = true, .fresh = true},
    {.name = "fillrandom", .action = Workload::Action::write, .fresh = true},
    {.name = "fillsync", .action = Workload::Action::write, .fresh = true, .sync = true},
    {.name = "overwrite", .action = Workload::Action::write},
    {.name = "deleteseq", .action = Workload::Action::erase, .sequential = true},
    {.name = "deleterandom", .action = Workload::Action::erase},
    {.name = "readseq", .action = Workload::Action::read, .sequential = true},
    {.name = "readrandom", .action = Workload::Action::read},
    {.name = "readmissing", .action = Workload::Action::read, .missing = true},
    {.name = "readwhilewriting", .action = Workload::Action::read, .background_writer = true},
    {.name = "readrandomwriterandom", .action = Workload::Action::mixed},
};

/// One thread's part of a workload.
struct Worker {
  Worker(uint64_t seed, bool show_progress) : random(seed), stats(show_progress) {}

  Random random;
  Stats stats;
  int64_t reads = 0;
  int64_t found = 0;
};

class Benchmark {
 public:
  explicit Benchmark(const Flags& flags) : flags_(flags), values_(flags.seed) {}

  void run() {
    print_header();
    refuse_foreign_files();
    if (!flags_.use_existing_db) destroy();
    open();
    for (const std::string& name : flags_.benchmarks) run_workload(find_workload(name));
    db_.reset();
    if (flags_.destroy_db_at_end) destroy();
  }

 private:
  using Action = Workload::Action;

  static const Workload& find_workload(const std::string& name) {
    for (const Workload& workload : kWorkloads) {
      if (name == workload.name) return workload;
    }
    std::fprintf(stderr, "walkv_bench: unknown benchmark '%s' (--help lists them)\n", name.c_str());
    std::exit(1);
  }

  void print_header() const {
    const double megabytes =
        static_cast<double>(flags_.key_size + flags_.value_size) * static_cast<double>(flags_.num) / 1048576.0;
    std::printf("Keys:       %d bytes each\n", flags_.key_size);
    std::printf("Values:     %d bytes each\n", flags_.value_size);
    std::printf("Entries:    %" PRId64 "\n", flags_.num);
    std::printf("RawSize:    %.1f MB (estimated)\n", megabytes);
    std::printf("------------------------------------------------\n");
    std::fflush(stdout);
  }

  /// The paths of what is named as a database's files are.
  std::vector<std::string> database_files() const {
    std::vector<std::string> paths;
    DIR* directory = ::opendir(flags_.db.c_str());
    if (directory == nullptr) return paths;
    while (const dirent* entry = ::readdir(directory)) {
      const std::string name = entry->d_name;
      const bool has_number = name.size() >= 10 && name.find_first_not_of("0123456789") == name.size() - 4;
      if (name == "MANIFEST" || name == "MANIFEST.tmp" ||
          (has_number && (name.ends_with(".log") || name.ends_with(".run")))) {
        paths.push_back(flags_.db + "/" + name);
      }
    }
    ::closedir(directory);
    return paths;
  }

  /// A wrong --db must not cost anyone their files: LevelDB and RocksDB have logs of such names too, and walkv removes
  /// those that its manifest does not name.
  void refuse_foreign_files() const {
    char magic[8] = {};
    std::ifstream(flags_.db + "/MANIFEST", std::ios::binary).read(magic, sizeof magic);
    if (std::string_view(magic, sizeof magic) == "wkvmanif" || database_files().empty()) return;
    std::fprintf(stderr,
                 "walkv_bench: %s has no MANIFEST of walkv, but files such as %s: it may be another program's. Nothing "
                 "was changed; name another folder with --db, or empty this one.\n",
                 flags_.db.c_str(), database_files().front().c_str());
    std::exit(1);
  }

  /// Only what a database consists of.
  void destroy() {
    db_.reset();
    refuse_foreign_files();
    const std::string manifest = flags_.db + "/MANIFEST";
    for (const std::string& path : database_files()) {
      if (path != manifest) ::unlink(path.c_str());
    }
    ::unlink(manifest.c_str());  // The last one, so that what a kill leaves is still known as a database.
    ::rmdir(flags_.db.c_str());
  }

  void open() {
    Options options;
    options.memtable_bytes = static_cast<size_t>(flags_.write_buffer_size);
    const Status status = Db::open(options, flags_.db, &db_);
    if (!status.ok()) fail("open " + flags_.db, status);
  }

  void run_workload(const Workload& workload) {
    if (workload.fresh && !flags_.use_existing_db) {
      destroy();
      open();
    }
    std::printf("DB path: [%s]\n", flags_.db.c_str());
    std::vector<Worker> workers;
    for (int i = 0; i < flags_.threads; ++i) workers.emplace_back(flags_.seed + 1000 * i + 1, i == 0);

    start_ = false;
    readers_done_ = false;
    std::vector<std::thread> threads;
    for (Worker& worker : workers) {
      threads.emplace_back([this, &workload, &worker] {
        start_.wait(false);
        run_worker(workload, &worker);
      });
    }
    std::thread writer;
    if (workload.background_writer) writer = std::thread([this] { write_until_done(); });
    start_ = true;
    start_.notify_all();
    for (std::thread& thread : threads) thread.join();
    readers_done_ = true;
    if (writer.joinable()) writer.join();
    report(workload, workers);
  }

  void run_worker(const Workload& workload, Worker* worker) {
    const bool reading = workload.action == Action::read;
    const int64_t asked = reading ? flags_.reads : flags_.writes;
    const int64_t operations = asked >= 0 ? asked : flags_.num;
    worker->stats.start();
    const double deadline = now_micros() + flags_.duration * 1e6;
    for (int64_t i = 0; flags_.duration > 0 ? now_micros() < deadline : i < operations; ++i) {
      const uint64_t random = worker->random.next();
      const auto keys = static_cast<uint64_t>(flags_.num);
      const uint64_t number = workload.sequential ? static_cast<uint64_t>(i) % keys : random % keys;
      const bool read = reading || (workload.action == Action::mixed && worker->random.next() % 10 != 0);
      worker->stats.finish_operation(read ? read_one(workload, number, worker) : write_one(workload, number, worker));
    }
    worker->stats.stop();
  }

  int64_t read_one(const Workload& workload, uint64_t number, Worker* worker) {
    std::string value;
    const std::string key = workload.missing ? make_key(number) + "." : make_key(number);
    const Status status = db_->get(key, &value);
    if (!status.ok() && !status.is_not_found()) fail("get", status);
    ++worker->reads;
    if (!status.ok()) return 0;
    ++worker->found;
    return static_cast<int64_t>(key.size() + value.size());
  }

  int64_t write_one(const Workload& workload, uint64_t number, Worker* worker) {
    const WriteOptions options{.sync = workload.sync || flags_.sync};
    const std::string key = make_key(number);
    if (workload.action == Action::erase) {
      const Status status = db_->erase(options, key);
      if (!status.ok()) fail("delete", status);
      return 0;
    }
    const std::string_view value = values_.value(&worker->random, flags_.value_size);
    const Status status = db_->put(options, key, value);
    if (!status.ok()) fail("put", status);
    return static_cast<int64_t>(key.size() + value.size());
  }

  void write_until_done() {
    constexpr Workload kOverwrite{.name = "", .action = Action::write};
    Worker worker(flags_.seed, false);
    start_.wait(false);
    while (!readers_done_) write_one(kOverwrite, worker.random.next() % static_cast<uint64_t>(flags_.num), &worker);
  }

  void report(const Workload& workload, const std::vector<Worker>& workers) const {
    Stats total(false);
    int64_t reads = 0;
    int64_t found = 0;
    for (const Worker& worker : workers) {
      total.merge(worker.stats);
      reads += worker.reads;
      found += worker.found;
    }
    std::string message;
    if (reads > 0) {
      char text[80];
      std::snprintf(text, sizeof text, "(%" PRId64 " of %" PRId64 " found)\n", found, reads);
      message = text;
    }
    total.report(workload.name, message, workload.action == Action::read ? "read" : "write", flags_.histogram);
  }

  /// As db_bench: the number big-endian in 8 bytes, then '0' up to the key's size.
  std::string make_key(uint64_t number) const {
    std::string key(static_cast<size_t>(flags_.key_size), '0');
    for (size_t i = 0; i < 8; ++i) key[i] = static_cast<char>(number >> (56 - 8 * i));
    return key;
  }

  const Flags flags_;
  const ValuePool values_;
  std::unique_ptr<Db> db_;
  std::atomic<bool> start_ = false;
  std::atomic<bool> readers_done_ = false;
};

}  // namespace
}  // namespace walkv

int main(int argc, char** argv) {
  walkv::Benchmark(walkv::parse_flags(argc, argv)).run();
  return 0;
}
