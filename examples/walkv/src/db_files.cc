/// The engine's files: recovery, flushes, merges.

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "db.h"
#include "manifest.h"
#include "merge.h"

namespace walkv {
namespace {

/// "000007.log" -> 7, ".log"; false for other names.
bool parse_file_name(const std::string& name, uint64_t* number, std::string* suffix) {
  char* end = nullptr;
  *number = std::strtoull(name.c_str(), &end, 10);
  *suffix = end;
  return end != name.c_str() && (*suffix == ".log" || *suffix == ".run");
}

}  // namespace

Status Db::recover() {
  std::unique_lock<Mutex> lock(mutex_);
  Status status = options_.env->create_directory(directory_);
  if (!status.ok()) return status;
  Manifest manifest;
  status = load_manifest(*options_.env, directory_, &manifest);
  if (!status.ok() && !status.is_not_found()) return status;

  std::vector<std::string> names;
  status = options_.env->list_directory(directory_, &names);
  if (!status.ok()) return status;
  std::vector<uint64_t> logs;
  for (const std::string& name : names) {
    uint64_t number = 0;
    std::string suffix;
    if (!parse_file_name(name, &number, &suffix)) continue;
    next_number_ = std::max(next_number_, number + 1);
    if (suffix == ".log" && number >= manifest.first_log) logs.push_back(number);
  }
  std::sort(logs.begin(), logs.end());

  for (const uint64_t number : manifest.runs) {
    std::shared_ptr<SortedRun> run;
    status = SortedRun::open(*options_.env, path_of(number, ".run"), number, &run);
    if (!status.ok()) return status;
    runs_.push_back(std::move(run));
  }
  for (const uint64_t number : logs) {
    status = replay_wal(*options_.env, path_of(number, ".log"), memtable_.get());
    if (!status.ok()) return status;
  }
  return flush_memtable();
}

Status Db::flush_memtable() {
  Status status;
  if (!memtable_->empty()) {
    std::shared_ptr<SortedRun> run;
    status = write_run(*memtable_, &run);
    if (!status.ok()) return status;
    runs_.push_back(std::move(run));
  }
  status = start_log();
  if (status.ok()) status = merge_if_many();
  if (status.ok()) status = save_runs();
  if (!status.ok()) return status;
  memtable_ = std::make_unique<Memtable>();
  remove_obsolete_files();
  return {};
}

Status Db::start_log() {
  const uint64_t number = next_number_++;
  std::unique_ptr<WritableFile> file;
  const Status status = options_.env->new_writable_file(path_of(number, ".log"), &file);
  if (!status.ok()) return status;
  wal_ = std::make_unique<WalWriter>(std::move(file));
  first_log_ = number;
  return {};
}

Status Db::write_run(const Memtable& memtable, std::shared_ptr<SortedRun>* run) {
  const uint64_t number = next_number_++;
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

Status Db::merge_if_many() {
  if (runs_.size() <= options_.max_runs) return {};
  const uint64_t number = next_number_++;
  const std::string path = path_of(number, ".run");
  std::unique_ptr<WritableFile> file;
  Status status = options_.env->new_writable_file(path, &file);
  if (!status.ok()) return status;
  RunBuilder builder(std::move(file));
  status = merge_runs(runs_, &builder);
  if (status.ok()) status = builder.finish();
  std::shared_ptr<SortedRun> merged;
  if (status.ok()) status = SortedRun::open(*options_.env, path, number, &merged);
  if (!status.ok()) return status;
  runs_ = {std::move(merged)};
  return {};
}

Status Db::save_runs() {
  Manifest manifest;
  manifest.first_log = first_log_;
  for (const auto& run : runs_) manifest.runs.push_back(run->number());
  return save_manifest(*options_.env, directory_, manifest);
}

void Db::remove_obsolete_files() {
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

std::string Db::path_of(uint64_t number, const char* suffix) const {
  char name[48];
  std::snprintf(name, sizeof name, "/%06llu%s", static_cast<unsigned long long>(number), suffix);
  return directory_ + name;
}

}  // namespace walkv
