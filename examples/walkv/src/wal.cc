/// Writing and replaying the log.

#include "wal.h"

#include "coding.h"
#include "crc.h"

namespace walkv {
namespace {

constexpr size_t kHeaderBytes = 12;
constexpr size_t kPayloadHeaderBytes = 5;

bool only_zeros(std::string_view data) {
  return data.find_first_not_of('\0') == std::string_view::npos;
}

bool insert_payload(std::string_view payload, Memtable* memtable) {
  if (payload.size() < kPayloadHeaderBytes) return false;
  const auto kind = static_cast<Kind>(payload[0]);
  if (kind != Kind::value && kind != Kind::tombstone) return false;
  payload.remove_prefix(1);
  uint32_t key_size = 0;
  std::string_view key;
  if (!take_fixed32(&payload, &key_size) || !take_bytes(&payload, key_size, &key)) return false;
  memtable->insert(kind, key, payload);
  return true;
}

}  // namespace

std::string encode_wal_record(Kind kind, std::string_view key, std::string_view value) {
  std::string payload;
  payload.push_back(static_cast<char>(kind));
  put_fixed32(&payload, static_cast<uint32_t>(key.size()));
  payload += key;
  payload += value;

  std::string record;
  put_fixed32(&record, static_cast<uint32_t>(payload.size()));
  put_fixed32(&record, crc32c(record));
  put_fixed32(&record, crc32c(payload));
  record += payload;
  return record;
}

Status replay_wal(Env& env, const std::string& path, Memtable* memtable) {
  std::string log;
  const Status status = read_whole_file(env, path, &log);
  if (!status.ok()) return status;

  std::string_view rest = log;
  while (rest.size() >= kHeaderBytes) {
    const std::string offset = std::to_string(log.size() - rest.size());
    const uint32_t size = get_fixed32(rest.data());
    if (crc32c(rest.substr(0, 4)) != get_fixed32(rest.data() + 4)) {
      // A file system may extend a file before its data is there: zeros are a torn tail as well.
      if (only_zeros(rest.substr(kHeaderBytes))) break;
      return Status::corruption(path + ": bad record header at " + offset);
    }
    if (rest.size() - kHeaderBytes < size) break;
    const std::string_view payload = rest.substr(kHeaderBytes, size);
    const std::string_view behind = rest.substr(kHeaderBytes + size);
    if (crc32c(payload) != get_fixed32(rest.data() + 8)) {
      if (only_zeros(behind)) break;
      return Status::corruption(path + ": bad record at " + offset);
    }
    if (!insert_payload(payload, memtable)) return Status::corruption(path + ": malformed record at " + offset);
    rest = behind;
  }
  return {};
}

}  // namespace walkv
