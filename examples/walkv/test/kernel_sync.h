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
/// How often anything was.
int kernel_sync_count();
/// True if the process has a regular file open whose writes are synchronous, by O_DSYNC or O_SYNC.
bool open_for_synchronous_writes();

/// While set, notes are taken but the disk is spared: hundreds of syncs take no time then.
void kernel_pretend_to_sync(bool pretend);

}  // namespace walkv
