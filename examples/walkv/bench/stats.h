/// What one thread of a benchmark measured, and db_bench's line about all of them.

#pragma once

#include <cstdint>
#include <string>

#include "histogram.h"

namespace walkv {

double now_micros();

class Stats {
 public:
  /// `show_progress`: on stderr, as db_bench does.
  explicit Stats(bool show_progress) : show_progress_(show_progress) {}

  void start();
  void finish_operation(int64_t bytes);
  void stop();
  void merge(const Stats& other);
  /// `message` goes behind the rate; `operation` ("write", "read") names the histogram.
  void report(const std::string& name, const std::string& message, const char* operation, bool with_histogram) const;

 private:
  void print_progress();

  bool show_progress_;
  double start_micros_ = 0;
  double last_operation_micros_ = 0;
  double finish_micros_ = 0;
  double busy_seconds_ = 0;  ///< Of all threads.
  int64_t done_ = 0;
  int64_t next_progress_ = 100;
  int64_t bytes_ = 0;
  Histogram histogram_;
};

}  // namespace walkv
