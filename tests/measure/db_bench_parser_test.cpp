/// What is read from db_bench. The golden files are real outputs of RocksDB 7.8.3's (Debian's rocksdb-tools) and
/// LevelDB 1.23's db_bench.

#include <doctest/doctest.h>

#include "measure/benchmark_output.hpp"
#include "support/golden.hpp"

using namespace aiopt;

namespace {

Metrics read_golden(const std::string& name, int threads = 1) {
  return parse_db_bench(golden("db_bench/" + name), threads);
}

constexpr const char* kRocksdbResult =
    "fillrandom   :       5.919 micros/op 337187 ops/sec 0.297 seconds 100000 operations;   37.3 MB/s\n";

}  // namespace

TEST_CASE("the seed's two example lines are read") {
  const Metrics metrics = parse_db_bench("fillrandom : 123456.789 ops/sec\nPercentiles: P50: 1.23 P99: 4.56", 1);
  CHECK(metrics == Metrics{{"fillrandom", 123456.789}, {"fillrandom.P50", 1.23}, {"fillrandom.P99", 4.56}});
}

TEST_CASE("RocksDB: ops/sec of all threads, with the histogram that follows") {
  const Metrics metrics = read_golden("rocksdb_threads4_histogram.txt", 4);
  CHECK(metrics.at("fillrandom") == doctest::Approx(218442).epsilon(1e-5));
  CHECK(metrics.at("fillrandom.micros_per_op") == 16.040);
  CHECK(metrics.at("fillrandom.MB_per_sec") == 24.2);
  CHECK(metrics.at("fillrandom.P50") == 6.40);
  CHECK(metrics.at("fillrandom.P75") == 8.83);
  CHECK(metrics.at("fillrandom.P99") == 120.98);
  CHECK(metrics.at("fillrandom.P99.9") == 2976.92);
  CHECK(metrics.at("fillrandom.P99.99") == 4361.54);
  CHECK(metrics.at("fillrandom.average") == 16.2527);
  CHECK(metrics.at("fillrandom.max") == 13093);
  CHECK(metrics.at("readrandom") == 812067);
  CHECK(metrics.at("readrandom.P99") == 5.27);
  CHECK(metrics.size() == 2 * 11);
}

TEST_CASE("RocksDB without a histogram: no percentiles, several benchmarks") {
  const Metrics metrics = read_golden("rocksdb_threads1.txt");
  CHECK(metrics.at("fillseq") == 295741);
  CHECK(metrics.at("fillsync.micros_per_op") == 173.831);
  CHECK(metrics.at("fillsync.MB_per_sec") == 0.6);
  CHECK(metrics.at("readrandom") == 1066856);
  CHECK(metrics.at("readseq") == 47619);
  CHECK(metrics.size() == 4 * 4);
}

TEST_CASE("RocksDB: readwhilewriting and its reads") {
  const Metrics metrics = read_golden("rocksdb_readwhilewriting_histogram.txt");
  CHECK(metrics.at("readwhilewriting") == 373440);
  CHECK(metrics.at("readwhilewriting.P99") == 18.73);
  CHECK(metrics.at("fillrandom.P99") == 31.93);
}

TEST_CASE("every benchmark has its own histogram, and one without has none") {
  const Metrics metrics = read_golden("rocksdb_many_benchmarks_histogram.txt");
  CHECK(metrics.at("seekrandom.P99") == 2.22);
  CHECK(metrics.at("updaterandom.P99") == 9.92);
  CHECK(metrics.at("mixgraph.P99.99") == 2400.0);
  CHECK(metrics.at("crc32c.MB_per_sec") == 1028.4);
  CHECK(metrics.at("deleterandom.P99") == 9.09);
  CHECK(metrics.at("compact.micros_per_op") == 12066.0);
  CHECK_FALSE(metrics.contains("compact.P99"));
  CHECK_FALSE(metrics.contains("compact.MB_per_sec"));
  CHECK_FALSE(metrics.contains("seekrandom.MB_per_sec"));
}

TEST_CASE("of a benchmark that ran twice the last run counts, and nothing of the first is left") {
  const Metrics metrics = read_golden("rocksdb_fillrandom_twice_stats.txt");
  CHECK(metrics.at("fillrandom.micros_per_op") == 5.396);
  CHECK(metrics.size() == 4);

  const Metrics cut = parse_db_bench(std::string(kRocksdbResult) + "Percentiles: P50: 1.00 P99: 9.00\n" +
                                         "fillrandom   :       7.000 micros/op 140000 ops/sec\n",
                                     1);
  CHECK(cut == Metrics{{"fillrandom", 140000}, {"fillrandom.micros_per_op", 7.0}});
}

TEST_CASE("RocksDB: the summaries of repeated runs stand beside the last run") {
  const Metrics metrics = read_golden("rocksdb_repeated_runs.txt");
  CHECK(metrics.at("fillrandom") == 180386);
  CHECK(metrics.at("fillrandom.P99") == 9.95);
  CHECK(metrics.at("fillrandom.AVG") == 167029);
  CHECK(metrics.at("fillrandom.MEDIAN") == 180386);
  CHECK(metrics.at("readrandom.AVG") == 592511);
}

TEST_CASE("where there are histograms of several operations, the slowest stands for the benchmark") {
  const Metrics metrics = read_golden("rocksdb_two_histograms.txt");
  CHECK(metrics.at("readrandomwriterandom.read.P99") == 5.77);
  CHECK(metrics.at("readrandomwriterandom.write.P99") == 14.85);
  CHECK(metrics.at("readrandomwriterandom.P99") == 14.85);
  CHECK(metrics.at("readrandomwriterandom.max") == 3967);
  CHECK_FALSE(metrics.contains("fillrandom.write.P99"));
}

TEST_CASE("progress on the line of a result is passed over") {
  const Metrics rocksdb = read_golden("rocksdb_progress_on_result_line.txt");
  CHECK(rocksdb.at("fillrandom") == 276874);
  CHECK(rocksdb.at("readrandom") == 916170);
  const Metrics leveldb = read_golden("leveldb_progress_on_result_line.txt", 2);
  CHECK(leveldb.at("fillrandom.micros_per_op") == 3.588);
  CHECK(leveldb.size() == 5);

  CHECK(
      parse_db_bench("... finished 900 ops     ... finished 1000 ops          fillseq : 5.000 micros/op 7 ops/sec\n", 1)
          .at("fillseq") == 7);
}

TEST_CASE("LevelDB: ops/s is that of all threads, as micros/op is of one") {
  const Metrics metrics = read_golden("leveldb_threads1.txt");
  CHECK(metrics.at("fillseq") == doctest::Approx(1e6 / 1.220));
  CHECK(metrics.at("fillseq.MB_per_sec") == 90.7);
  CHECK(metrics.at("fillsync") == doctest::Approx(1e6 / 210.200));
  CHECK(metrics.at("readrandom") == doctest::Approx(1e6 / 0.901));
  CHECK_FALSE(metrics.contains("fillseq.P99"));
  CHECK(read_golden("leveldb_threads1.txt", 4).at("fillseq") == doctest::Approx(4e6 / 1.220));
  CHECK(read_golden("leveldb_threads1.txt", 0).at("fillseq") == doctest::Approx(1e6 / 1.220));
}

TEST_CASE("LevelDB: percentiles are derived from the buckets as LevelDB derives its median") {
  const Metrics metrics = read_golden("leveldb_threads4_histogram.txt", 4);
  CHECK(metrics.at("fillrandom") == doctest::Approx(4e6 / 14.502));
  // What the same outputs give as "Median:".
  CHECK(metrics.at("fillrandom.P50") == doctest::Approx(2.6285).epsilon(1e-4));
  CHECK(metrics.at("readrandom.P50") == doctest::Approx(1.7627).epsilon(1e-4));
  // 79,200 of 80,000: 78,907 lie below 90 us and 393 in [90, 100), so 90 + 10 * 293 / 393.
  CHECK(metrics.at("fillrandom.P99") == doctest::Approx(90.0 + 10.0 * 293.0 / 393.0));
  CHECK(metrics.at("fillrandom.average") == 14.4963);
  const Metrics reads = read_golden("leveldb_readwhilewriting_threads2_histogram.txt", 2);
  CHECK(reads.at("readwhilewriting") == doctest::Approx(2e6 / 2.491));
  CHECK(reads.at("readwhilewriting.P50") == doctest::Approx(1.8859).epsilon(1e-4));
}

TEST_CASE("a derived percentile stays between the smallest and the largest value seen") {
  const std::string output =
      "fillsync : 100.000 micros/op;\n"
      "Count: 10  Average: 95.0000  StdDev: 1.00\nMin: 94.0000  Median: 94.0000  Max: 96.0000\n"
      "[      90,     100 )      10 100.000% 100.000% ####\n";
  const Metrics metrics = parse_db_bench(output, 1);
  CHECK(metrics.at("fillsync.P50") == 95.0);
  CHECK(metrics.at("fillsync.P99") == 96.0);
}

TEST_CASE("RocksDB's buckets give what it prints as percentiles, where its Percentiles line is missing") {
  std::string output = golden("db_bench/rocksdb_threads4_histogram.txt");
  for (std::size_t at = output.find("Percentiles:"); at != std::string::npos; at = output.find("Percentiles:", at)) {
    output.erase(at, output.find('\n', at) - at);
  }
  const Metrics metrics = parse_db_bench(output, 4);
  CHECK(metrics.at("fillrandom.P50") == doctest::Approx(6.40).epsilon(1e-3));
  CHECK(metrics.at("fillrandom.P99") == doctest::Approx(120.98).epsilon(1e-3));
  CHECK(metrics.at("fillrandom.P99.9") == doctest::Approx(2976.92).epsilon(1e-3));
}

TEST_CASE("a slow benchmark's ops/sec is read from its seconds and operations, which have more digits") {
  const auto ops_sec = [](const std::string& line) { return parse_db_bench(line, 1).at("fillsync"); };
  CHECK(ops_sec("fillsync : 12255.000 micros/op 81 ops/sec 12.255 seconds 1000 operations;\n") ==
        doctest::Approx(1000 / 12.255));
  CHECK(ops_sec("compact : 12066.000 micros/op 82 ops/sec 0.012 seconds 1 operations;\nfillsync : 1 ops/sec\n") == 1);
  CHECK(ops_sec("fillsync : 12066.000 micros/op 82 ops/sec 0.012 seconds 1 operations;\n") == 82);
  CHECK(ops_sec("fillsync : 12255.000 micros/op 81 ops/sec 12.255 seconds 1100 operations;\n") == 81);
  CHECK(ops_sec("fillsync : 1219.000 micros/op 820 ops/sec 0.122 seconds 100 operations;\n") == 820);
}

TEST_CASE("output that was cut off gives what is whole in it, never a number with digits missing") {
  std::string whole = golden("db_bench/rocksdb_threads4_histogram.txt");
  whole.resize(whole.find("readrandom"));
  const Metrics expected = parse_db_bench(whole, 4);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    for (const auto& metric : parse_db_bench(whole.substr(0, length), 4)) {
      const std::string& name = metric.first;
      CAPTURE(length);
      CAPTURE(name);
      const bool has_decimals_to_spare = name == "fillrandom.average";
      REQUIRE(metric.second == doctest::Approx(expected.at(name)).epsilon(has_decimals_to_spare ? 0.01 : 1e-12));
    }
  }
}

TEST_CASE("a LevelDB histogram that was cut off gives the percentiles that its buckets reach") {
  std::string whole = golden("db_bench/leveldb_threads4_histogram.txt");
  whole.resize(whole.find("readrandom"));
  const Metrics expected = parse_db_bench(whole, 4);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    for (const auto& metric : parse_db_bench(whole.substr(0, length), 4)) {
      const std::string& name = metric.first;
      CAPTURE(length);
      CAPTURE(name);
      const bool has_decimals_to_spare = name.ends_with(".average") || name.ends_with(".max");
      REQUIRE(metric.second == doctest::Approx(expected.at(name)).epsilon(has_decimals_to_spare ? 0.01 : 1e-12));
    }
  }
  const Metrics cut = parse_db_bench(whole.substr(0, whole.find("[      10,")), 4);
  CHECK(cut.contains("fillrandom.P50"));
  CHECK_FALSE(cut.contains("fillrandom.P75"));
}

TEST_CASE("a histogram whose benchmark was left out of the middle is nobody's") {
  const Metrics metrics = parse_db_bench(
      std::string(kRocksdbResult) + "[... 5000 bytes left out ...]\n" + "Percentiles: P50: 1.00 P99: 9.00\n", 1);
  CHECK_FALSE(metrics.contains("fillrandom.P99"));
  CHECK(parse_db_bench("Percentiles: P50: 1.00 P99: 9.00\n", 1).empty());
}

TEST_CASE("what db_bench prints beside its results is not taken for one") {
  CHECK(parse_db_bench("Read rate: 0 ops/second\n"
                       "Write rate: 5 ops/sec\n"
                       "Flush(GB): cumulative 0.000, interval 0.000\n"
                       "Cumulative writes: 200K writes, ingest: 0.02 GB, 23.08 MB/s\n"
                       "rocksdb.db.get.micros P50 : 1.703083 P95 : 3.604077 P99 : 5.249795 P100 : 4060.000000\n"
                       "2026/11/22-08:13:00  ... thread 0: (20000,20000) ops and (156550.9,156550.9) ops/second\n"
                       "fillrandom : nan micros/op inf ops/sec\n"
                       "fillrandom : -5.0 micros/op -3 ops/sec\n"
                       "fillrandom : 1e999 ops/sec\n"
                       "fill\x01random : 5 ops/sec\n",
                       1)
            .empty());
}

TEST_CASE("lines may end as Windows has it") {
  const Metrics metrics = parse_db_bench("fillseq : 2.000 micros/op 500000 ops/sec\r\nPercentiles: P50: 1.00\r\n", 1);
  CHECK(metrics.at("fillseq") == 500000);
  CHECK(metrics.at("fillseq.P50") == 1.0);
}
