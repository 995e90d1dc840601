/// The disk in memory.

#include "memory_env.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace walkv {

struct MemoryFile {
  std::string data;
  size_t synced_bytes = 0;
};

class MemoryWritableFile final : public WritableFile {
 public:
  MemoryWritableFile(MemoryEnv* env, std::shared_ptr<MemoryFile> file) : env_(env), file_(std::move(file)) {}

  Status append(std::string_view data) override {
    const std::lock_guard<std::mutex> lock(env_->mutex_);
    file_->data += data;
    return {};
  }

  Status sync() override {
    env_->before_change_();
    size_t bytes = 0;
    {
      const std::lock_guard<std::mutex> lock(env_->mutex_);
      bytes = file_->data.size();
    }
    const Status status = env_->before_sync();
    if (!status.ok()) return status;
    const std::lock_guard<std::mutex> lock(env_->mutex_);
    file_->synced_bytes = std::max(file_->synced_bytes, bytes);
    return {};
  }

 private:
  MemoryEnv* const env_;
  const std::shared_ptr<MemoryFile> file_;
};

namespace {

class MemoryReadableFile final : public ReadableFile {
 public:
  explicit MemoryReadableFile(std::string data) : data_(std::move(data)) {}

  Status read(uint64_t offset, size_t size, std::string* out) const override {
    if (offset > data_.size() || data_.size() - offset < size) return Status::corruption("read beyond the end");
    *out = data_.substr(offset, size);
    return {};
  }

  uint64_t size() const override { return data_.size(); }

 private:
  const std::string data_;
};

}  // namespace

std::unique_ptr<MemoryEnv> MemoryEnv::after_power_cut(uint32_t random, bool lose_all) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto disk = std::make_unique<MemoryEnv>();
  for (const auto& [path, file] : history_[lose_all ? 0 : random % history_.size()]) {
    const size_t unsynced = file->data.size() - file->synced_bytes;
    random = random * 1664525 + 1013904223;
    const size_t left = file->synced_bytes + (lose_all ? 0 : (random >> 8) % (unsynced + 1));
    disk->history_.back()[path] = std::make_shared<MemoryFile>(MemoryFile{file->data.substr(0, left), left});
  }
  return disk;
}

std::unique_ptr<MemoryEnv> MemoryEnv::copy() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto disk = std::make_unique<MemoryEnv>();
  for (const auto& [path, file] : names()) disk->history_.back()[path] = std::make_shared<MemoryFile>(*file);
  return disk;
}

std::vector<std::string> MemoryEnv::paths() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> paths;
  for (const auto& [path, file] : names()) paths.push_back(path);
  return paths;
}

std::string MemoryEnv::contents(const std::string& path) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return names().at(path)->data;
}

void MemoryEnv::set_contents(const std::string& path, std::string contents) {
  const std::lock_guard<std::mutex> lock(mutex_);
  names().at(path)->data = std::move(contents);
}

void MemoryEnv::hold_syncs(bool hold) {
  syncs_held_ = hold;
  syncs_held_.notify_all();
}

Status MemoryEnv::before_sync() {
  syncs_held_.wait(true);
  if (const int delay = sync_microseconds_; delay > 0) std::this_thread::sleep_for(std::chrono::microseconds(delay));
  return syncs_fail_ ? Status::io_error("sync failed on purpose") : Status();
}

Status MemoryEnv::create_directory(const std::string& /*path*/) {
  return {};
}

Status MemoryEnv::list_directory(const std::string& path, std::vector<std::string>* names) {
  names->clear();
  for (const std::string& file : paths()) {
    if (file.starts_with(path + "/")) names->push_back(file.substr(path.size() + 1));
  }
  return {};
}

Status MemoryEnv::sync_directory(const std::string& path) {
  before_change_();
  size_t changes = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    // Another directory, the parent say, has nothing to do with names in this one.
    const bool is_theirs = !names().empty() && names().begin()->first.starts_with(path + "/");
    if (is_theirs) changes = history_.size() - 1;
  }
  const Status status = before_sync();
  if (!status.ok()) return status;
  const std::lock_guard<std::mutex> lock(mutex_);
  history_.erase(history_.begin(), history_.begin() + static_cast<ptrdiff_t>(std::min(changes, history_.size() - 1)));
  return {};
}

Status MemoryEnv::new_writable_file(const std::string& path, std::unique_ptr<WritableFile>* file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Names changed = names();
  const auto created = std::make_shared<MemoryFile>();
  changed[path] = created;
  history_.push_back(std::move(changed));
  *file = std::make_unique<MemoryWritableFile>(this, created);
  return {};
}

Status MemoryEnv::open_file(const std::string& path, std::unique_ptr<ReadableFile>* file) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = names().find(path);
  if (found == names().end()) return Status::not_found();
  *file = std::make_unique<MemoryReadableFile>(found->second->data);
  return {};
}

Status MemoryEnv::rename_file(const std::string& from, const std::string& to) {
  before_change_();
  const std::lock_guard<std::mutex> lock(mutex_);
  Names changed = names();
  const auto found = changed.find(from);
  if (found == changed.end()) return Status::not_found();
  changed[to] = found->second;
  changed.erase(from);
  history_.push_back(std::move(changed));
  return {};
}

Status MemoryEnv::remove_file(const std::string& path) {
  before_change_();
  const std::lock_guard<std::mutex> lock(mutex_);
  Names changed = names();
  if (changed.erase(path) == 0) return Status::not_found();
  history_.push_back(std::move(changed));
  return {};
}

}  // namespace walkv
