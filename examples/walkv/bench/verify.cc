/// What must be there follows from the seed; the database is asked by get() alone, as any user would.

#include "verify.h"

#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "db.h"
#include "workload.h"

namespace walkv {
namespace {

using Action = Workload::Action;
using Value = std::optional<std::string_view>;  // Empty: deleted.
/// By number of the key. Of the threads that write a key in one workload, any may be the last.
using Contents = std::map<uint64_t, std::vector<Value>>;

[[noreturn]] __attribute__((format(printf, 1, 2))) void fail(const char* format, ...) {
  std::fputs("walkv_bench: --verify: ", stderr);
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fputc('\n', stderr);
  std::exit(1);
}

void apply(const Flags& flags, const Workload& workload, const ValuePool& values, Contents* contents) {
  if (workload.background_writer) fail("%s writes as long as it reads: what it leaves is not known", workload.name);
  if (workload.fresh && !flags.use_existing_db) contents->clear();
  Contents written;
  for (int thread = 0; thread < flags.threads; ++thread) {
    std::map<uint64_t, Value> last;
    Operations operations(flags, workload, values, thread);
    for (int64_t i = 0; i < operations.count(); ++i) {
      const Operation operation = operations.next();
      if (operation.action == Action::write) last[operation.number] = operation.value;
      if (operation.action == Action::erase) last[operation.number] = std::nullopt;
    }
    for (const auto& [number, value] : last) written[number].push_back(value);
  }
  for (auto& [number, versions] : written) (*contents)[number] = std::move(versions);
}

/// The database's folder again, where it does no harm to open it: that writes.
class Copy {
 public:
  explicit Copy(const std::string& original) : path_(original + ".verify") {
    std::filesystem::remove_all(path_);
    std::filesystem::copy(original, path_);
  }
  ~Copy() { std::filesystem::remove_all(path_); }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;

  const std::string& path() const { return path_; }

  /// Turns over the bits of the byte in the middle.
  void damage(const std::string& name) const {
    std::fstream file(path_ + "/" + name, std::ios::binary | std::ios::in | std::ios::out);
    const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(path_ + "/" + name) / 2);
    file.seekg(middle);
    const int byte = file.get();
    file.seekp(middle);
    file.put(static_cast<char>(~byte));
  }

 private:
  const std::string path_;
};

bool is_one_of(const std::vector<Value>& versions, const Status& status, const std::string& got) {
  for (const Value& version : versions) {
    if (version ? status.ok() && got == *version : status.is_not_found()) return true;
  }
  return false;
}

void check_all(Db& db, const Flags& flags, const Contents& contents) {
  for (const auto& [number, versions] : contents) {
    std::string got;
    const Status status = db.get(make_key(number, flags.key_size), &got);
    if (is_one_of(versions, status, got)) continue;
    if (status.ok()) fail("key %" PRIu64 " has another value than was put", number);
    fail("key %" PRIu64 ": %s", number, status.message().c_str());
  }
}

/// Returns how many it asked for.
int check_absent(Db& db, const Flags& flags, const Contents& contents) {
  constexpr int kSample = 500;
  Random random(flags.seed);
  int asked = 0;
  for (int i = 0; i < kSample; ++i) {
    const uint64_t number = random.next() % static_cast<uint64_t>(flags.num);
    if (contents.count(number) != 0) continue;
    std::string got;
    if (!db.get(make_key(number, flags.key_size), &got).is_not_found()) fail("key %" PRIu64 " was never put", number);
    ++asked;
  }
  return asked;
}

void check_damaged(Db& db, const Flags& flags, const Contents& contents, const std::string& file) {
  for (const auto& [number, versions] : contents) {
    std::string got;
    const Status status = db.get(make_key(number, flags.key_size), &got);
    if (status.ok() && !is_one_of(versions, status, got)) {
      fail("a damaged byte in %s is served for key %" PRIu64, file.c_str(), number);
    }
  }
}

}  // namespace

void verify(const Flags& flags) {
  if (flags.duration > 0) fail("with --duration, what is left is not known");
  if (!std::filesystem::is_directory(flags.db)) fail("%s is not there", flags.db.c_str());
  const ValuePool values(flags.seed);
  Contents contents;
  for (const std::string& name : flags.benchmarks) apply(flags, find_workload(name), values, &contents);

  std::unique_ptr<Db> db;
  int absent = 0;
  {
    const Copy copy(flags.db);
    const Status status = Db::open({}, copy.path(), &db);
    if (!status.ok()) fail("open: %s", status.message().c_str());
    check_all(*db, flags, contents);
    if (!flags.use_existing_db) absent = check_absent(*db, flags, contents);
    db.reset();
  }
  int damaged = 0;
  for (const auto& file : std::filesystem::directory_iterator(flags.db)) {
    if (!file.is_regular_file() || file.file_size() == 0) continue;
    const std::string name = file.path().filename();
    const Copy copy(flags.db);
    copy.damage(name);
    if (Db::open({}, copy.path(), &db).ok()) check_damaged(*db, flags, contents, name);
    db.reset();
    ++damaged;
  }
  std::printf("verified: %zu keys, %d absent keys, %d damaged files\n", contents.size(), absent, damaged);
}

}  // namespace walkv
