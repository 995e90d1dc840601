/// Counting and reporting as in RocksDB's tools/db_bench_tool.cc.

#include "stats.h"

#include <time.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>

namespace walkv {

double now_micros() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

void Stats::start() {
  start_micros_ = now_micros();
  last_operation_micros_ = start_micros_;
}

void Stats::finish_operation(int64_t bytes) {
  const double now = now_micros();
  histogram_.add(static_cast<uint64_t>(now - last_operation_micros_));
  last_operation_micros_ = now;
  ++done_;
  bytes_ += bytes;
  if (show_progress_ && done_ >= next_progress_) print_progress();
}

void Stats::print_progress() {
  const int64_t steps[] = {1000, 5000, 10000, 50000, 100000, 500000};
  const int64_t* step = std::find_if(steps, steps + 5, [this](int64_t limit) { return next_progress_ < limit; });
  next_progress_ += *step / (step == steps + 5 ? 1 : 10);
  std::fprintf(stderr, "... finished %" PRId64 " ops%30s\r", done_, "");
}

void Stats::stop() {
  finish_micros_ = now_micros();
  busy_seconds_ = (finish_micros_ - start_micros_) * 1e-6;
}

void Stats::merge(const Stats& other) {
  start_micros_ = done_ == 0 ? other.start_micros_ : std::min(start_micros_, other.start_micros_);
  finish_micros_ = std::max(finish_micros_, other.finish_micros_);
  busy_seconds_ += other.busy_seconds_;
  done_ += other.done_;
  bytes_ += other.bytes_;
  histogram_.merge(other.histogram_);
}

void Stats::report(const std::string& name, const std::string& message, const char* operation,
                   bool with_histogram) const {
  const auto done = static_cast<double>(std::max<int64_t>(done_, 1));
  const double elapsed = std::max((finish_micros_ - start_micros_) * 1e-6, 1e-9);
  std::string extra;
  if (bytes_ > 0) {
    char rate[64];
    std::snprintf(rate, sizeof rate, " %6.1f MB/s", static_cast<double>(bytes_) / 1048576.0 / elapsed);
    extra = rate;
  }
  if (!message.empty()) extra += " " + message;
  std::printf("%-12s : %11.3f micros/op %" PRId64 " ops/sec %.3f seconds %" PRId64 " operations;%s\n", name.c_str(),
              busy_seconds_ * 1e6 / done, static_cast<int64_t>(done / elapsed), elapsed, done_, extra.c_str());
  if (with_histogram) std::printf("Microseconds per %s:\n%s\n", operation, histogram_.to_string().c_str());
  std::fflush(stdout);
}

}  // namespace walkv
