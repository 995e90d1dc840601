/// Loading and saving the manifest.

#include "manifest.h"

#include "coding.h"
#include "crc.h"

namespace walkv {
namespace {

constexpr uint64_t kMagic = 0x66696e616d766b77;  // "wkvmanif"

}  // namespace

Status load_manifest(Env& env, const std::string& directory, Manifest* manifest) {
  const std::string path = directory + "/MANIFEST";
  std::string contents;
  const Status status = read_whole_file(env, path, &contents);
  if (!status.ok()) return status;

  std::string_view rest = contents;
  uint64_t magic = 0;
  uint32_t crc = 0;
  if (!take_fixed64(&rest, &magic) || magic != kMagic) return Status::corruption(path + ": not a manifest of walkv");
  if (!take_fixed32(&rest, &crc) || crc32c(rest) != crc || !take_fixed64(&rest, &manifest->first_log)) {
    return Status::corruption(path + ": bad checksum");
  }
  uint64_t run = 0;
  manifest->runs.clear();
  while (take_fixed64(&rest, &run)) manifest->runs.push_back(run);
  return {};
}

Status save_manifest(Env& env, const std::string& directory, const Manifest& manifest) {
  std::string body;
  put_fixed64(&body, manifest.first_log);
  for (const uint64_t run : manifest.runs) put_fixed64(&body, run);
  std::string contents;
  put_fixed64(&contents, kMagic);
  put_fixed32(&contents, crc32c(body));
  contents += body;

  const std::string path = directory + "/MANIFEST";
  std::unique_ptr<WritableFile> file;
  Status status = env.new_writable_file(path + ".tmp", &file);
  if (status.ok()) status = file->append(contents);
  if (status.ok()) status = file->sync();
  // The rename must not reach the disk before the names it talks of do.
  if (status.ok()) status = env.sync_directory(directory);
  if (status.ok()) status = env.rename_file(path + ".tmp", path);
  if (status.ok()) status = env.sync_directory(directory);
  return status;
}

}  // namespace walkv
