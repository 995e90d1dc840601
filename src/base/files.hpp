/// Reading whole files, and writing them so that a reader sees the old or the new, never half.

#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include <aiopt/result.hpp>

namespace aiopt {

inline constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

/// The file's bytes. Errors: not_found, io, invalid_argument (larger than the limit, or no regular file).
Result<std::string> read_file(const std::filesystem::path& file, std::size_t limit_bytes = kNoLimit);

/// The same of a file that a stranger may have made in a folder of ours: a symbolic link, which could lead anywhere, is
/// an error (io).
Result<std::string> read_file_of_stranger(const std::filesystem::path& file, std::size_t limit_bytes);

/// Writes to a temporary file beside it, fsyncs, and renames it into place; the folder is made.
Result<void> write_file_atomic(const std::filesystem::path& file, std::string_view bytes);

/// The file that execvp(3) would run: `name` itself, where that has a '/'. Empty: there is none.
std::string find_program(const std::string& name);

/// A folder of its own below the system's temporary folder ($TMPDIR), removed with all it holds at the end.
class TemporaryFolder {
 public:
  /// @throws std::filesystem::filesystem_error
  explicit TemporaryFolder(std::string_view prefix = "aiopt-");
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace aiopt
