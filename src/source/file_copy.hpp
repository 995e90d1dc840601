/// Copies and hashes open files.

#pragma once

#include <string>

namespace aiopt {

/// Copies all of the regular file `in` to the empty file `out`: shares the blocks where the file system can (FICLONE:
/// Btrfs, XFS), else lets the kernel copy, else copies. Holes stay holes. 0, or the errno.
int copy_bytes(int in, int out);

/// SHA-256 of the bytes from the descriptor's position on, in hex; "" with errno if reading failed.
std::string sha256_of_file(int in);

}  // namespace aiopt
