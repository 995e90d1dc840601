/// The command line, spelled as db_bench's.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace walkv {

struct Flags {
  std::vector<std::string> benchmarks{"fillseq", "fillsync", "fillrandom", "overwrite", "readrandom"};
  int64_t num = 100000;  ///< Keys; also operations for each thread, unless what follows says otherwise.
  int64_t reads = -1;    ///< Reads for each thread; negative: as `num`.
  int64_t writes = -1;   ///< Writes for each thread; negative: as `num`.
  int threads = 1;
  int value_size = 100;
  int key_size = 16;
  bool histogram = false;
  bool sync = false;
  bool use_existing_db = false;
  double duration = 0;             ///< Seconds for each benchmark instead of a number of operations; 0: by number.
  uint64_t seed = 301;             ///< Of all keys and values: two runs with equal flags do the same operations.
  int64_t write_buffer_size = 0;   ///< Of the memtable; 0: the engine's choice.
  bool destroy_db_at_end = false;  ///< Ours: leave nothing behind.
  bool verify = false;             ///< Ours: run nothing, check what an earlier process has left; see verify.h.
  std::string db = "build/walkv_bench.db";
};

/// Prints what is wrong on stderr and exits with 1 if it cannot make sense of the arguments.
Flags parse_flags(int argc, char** argv);

}  // namespace walkv
