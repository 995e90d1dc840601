/// A histogram with RocksDB's buckets, so that its numbers compare with db_bench's.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace walkv {

class Histogram {
 public:
  Histogram();
  void add(uint64_t micros);
  void merge(const Histogram& other);
  /// db_bench's text, from "Count:" to the last bucket.
  std::string to_string() const;

 private:
  double percentile(double p) const;

  std::vector<uint64_t> counts_;  ///< By bucket, see bucket_limits().
  uint64_t count_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
  double sum_ = 0;
  double sum_of_squares_ = 0;
};

}  // namespace walkv
