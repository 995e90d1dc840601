/// Writing and reading sorted runs.

#include "sorted_run.h"

#include <algorithm>

#include "coding.h"
#include "crc.h"

namespace walkv {
namespace {

constexpr size_t kBlockBytes = 4096;  // A block is closed when it has reached this.
constexpr size_t kFooterBytes = 24;
constexpr uint64_t kMagic = 0x6e75722e766b6c77;

bool take_entry(std::string_view* block, Kind* kind, std::string_view* key, std::string_view* value) {
  std::string_view kind_byte;
  uint32_t key_size = 0;
  uint32_t value_size = 0;
  if (!take_bytes(block, 1, &kind_byte) || !take_fixed32(block, &key_size) || !take_fixed32(block, &value_size) ||
      !take_bytes(block, key_size, key) || !take_bytes(block, value_size, value)) {
    return false;
  }
  *kind = static_cast<Kind>(kind_byte[0]);
  return true;
}

}  // namespace

Status RunBuilder::add(Kind kind, std::string_view key, std::string_view value) {
  block_.push_back(static_cast<char>(kind));
  put_fixed32(&block_, static_cast<uint32_t>(key.size()));
  put_fixed32(&block_, static_cast<uint32_t>(value.size()));
  block_ += key;
  block_ += value;
  last_key_ = key;
  return block_.size() < kBlockBytes ? Status() : finish_block();
}

Status RunBuilder::finish_block() {
  put_fixed32(&block_, crc32c(block_));
  put_fixed32(&index_, static_cast<uint32_t>(last_key_.size()));
  index_ += last_key_;
  put_fixed64(&index_, offset_);
  put_fixed32(&index_, static_cast<uint32_t>(block_.size()));
  offset_ += block_.size();
  const Status status = file_->append(block_);
  block_.clear();
  return status;
}

Status RunBuilder::finish() {
  if (!block_.empty()) {
    const Status status = finish_block();
    if (!status.ok()) return status;
  }
  std::string tail = index_;
  put_fixed64(&tail, offset_);
  put_fixed32(&tail, static_cast<uint32_t>(index_.size()));
  put_fixed32(&tail, crc32c(index_));
  put_fixed64(&tail, kMagic);
  const Status status = file_->append(tail);
  return status.ok() ? file_->sync() : status;
}

Status SortedRun::open(Env& env, const std::string& path, uint64_t number, std::shared_ptr<SortedRun>* run) {
  std::unique_ptr<ReadableFile> file;
  Status status = env.open_file(path, &file);
  if (status.is_not_found()) return Status::corruption(path + " is missing");
  if (!status.ok()) return status;
  std::shared_ptr<SortedRun> opened(new SortedRun(std::move(file), path, number));
  status = opened->read_index();
  if (status.ok()) *run = std::move(opened);
  return status;
}

Status SortedRun::read_index() {
  const Status bad = Status::corruption(path_ + ": bad footer or index");
  if (file_->size() < kFooterBytes) return bad;
  std::string footer;
  Status status = file_->read(file_->size() - kFooterBytes, kFooterBytes, &footer);
  if (!status.ok()) return status;
  const uint64_t index_offset = get_fixed64(footer.data());
  const uint32_t index_size = get_fixed32(footer.data() + 8);
  if (get_fixed64(footer.data() + 16) != kMagic || index_offset > file_->size() ||
      file_->size() - index_offset != index_size + kFooterBytes) {
    return bad;
  }

  std::string index;
  status = file_->read(index_offset, index_size, &index);
  if (!status.ok()) return status;
  if (crc32c(index) != get_fixed32(footer.data() + 12)) return bad;
  std::string_view rest = index;
  while (!rest.empty()) {
    BlockHandle handle;
    uint32_t key_size = 0;
    std::string_view key;
    if (!take_fixed32(&rest, &key_size) || !take_bytes(&rest, key_size, &key) || !take_fixed64(&rest, &handle.offset) ||
        !take_fixed32(&rest, &handle.size) || handle.size < 4) {
      return bad;
    }
    handle.last_key = key;
    index_.push_back(std::move(handle));
  }
  return {};
}

Status SortedRun::read_block(const BlockHandle& handle, std::string* block) const {
  std::string raw;
  const Status status = file_->read(handle.offset, handle.size, &raw);
  if (!status.ok()) return status;
  const std::string contents = raw.substr(0, raw.size() - 4);
  if (crc32c(contents) != get_fixed32(raw.data() + contents.size())) {
    return Status::corruption(path_ + ": bad block at " + std::to_string(handle.offset));
  }
  *block = contents;
  return {};
}

Status SortedRun::find(std::string_view key, std::optional<Entry>* found) const {
  const auto handle = std::lower_bound(index_.begin(), index_.end(), key,
                                       [](const BlockHandle& h, std::string_view k) { return h.last_key < k; });
  if (handle == index_.end()) return {};
  std::string block;
  const Status status = read_block(*handle, &block);
  if (!status.ok()) return status;

  std::string_view rest = block;
  std::string_view entry_key;
  std::string_view value;
  Kind kind{};
  while (!rest.empty()) {
    if (!take_entry(&rest, &kind, &entry_key, &value)) return Status::corruption(path_ + ": malformed block");
    if (entry_key == key) {
      *found = Entry{kind, std::string(value)};
      break;
    }
  }
  return {};
}

void SortedRun::Cursor::next() {
  valid_ = false;
  while (rest_.empty()) {
    if (next_block_ == run_.index_.size()) return;
    status_ = run_.read_block(run_.index_[next_block_++], &block_);
    if (!status_.ok()) return;
    rest_ = block_;
  }
  valid_ = take_entry(&rest_, &kind_, &key_, &value_);
  if (!valid_) status_ = Status::corruption(run_.path_ + ": malformed block");
}

}  // namespace walkv
