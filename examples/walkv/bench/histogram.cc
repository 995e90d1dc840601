/// Buckets, percentiles and text as in RocksDB's monitoring/histogram.cc.

#include "histogram.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>

namespace walkv {
namespace {

/// Upper limits: each 1.5 times the one before, cut to two significant digits.
const std::vector<uint64_t>& bucket_limits() {
  static const std::vector<uint64_t> limits = [] {
    std::vector<uint64_t> made{1, 2};
    for (double limit = 3; limit < 0x1p64; limit *= 1.5) {
      auto rounded = static_cast<uint64_t>(limit);
      uint64_t power_of_ten = 1;
      while (rounded / 10 > 10) {
        rounded /= 10;
        power_of_ten *= 10;
      }
      made.push_back(rounded * power_of_ten);
    }
    return made;
  }();
  return limits;
}

template <typename... Arguments>
void append_format(std::string* out, const char* format, Arguments... arguments) {
  char line[256];
  std::snprintf(line, sizeof line, format, arguments...);
  *out += line;
}

}  // namespace

Histogram::Histogram() : counts_(bucket_limits().size()) {}

void Histogram::add(uint64_t micros) {
  const auto& limits = bucket_limits();
  const auto bucket = std::lower_bound(limits.begin(), limits.end() - 1, micros);
  ++counts_[static_cast<size_t>(bucket - limits.begin())];
  ++count_;
  min_ = std::min(min_, micros);
  max_ = std::max(max_, micros);
  const auto value = static_cast<double>(micros);
  sum_ += value;
  sum_of_squares_ += value * value;
}

void Histogram::merge(const Histogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
  sum_of_squares_ += other.sum_of_squares_;
}

double Histogram::percentile(double p) const {
  const double threshold = static_cast<double>(count_) * (p / 100);
  double below = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    const auto here = static_cast<double>(counts_[i]);
    if (below + here >= threshold) {
      const double left = i == 0 ? 0 : static_cast<double>(bucket_limits()[i - 1]);
      const double right = static_cast<double>(bucket_limits()[i]);
      const double position = here > 0 ? (threshold - below) / here : 0;
      return std::clamp(left + (right - left) * position, static_cast<double>(min_), static_cast<double>(max_));
    }
    below += here;
  }
  return static_cast<double>(max_);
}

std::string Histogram::to_string() const {
  if (count_ == 0) return "Count: 0 Average: 0.0000  StdDev: 0.00\n";
  const auto n = static_cast<double>(count_);
  const double variance = std::max(0.0, (sum_of_squares_ * n - sum_ * sum_) / (n * n));
  std::string text;
  append_format(&text, "Count: %" PRIu64 " Average: %.4f  StdDev: %.2f\n", count_, sum_ / n, std::sqrt(variance));
  append_format(&text, "Min: %" PRIu64 "  Median: %.4f  Max: %" PRIu64 "\n", min_, percentile(50), max_);
  append_format(&text, "Percentiles: P50: %.2f P75: %.2f P99: %.2f P99.9: %.2f P99.99: %.2f\n", percentile(50),
                percentile(75), percentile(99), percentile(99.9), percentile(99.99));
  text += "------------------------------------------------------\n";
  uint64_t so_far = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    so_far += counts_[i];
    const double percent = 100.0 / n * static_cast<double>(counts_[i]);
    append_format(&text, "%c %7" PRIu64 ", %7" PRIu64 " ] %8" PRIu64 " %7.3f%% %7.3f%% ", i == 0 ? '[' : '(',
                  i == 0 ? 0 : bucket_limits()[i - 1], bucket_limits()[i], counts_[i], percent,
                  100.0 / n * static_cast<double>(so_far));
    text.append(static_cast<size_t>(percent / 5 + 0.5), '#');
    text += '\n';
  }
  return text;
}

}  // namespace walkv
