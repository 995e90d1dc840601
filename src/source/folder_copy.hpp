/// Copies a folder in which something was built, so that a build in the copy goes on from there.

#pragma once

#include <string>
#include <string_view>

#include <aiopt/result.hpp>

namespace aiopt {

/// Copies everything below the open folder `from` to the open folder `to` but `left_out` at the top: bytes (shared
/// where the file system can), permissions, time stamps to the nanosecond, links as they are. Of a file with several
/// names, each gets a copy; sockets, FIFOs and devices are left out. Errors: io, unavailable (too much lies there).
Result<void> copy_built_folder(int from, int to, const std::string& left_out);

/// The first file below the open folder that has `words` in it where a build or a program can read them; "" if none:
/// the whole of a file, but of ELF files (also in static libraries) only what is loaded into memory. Debug information
/// names the folder it was built in too, which does no harm. Errors: io, unavailable.
Result<std::string> find_file_with(int folder, std::string_view words);

}  // namespace aiopt
