/// The engine's files: flushes, merges and what they leave to remove.

#include <algorithm>
#include <cstdio>

#include "db_impl.h"
#include "file_names.h"
#include "manifest.h"
#include "merge.h"

namespace walkv {

Status DbImpl::flush_memtable(WriteLock& /*lock*/) {
  std::vector<std::shared_ptr<SortedRun>> runs = runs_;
  Status status;
  if (!memtable_->empty()) {
    runs.emplace_back();
    status = write_run(*memtable_, next_number_++, &runs.back());
  }
  if (status.ok() && runs.size() > options_.max_runs) status = merge_into_one(&runs, next_number_++);
  const uint64_t log = next_number_++;
  std::unique_ptr<WalWriter> wal;
  if (status.ok()) status = start_log(log, &wal);
  if (status.ok()) status = save_state(log, runs);
  if (!status.ok()) return status;

  runs_ = std::move(runs);
  wal_ = std::move(wal);
  first_log_ = log;
  memtable_ = std::make_unique<Memtable>();
  remove_obsolete_files();
  return {};
}

Status DbImpl::start_log(uint64_t number, std::unique_ptr<WalWriter>* wal) const {
  std::unique_ptr<WritableFile> file;
  const Status status = options_.env->new_writable_file(path_of(number, ".log"), &file);
  if (status.ok()) *wal = std::make_unique<WalWriter>(std::move(file));
  return status;
}

Status DbImpl::write_run(const Memtable& memtable, uint64_t number, std::shared_ptr<SortedRun>* run) const {
  const std::string path = path_of(number, ".run");
  std::unique_ptr<WritableFile> file;
  Status status = options_.env->new_writable_file(path, &file);
  if (!status.ok()) return status;
  RunBuilder builder(std::move(file));
  for (Memtable::Cursor cursor(memtable); cursor.valid() && status.ok(); cursor.next()) {
    status = builder.add(cursor.kind(), cursor.key(), cursor.value());
  }
  if (status.ok()) status = builder.finish();
  return status.ok() ? SortedRun::open(*options_.env, path, number, run) : status;
}

Status DbImpl::merge_into_one(std::vector<std::shared_ptr<SortedRun>>* runs, uint64_t number) const {
  const std::string path = path_of(number, ".run");
  std::unique_ptr<WritableFile> file;
  Status status = options_.env->new_writable_file(path, &file);
  if (!status.ok()) return status;
  RunBuilder builder(std::move(file));
  status = merge_runs(*runs, &builder);
  if (status.ok()) status = builder.finish();
  std::shared_ptr<SortedRun> merged;
  if (status.ok()) status = SortedRun::open(*options_.env, path, number, &merged);
  if (status.ok()) *runs = {std::move(merged)};
  return status;
}

Status DbImpl::save_state(uint64_t first_log, const std::vector<std::shared_ptr<SortedRun>>& runs) const {
  Manifest manifest;
  manifest.first_log = first_log;
  for (const auto& run : runs) manifest.runs.push_back(run->number());
  return save_manifest(*options_.env, directory_, manifest);
}

void DbImpl::remove_obsolete_files() {
  std::vector<std::string> names;
  if (!options_.env->list_directory(directory_, &names).ok()) return;
  for (const std::string& name : names) {
    uint64_t number = 0;
    std::string suffix;
    if (!parse_file_name(name, &number, &suffix)) continue;
    const bool live = suffix == ".log" ? number >= first_log_
                                       : std::any_of(runs_.begin(), runs_.end(),
                                                     [number](const auto& run) { return run->number() == number; });
    if (!live) options_.env->remove_file(directory_ + "/" + name);
  }
}

std::string DbImpl::path_of(uint64_t number, const char* suffix) const {
  char name[48];
  std::snprintf(name, sizeof name, "/%06llu%s", static_cast<unsigned long long>(number), suffix);
  return directory_ + name;
}

}  // namespace walkv
