/// Is the database what the benchmarks must have left?

#pragma once

#include "flags.h"

namespace walkv {

/// Looks at copies of --db, which stays as it is. With the flags that the benchmarks were run with:
/// - every key that they wrote last has a value that they gave it, the last one of one of the threads;
/// - no other key is there, of a sample, unless they began with --use_existing_db;
/// - where a byte of a file is damaged, no wrong value is served for it.
/// Prints the first difference on stderr and exits with 1.
void verify(const Flags& flags);

}  // namespace walkv
