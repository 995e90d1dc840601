/// Opening what was left, by a close or by a crash.

#include <algorithm>

#include "db_impl.h"
#include "file_names.h"
#include "manifest.h"

namespace walkv {

Status DbImpl::recover() {
  WriteLock lock(mutex_);
  Status status = options_.env->create_directory(directory_);
  if (!status.ok()) return status;
  Manifest manifest;
  status = load_manifest(*options_.env, directory_, &manifest);
  if (!status.ok() && !status.is_not_found()) return status;
  // A new database: its directory must not be gone after a power cut with all that is in it.
  if (status.is_not_found()) status = options_.env->sync_directory(directory_ + "/..");
  if (!status.ok()) return status;

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
  return flush_memtable(lock);
}

}  // namespace walkv
