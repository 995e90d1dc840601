/// Reads db_bench's output, RocksDB's and LevelDB's, by hand: std::regex recurses once a character.
///
/// RocksDB 7 (ops/sec is of all threads together, and a whole number):
///   fillrandom   :       5.919 micros/op 337187 ops/sec 0.297 seconds 100000 operations;   37.3 MB/s
///   Microseconds per write:
///   Count: 100000 Average: 5.9187  StdDev: 26.43
///   Min: 2  Median: 5.1800  Max: 3646
///   Percentiles: P50: 5.18 P75: 6.02 P99: 31.93 P99.9: 67.67 P99.99: 315.00
///   ------------------------------------------------------
///   (       1,       2 ]       24   0.030%   0.030%
/// and of benchmarks that ran several times, "fillrandom[X3]":
///   fillrandom [AVG 3 runs] : 167029 (± 32769) ops/sec;   18.5 (± 3.6) MB/sec
///   fillrandom [MEDIAN 3 runs] : 180386 ops/sec;   20.0 MB/sec
/// LevelDB 1.23 (micros/op is of one thread):
///   fillrandom   :      14.502 micros/op;   26.2 MB/s
///   Microseconds per op:
///   Count: 80000  Average: 14.4963  StdDev: 65.59
///   Min: 0.0000  Median: 2.6285  Max: 8228.0000
///   ------------------------------------------------------
///   [       0,       1 )     166   0.208%   0.208%
/// Percentiles have two decimals, and something follows whatever has none: so a number that was cut off at the end of
/// the output can be told from a whole one.
/// Both write "... finished 1000 ops      \r" to stderr, which may be the same file.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "measure/output_parsers.hpp"

namespace aiopt {

namespace {

constexpr std::size_t kMostWords = 24;
constexpr std::size_t kLongestName = 100;

struct Percentile {
  const char* name;
  double percent;
};
/// Those that RocksDB prints.
constexpr std::array<Percentile, 5> kPercentiles = {
    {{"P50", 50.0}, {"P75", 75.0}, {"P99", 99.0}, {"P99.9", 99.9}, {"P99.99", 99.99}}};

struct Bucket {
  double lower = 0.0;
  double upper = 0.0;
  double count = 0.0;
};

struct Histogram {
  std::string operation;                             ///< "read" of "Microseconds per read:"; empty if it was not said.
  std::map<std::string, double, std::less<>> named;  ///< "Count", "Min", "P99", ... as printed.
  std::vector<Bucket> buckets;
};

/// One benchmark's latest run.
struct BenchmarkSection {
  Metrics own;  ///< By what follows "fillrandom", the dot included: "", ".micros_per_op".
  std::vector<Histogram> histograms;
};

using Words = std::vector<std::string_view>;

Words words_of(std::string_view line) {
  constexpr std::string_view kSpace = " \t\v\f";
  Words words;
  for (std::size_t at = line.find_first_not_of(kSpace); at < line.size() && words.size() < kMostWords;) {
    const std::size_t end = std::min(line.find_first_of(kSpace, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kSpace, end);
  }
  return words;
}

std::string_view without_last(std::string_view word, char last) {
  if (!word.empty() && word.back() == last) word.remove_suffix(1);
  return word;
}

/// Whether digits may be missing at the end of the output's last word.
bool may_be_cut(std::string_view word) {
  constexpr std::string_view kDigits = "0123456789";
  const std::size_t decimals = word.size() - std::min(word.find('.'), word.size() - 1) - 1;
  return kDigits.find(word.back()) != std::string_view::npos ? decimals < 2 : word.back() == '.';
}

bool is_name(std::string_view word) {
  const auto printable = [](char c) { return c > ' ' && c < '\x7f'; };
  return !word.empty() && word.size() <= kLongestName && std::all_of(word.begin(), word.end(), printable);
}

/// Progress is meant to be overwritten, but some terminals' logs turn its '\r' into nothing.
std::string_view without_progress(std::string_view line) {
  constexpr std::string_view kProgress = "... finished ";
  constexpr std::string_view kEnd = " ops";
  for (;;) {
    const std::size_t start = line.find(kProgress);
    if (start == std::string_view::npos) return line;
    const std::size_t end = line.find(kEnd, start + kProgress.size());
    if (end == std::string_view::npos) return line;
    line.remove_prefix(end + kEnd.size());
  }
}

/// "5.919 micros/op 337187 ops/sec ...;" -> {"micros/op": 5.919, ...}, up to what stands in parentheses.
std::map<std::string_view, double> quantities(const Words& words, std::size_t first) {
  std::map<std::string_view, double> by_unit;
  for (std::size_t i = first; i + 1 < words.size() && words[i].front() != '('; ++i) {
    if (const auto number = number_from(words[i])) by_unit.emplace(without_last(words[i + 1], ';'), *number);
  }
  return by_unit;
}

std::optional<double> positive(const std::map<std::string_view, double>& by_unit, std::string_view unit) {
  const auto found = by_unit.find(unit);
  return found != by_unit.end() && found->second > 0 ? std::optional(found->second) : std::nullopt;
}

/// RocksDB cuts ops/sec to a whole number: 1 % of 82 fsyncs a second. Seconds and operations may say it better.
double sharpened(double ops_sec, const std::map<std::string_view, double>& by_unit) {
  const auto seconds = positive(by_unit, "seconds");
  const auto operations = positive(by_unit, "operations");
  if (!seconds || !operations) return ops_sec;
  const double exact = *operations / *seconds;
  const double error_of_exact = exact * 0.0005 / *seconds;  // Seconds have three decimals.
  return error_of_exact < 0.5 && std::abs(exact - ops_sec) <= 1.0 ? exact : ops_sec;
}

/// As both db_benches compute it: linear within the bucket, not beyond what was seen.
/// Nothing if the buckets end before it, because the output was cut off.
std::optional<double> percentile(const Histogram& histogram, double percent) {
  const auto count = histogram.named.find("Count");
  if (count == histogram.named.end() || !(count->second > 0)) return std::nullopt;
  const double threshold = count->second * (percent / 100.0);
  double below = 0.0;
  for (const Bucket& bucket : histogram.buckets) {
    if (below + bucket.count < threshold) {
      below += bucket.count;
      continue;
    }
    double value = bucket.lower + (bucket.upper - bucket.lower) * ((threshold - below) / bucket.count);
    const auto min = histogram.named.find("Min");
    const auto max = histogram.named.find("Max");
    if (min != histogram.named.end()) value = std::max(value, min->second);
    if (max != histogram.named.end()) value = std::min(value, max->second);
    return std::isfinite(value) ? std::optional(value) : std::nullopt;
  }
  return std::nullopt;
}

bool is_percentile(std::string_view name) {
  return name.size() > 1 && name.front() == 'P' && number_from(name.substr(1)).has_value();
}

Metrics latencies(const Histogram& histogram) {
  Metrics metrics;
  for (const auto& [name, value] : histogram.named) {
    if (is_percentile(name)) metrics["." + name] = value;
    if (name == "Average") metrics[".average"] = value;
    if (name == "Max") metrics[".max"] = value;
  }
  if (histogram.named.contains("P50")) return metrics;
  for (const Percentile& wanted : kPercentiles) {
    if (const auto value = percentile(histogram, wanted.percent)) metrics[std::string(".") + wanted.name] = *value;
  }
  return metrics;
}

class DbBenchReader {
 public:
  explicit DbBenchReader(int threads) : threads_(std::max(threads, 1)) {}

  /// @param ended  Whether the line's end is there too.
  void read_line(std::string_view line, bool ended) {
    // Where the middle of a long output was left out, what follows belongs to a benchmark that is not known.
    if (line.find(" bytes left out ...]") != std::string_view::npos) current_ = nullptr;
    Words words = words_of(without_progress(line));
    if (!ended && !words.empty() && may_be_cut(words.back())) words.pop_back();
    if (words.size() < 2) return;
    if (read_result(words) || current_ == nullptr) return;
    if (words[0] == "Microseconds" && words[1] == "per" && words.size() > 2) {
      current_->histograms.push_back({std::string(without_last(words[2], ':')), {}, {}});
    } else if (words[0] == "Count:" || words[0] == "Min:") {
      read_named(words, 0);
    } else if (words[0] == "Percentiles:") {
      read_named(words, 1);
    } else if (words[0] == "[" || words[0] == "(") {
      read_bucket(words);
    }
  }

  Metrics metrics() const {
    Metrics all;
    for (const auto& [benchmark, section] : sections_) {
      for (const auto& [suffix, value] : section.own) all[benchmark + suffix] = value;
      for (const Histogram& histogram : section.histograms) {
        for (const auto& [suffix, value] : latencies(histogram)) {
          const auto [metric, first] = all.try_emplace(benchmark + suffix, value);
          metric->second = std::max(metric->second, value);
          if (section.histograms.size() > 1)
            all[fmt::format("{}.{}{}", benchmark, histogram.operation, suffix)] = value;
        }
      }
    }
    return all;
  }

 private:
  bool read_result(const Words& words) {
    const bool colon_apart = words[1] == ":";
    const std::string_view name = colon_apart ? words[0] : without_last(words[0], ':');
    if (!is_name(name)) return false;
    if (words[1].front() == '[') return read_summary(name, words);
    if (!colon_apart && name == words[0]) return false;

    const auto by_unit = quantities(words, colon_apart ? 2 : 1);
    const auto micros_per_op = positive(by_unit, "micros/op");
    auto ops_sec = positive(by_unit, "ops/sec");
    // LevelDB ends its figure by ';'. Without it the line is RocksDB's, and was cut off before its ops/sec.
    const bool from_leveldb = std::find(words.begin(), words.end(), "micros/op;") != words.end();
    if (!ops_sec && !(micros_per_op && from_leveldb)) return false;
    ops_sec = ops_sec ? sharpened(*ops_sec, by_unit) : threads_ * 1e6 / *micros_per_op;

    // The last run counts, and nothing of an earlier one is left beside it.
    current_ = &(sections_[std::string(name)] = {});
    if (std::isfinite(*ops_sec)) current_->own[""] = *ops_sec;
    if (micros_per_op) current_->own[".micros_per_op"] = *micros_per_op;
    if (const auto operations = positive(by_unit, "operations")) current_->own[".operations"] = *operations;
    if (const auto mb_per_sec = positive(by_unit, "MB/s")) current_->own[".MB_per_sec"] = *mb_per_sec;
    return true;
  }

  /// name [AVG 3 runs] : 167029 (± 32769) ops/sec; ...
  bool read_summary(std::string_view name, const Words& words) {
    const auto section = sections_.find(name);
    const auto colon = std::find(words.begin(), words.end(), ":");
    if (section == sections_.end() || words.end() - colon < 3) return false;
    const auto is_rate = [](std::string_view word) { return without_last(word, ';') == "ops/sec"; };
    const auto ops_sec = number_from(colon[1]);
    if (!ops_sec || std::none_of(colon + 2, words.end(), is_rate)) return false;
    if (words[1] == "[AVG") section->second.own[".AVG"] = *ops_sec;
    if (words[1] == "[MEDIAN") section->second.own[".MEDIAN"] = *ops_sec;
    return true;
  }

  Histogram& histogram() {
    if (current_->histograms.empty()) current_->histograms.emplace_back();
    return current_->histograms.back();
  }

  /// "Min: 2  Median: 5.1800  Max: 3646"
  void read_named(const Words& words, std::size_t first) {
    for (std::size_t i = first; i + 1 < words.size(); i += 2) {
      const auto value = number_from(words[i + 1]);
      if (words[i].back() == ':' && value) histogram().named[std::string(without_last(words[i], ':'))] = *value;
    }
  }

  /// [ 0, 1 ) 166 0.208% 0.208% ##
  void read_bucket(const Words& words) {
    if (words.size() < 5 || words[1].back() != ',') return;
    const auto lower = number_from(without_last(words[1], ','));
    const auto upper = number_from(words[2]);
    const auto count = number_from(words[4]);
    if (lower && upper && count && *count > 0) histogram().buckets.push_back({*lower, *upper, *count});
  }

  double threads_;
  std::map<std::string, BenchmarkSection, std::less<>> sections_;
  BenchmarkSection* current_ = nullptr;  ///< The section that a histogram belongs to; in sections_.
};

}  // namespace

Metrics parse_db_bench(std::string_view output, int threads) {
  DbBenchReader reader(threads);
  for (std::size_t at = 0; at < output.size();) {
    const std::size_t end = std::min(output.find_first_of("\r\n", at), output.size());
    reader.read_line(output.substr(at, end - at), end < output.size());
    at = end + 1;
  }
  return reader.metrics();
}

}  // namespace aiopt
