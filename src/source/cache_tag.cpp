/// Reads and writes CACHEDIR.TAG, and knows a run's folder.

#include "source/cache_tag.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <system_error>

#include <fmt/format.h>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "core/run_format.hpp"

namespace aiopt {

namespace fs = std::filesystem;

Result<void> write_cache_tag(const fs::path& folder) {
  const FileDescriptor out(
      ::open((folder / kCacheTagName).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  const std::string text =
      fmt::format("{}\n# A workspace of aiopt: a copy of a source, made again when needed.\n", kCacheTagSignature);
  if (out.is_open() && ::write(out.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return {};
  return Error{Error::Code::io, fmt::format("cannot write into the workspace {}: {}", folder.string(),
                                            std::generic_category().message(errno))};
}

bool has_cache_tag(const fs::path& folder) {
  const auto tag = read_file(folder / kCacheTagName, 4096);
  return tag && tag->starts_with(kCacheTagSignature);
}

bool is_left_out(const fs::path& folder) {
  if (has_cache_tag(folder)) return true;
  // Of a SQLite file the bytes 68 to 71 are its application's id (sqlite.org/fileformat2.html, 1.3.14).
  constexpr std::size_t kIdAt = 68;
  std::error_code failure;
  if (!fs::is_regular_file(fs::symlink_status(folder / "run.db", failure))) return false;
  std::array<char, kIdAt + 4> head{};
  std::ifstream(folder / "run.db", std::ios::binary).read(head.data(), head.size());
  std::uint32_t id = 0;
  for (std::size_t i = kIdAt; i < head.size(); ++i) id = id << 8 | static_cast<unsigned char>(head[i]);
  return id == kRunApplicationId;
}

}  // namespace aiopt
