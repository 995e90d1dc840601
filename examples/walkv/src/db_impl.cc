/// The engine: one lock around everything.

#include "db_impl.h"

#include <optional>

namespace walkv {

namespace {

constexpr size_t kMemtableBytes = 1 << 20;
constexpr size_t kMaxRuns = 4;

Options with_defaults(Options options) {
  if (options.memtable_bytes == 0) options.memtable_bytes = kMemtableBytes;
  if (options.max_runs == 0) options.max_runs = kMaxRuns;
  return options;
}

}  // namespace

DbImpl::DbImpl(const Options& options, const std::string& directory)
    : options_(with_defaults(options)), directory_(directory), memtable_(std::make_unique<Memtable>()) {}

DbImpl::~DbImpl() = default;

Status Db::open(const Options& options, const std::string& directory, std::unique_ptr<Db>* db) {
  std::unique_ptr<DbImpl> opened(new DbImpl(options, directory));
  const Status status = opened->recover();
  if (status.ok()) *db = std::move(opened);
  return status;
}

Status DbImpl::put(const WriteOptions& options, std::string_view key, std::string_view value) {
  WriteLock lock(mutex_);
  const std::string record = encode_wal_record(Kind::value, key, value);
  return commit(lock, options, Kind::value, key, value, record);
}

Status DbImpl::erase(const WriteOptions& options, std::string_view key) {
  WriteLock lock(mutex_);
  const std::string record = encode_wal_record(Kind::tombstone, key, {});
  return commit(lock, options, Kind::tombstone, key, {}, record);
}

Status DbImpl::commit(WriteLock& lock, const WriteOptions& options, Kind kind, std::string_view key,
                      std::string_view value, std::string_view record) {
  if (!failure_.ok()) return failure_;
  Status status = make_room(lock);
  if (status.ok()) status = wal_->append(record);
  if (status.ok() && options.sync) status = wal_->sync();
  if (!status.ok()) {
    failure_ = status;
    return status;
  }
  memtable_->insert(kind, key, value);
  return {};
}

Status DbImpl::get(std::string_view key, std::string* value) {
  ReadLock lock(mutex_);
  std::optional<Entry> found = memtable_->find(key);
  for (auto run = runs_.rbegin(); run != runs_.rend() && !found; ++run) {
    const Status status = (*run)->find(key, &found);
    if (!status.ok()) return status;
  }
  if (!found || found->kind == Kind::tombstone) return Status::not_found();
  *value = found->value;
  return {};
}

Status DbImpl::flush() {
  WriteLock lock(mutex_);
  if (failure_.ok()) failure_ = flush_memtable(lock);
  return failure_;
}

Status DbImpl::make_room(WriteLock& lock) {
  if (memtable_->bytes() < options_.memtable_bytes) return {};
  return flush_memtable(lock);
}

}  // namespace walkv
