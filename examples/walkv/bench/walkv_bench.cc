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
#include "progress.h"
#include "stats.h"
#include "verify.h"
#include "workload.h"

namespace walkv {
namespace {

[[noreturn]] void fail(const std::string& what, const Status& status) {
  std::fprintf(stderr, "walkv_bench: %s: %s\n", what.c_str(), status.message().c_str());
  std::exit(1);
}

/// One thread's part of a workload.
struct Worker {
  Worker(const Operations& its_operations, bool show_progress) : operations(its_operations), stats(show_progress) {}

  Operations operations;
  Stats stats;
  int64_t reads = 0;
  int64_t found = 0;
};

class Benchmark {
 public:
  explicit Benchmark(const Flags& flags) : flags_(flags), values_(flags.seed) {}

  void run() {
    refuse_foreign_files();
    if (flags_.verify) return verify(flags_);
    print_header();
    if (!flags_.use_existing_db) destroy();
    open();
    for (const std::string& name : flags_.benchmarks) run_workload(find_workload(name));
    db_.reset();
    if (flags_.destroy_db_at_end) destroy();
  }

 private:
  using Action = Workload::Action;

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
    for (int i = 0; i < flags_.threads; ++i) workers.emplace_back(Operations(flags_, workload, values_, i), i == 0);

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
    const int64_t count = worker->operations.count();
    worker->stats.start();
    const double deadline = now_micros() + flags_.duration * 1e6;
    for (int64_t i = 0; flags_.duration > 0 ? now_micros() < deadline : i < count; ++i) {
      const Operation operation = worker->operations.next();
      worker->stats.finish_operation(operation.action == Action::read ? read_one(workload, operation, worker)
                                                                      : write_one(workload, operation));
      COZ_PROGRESS("op");
    }
    worker->stats.stop();
  }

  int64_t read_one(const Workload& workload, const Operation& operation, Worker* worker) {
    std::string value;
    std::string key = make_key(operation.number, flags_.key_size);
    if (workload.missing) key += ".";
    const Status status = db_->get(key, &value);
    if (!status.ok() && !status.is_not_found()) fail("get", status);
    ++worker->reads;
    if (!status.ok()) return 0;
    ++worker->found;
    return static_cast<int64_t>(key.size() + value.size());
  }

  int64_t write_one(const Workload& workload, const Operation& operation) {
    const WriteOptions options{.sync = workload.sync || flags_.sync};
    const std::string key = make_key(operation.number, flags_.key_size);
    if (operation.action == Action::erase) {
      const Status status = db_->erase(options, key);
      if (!status.ok()) fail("delete", status);
      return 0;
    }
    const Status status = db_->put(options, key, operation.value);
    if (!status.ok()) fail("put", status);
    return static_cast<int64_t>(key.size() + operation.value.size());
  }

  void write_until_done() {
    constexpr Workload kOverwrite{.name = "", .action = Action::write};
    Operations operations(flags_, kOverwrite, values_, -1);
    start_.wait(false);
    while (!readers_done_) write_one(kOverwrite, operations.next());
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
