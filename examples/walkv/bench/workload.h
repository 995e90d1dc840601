/// What a benchmark does, operation by operation: all of it follows from the flags, so that a later process can tell
/// what an earlier one must have left.

#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flags.h"

namespace walkv {

struct Workload {
  enum class Action { write, erase, read, mixed };

  const char* name;
  Action action;
  bool sequential = false;
  bool fresh = false;    ///< Begins with an empty database.
  bool sync = false;     ///< Even without --sync.
  bool missing = false;  ///< Asks for keys that are not there.
  bool background_writer = false;
};

/// Prints that there is none of that name on stderr and exits with 1.
const Workload& find_workload(const std::string& name);

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {  // splitmix64 (G. L. Steele and others, 2014).
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

/// Values are windows into a pool of random bytes.
class ValuePool {
 public:
  explicit ValuePool(uint64_t seed) {
    Random random(seed);
    for (size_t i = 0; i < kBytes; ++i) pool_.push_back(static_cast<char>(random.next()));
  }

  std::string_view value(Random* random, int size) const {
    return std::string_view(pool_).substr(random->next() % (kBytes - static_cast<size_t>(size)),
                                          static_cast<size_t>(size));
  }

 private:
  static constexpr size_t kBytes = 2 << 20;
  std::string pool_;
};

struct Operation {
  Workload::Action action;  ///< Not mixed.
  uint64_t number;          ///< Of the key.
  std::string_view value;   ///< Of a write; lives as long as the pool.
};

/// The operations of one thread, in their order.
class Operations {
 public:
  /// `thread` counts from 0; -1 is the background writer. The arguments must outlive this.
  Operations(const Flags& flags, const Workload& workload, const ValuePool& values, int thread);

  /// How many there are, unless --duration says otherwise.
  int64_t count() const;
  Operation next();

 private:
  const Flags& flags_;
  const Workload& workload_;
  const ValuePool& values_;
  Random random_;
  uint64_t done_ = 0;
};

/// As db_bench: the number big-endian in 8 bytes, then '0' up to the key's size.
std::string make_key(uint64_t number, int key_size);

}  // namespace walkv
