/// What the kernel was asked to sync. fsync and fdatasync of the test program are replaced by functions that note the
/// file's size, so that a file layer which says "synced" without a system call is found out.

#pragma once

#include <string>

namespace walkv {

/// True if all that is in the file now was on stable storage at the last fsync or fdatasync of it, or if it is open
/// with O_DSYNC or O_SYNC.
bool kernel_synced(const std::string& path);

/// How often the file or directory was synced.
int kernel_sync_count(const std::string& path);

}  // namespace walkv
