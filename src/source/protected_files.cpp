/// ProtectedFiles: see protected_files.hpp.

#include "source/protected_files.hpp"

#include <fcntl.h>

#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "base/file_descriptor.hpp"
#include "base/sha256.hpp"
#include "source/file_copy.hpp"
#include "source/source_listing.hpp"

namespace aiopt {

namespace fs = std::filesystem;

std::string ProtectedFiles::sha256() const {
  Sha256 digest;
  for (const auto& [path, file] : files) {
    if (S_ISDIR(file.mode)) continue;
    // NUL ends a path and a target: neither can hold one.
    digest.update(path);
    digest.update(std::string_view("\0", 1));
    digest.update(fmt::format("{:o} {} ", file.mode, file.sha256));
    digest.update(file.link_target);
    digest.update(std::string_view("\0", 1));
  }
  return digest.hex_digest();
}

Result<ProtectedFiles> read_protected(const fs::path& source, const SourceTree& baseline) {
  std::error_code failure;
  const fs::path from = fs::canonical(source, failure);
  if (failure || !fs::is_directory(from)) {
    return Error{Error::Code::not_found, fmt::format("cannot copy the source {}: {}", source.string(),
                                                     failure ? failure.message() : "no folder")};
  }
  auto listing = list_source(from, baseline);
  if (!listing) return listing.error();
  ProtectedFiles read;
  read.commit = std::move(listing->commit);
  for (SourceEntry& entry : listing->entries) {
    if (baseline.contains(entry.path)) continue;
    ProtectedFile file;
    file.mode = entry.mode;
    file.link_target = std::move(entry.link_target);
    if (S_ISREG(entry.mode)) {
      const fs::path path = from / entry.path;
      const FileDescriptor in(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
      if (!in.is_open() && errno == ENOENT) continue;
      if (in.is_open()) file.sha256 = sha256_of_file(in.get());
      if (file.sha256.empty()) {
        return Error{Error::Code::io,
                     fmt::format("cannot read {}: {}", path.string(), std::generic_category().message(errno))};
      }
    }
    read.files.emplace(std::move(entry.path), std::move(file));
  }
  return read;
}

}  // namespace aiopt
