/// The parsers as a task names them, their errors, and output that wants to break them.

#include "measure/benchmark_output.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <string_view>

#include <aiopt/rng.hpp>

#include "support/golden.hpp"

using namespace aiopt;

namespace {

BenchmarkTask task_of(const std::string& parser, const std::string& throughput, const std::string& latency = "") {
  BenchmarkTask task;
  task.run.command = "./bench";
  task.parser = parser;
  task.throughput = throughput;
  task.latency = latency;
  return task;
}

/// Of db_bench's LevelDB form with that command line.
double throughput_with(const std::string& command) {
  BenchmarkTask task = task_of("db_bench", "fillseq");
  task.run.command = command;
  const auto metrics = parse_benchmark_output(task, "fillseq : 1.000 micros/op;\n");
  REQUIRE(metrics);
  return metrics->at("fillseq") / 1e6;
}

std::string error_of(const BenchmarkTask& task, std::string_view output) {
  const auto metrics = parse_benchmark_output(task, output);
  REQUIRE_FALSE(metrics);
  CHECK(metrics.error().code == Error::Code::invalid_argument);
  CHECK(metrics.error().message.find('\n') == std::string::npos);
  return metrics.error().message;
}

}  // namespace

TEST_CASE("the number of threads is the one in the command line") {
  CHECK(throughput_with("./db_bench --benchmarks=fillseq") == 1);
  CHECK(throughput_with("./db_bench --threads=4") == 4);
  CHECK(throughput_with("./db_bench -threads=4 --num=5") == 4);
  CHECK(throughput_with("./db_bench --threads 8 --num=5") == 8);
  CHECK(throughput_with("./db_bench '--threads=3'") == 3);
  CHECK(throughput_with("./db_bench --threads='3'") == 3);
  CHECK(throughput_with("./db_bench --threads=2 --threads=6") == 6);
  CHECK(throughput_with("./db_bench --num_threads=4") == 1);
  CHECK(throughput_with("./db_bench --write-threads=4") == 1);
  CHECK(throughput_with("./db_bench --threads_per_core=4") == 1);
  CHECK(throughput_with("./db_bench --threads=0") == 1);
  CHECK(throughput_with("./db_bench --threads=999999999999") == 1);
  CHECK(throughput_with("./db_bench --threads=") == 1);
  CHECK(throughput_with("./db_bench --threads") == 1);
}

TEST_CASE("json: the last line that is an object, nested keys joined by a dot") {
  const auto metrics =
      parse_benchmark_output(task_of("json", "result.ops", "result.latency.p99"),
                             "starting\n{\"result\": {\"ops\": 1}}\n{broken\n"
                             "{\"result\": {\"ops\": 2.5e3, \"latency\": {\"p99\": 17}}, \"ok\": true, "
                             "\"name\": \"x\", \"runs\": [3, {\"t\": 4}]}\nbye\n");
  REQUIRE(metrics);
  CHECK(*metrics == Metrics{{"result.ops", 2500}, {"result.latency.p99", 17}, {"runs.0", 3}, {"runs.1.t", 4}});
}

TEST_CASE("json: an object over several lines is read if it is all there is") {
  const auto metrics = parse_benchmark_output(task_of("json", "a.b"), "{\n  \"a\": {\n    \"b\": 3\n  }\n}\n");
  REQUIRE(metrics);
  CHECK(*metrics == Metrics{{"a.b", 3}});
}

TEST_CASE("lines: name, value and perhaps a unit; the last of equal names counts") {
  const auto metrics =
      parse_benchmark_output(task_of("lines", "throughput", "p99 latency"),
                             "throughput: 1.0 ops/s\nthroughput: 123456.5 ops/s\r\n  p99 latency:12.5us\n"
                             "bench::inner: 7\nhit rate: 35%\ndelta: +2e-3\n"
                             "at 12:30:45\nversion: 1.2.3\nnote: none\n: 5\nempty:\n");
  REQUIRE(metrics);
  CHECK(*metrics == Metrics{{"throughput", 123456.5},
                            {"p99 latency", 12.5},
                            {"bench::inner", 7},
                            {"hit rate", 35},
                            {"delta", 0.002},
                            {"at 12:30", 45}});
}

TEST_CASE("regex: the one group of the last line that matches") {
  BenchmarkTask task = task_of("regex", "ops", "p99");
  task.patterns = {{"ops", "did (\\d+(?:\\.\\d+)?) ops"}, {"p99", "^p99=\\s*(\\S+)us$"}};
  const auto metrics = parse_benchmark_output(task, "did 5 ops\np99=  4.5us\nwe did 12.5 ops today\np99=fastus\n");
  REQUIRE(metrics);
  CHECK(*metrics == Metrics{{"ops", 12.5}, {"p99", 4.5}});
}

TEST_CASE("regex: a pattern that is none, or has not one group, is named") {
  BenchmarkTask task = task_of("regex", "ops");
  const auto error_for = [&](const std::string& pattern) {
    task.patterns = {{"ops", pattern}};
    return error_of(task, "5\n");
  };
  CHECK(error_for("(\\d+").starts_with("benchmark: the pattern of metric 'ops' is no ECMAScript regex: "));
  CHECK(error_for("\\d+") ==
        "benchmark: the pattern of metric 'ops' has 0 groups; it needs one, around the number, others as (?:...)");
  CHECK(error_for("(\\d)(\\d)").find("has 2 groups") != std::string::npos);
  CHECK(error_for(std::string(2000, 'a')).find("2000 bytes") != std::string::npos);
  CHECK(error_for("(a)\\1").find("is no ECMAScript regex") != std::string::npos);
  CHECK(error_for("(x{99999999})").find("is no ECMAScript regex") != std::string::npos);
}

TEST_CASE("regex: neither a long line nor a pattern that invites backtracking takes the stack or all day") {
  BenchmarkTask task = task_of("regex", "ops");
  task.patterns = {{"ops", "((?:a+)+)b"}};
  CHECK(error_of(task, std::string(1'000'000, 'a')).find("found no metric in 1000000 bytes") != std::string::npos);
  task.patterns = {{"ops", "ops (.*)"}};
  CHECK(error_of(task, "ops " + std::string(1'000'000, 'x')).find("found no metric") != std::string::npos);
}

TEST_CASE("a metric that is missing is named beside those found and the one probably meant") {
  const std::string output = "fillrandom : 5.000 micros/op 200000 ops/sec\n";
  CHECK(error_of(task_of("db_bench", "fillrandm"), output) ==
        "benchmark: the output has no metric 'fillrandm' for throughput; it has fillrandom, fillrandom.micros_per_op; "
        "did you mean 'fillrandom'?");
  CHECK(error_of(task_of("db_bench", "fillrandom", "fillrandom.P99"), output)
            .starts_with("benchmark: the output has no metric 'fillrandom.P99' for latency; it has fillrandom, "));
}

TEST_CASE("a long list of metrics is shortened, and one with control characters stays one line") {
  std::string output = "a\x1b[31mb: 1\n";
  for (int i = 0; i < 500; ++i) output += "metric" + std::to_string(i) + ": 1\n";
  const std::string error = error_of(task_of("lines", "ops"), output);
  CHECK(error.find("and 481 more") != std::string::npos);
  CHECK(error.find('\x1b') == std::string::npos);
  CHECK(error.size() < 1000);
}

TEST_CASE("a metric has to be above 0") {
  CHECK(error_of(task_of("lines", "ops"), "ops: 0\n") ==
        "benchmark: metric 'ops' for throughput is 0; it has to be a finite number above 0");
  CHECK(error_of(task_of("lines", "ops"), "ops: -3\n").find("is -3") != std::string::npos);
  CHECK(error_of(task_of("lines", "ops", "p99"), "ops: 3\np99: 0\n").find("'p99' for latency is 0") !=
        std::string::npos);
  CHECK(error_of(task_of("lines", "ops"), "ops: nan\nops: inf\nops: 1e999\n").find("no metric") != std::string::npos);
}

TEST_CASE("output in which nothing could be read is quoted by its last line") {
  CHECK(error_of(task_of("db_bench", "fillrandom"), "Keys: 16 bytes each\nopen error: No space left\n\n") ==
        "benchmark: the db_bench parser found no metric in 47 bytes of output; its last line: 'open error: No space "
        "left'");
  CHECK(error_of(task_of("json", "ops"), "") == "benchmark: the json parser found no metric in 0 bytes of output");
}

TEST_CASE("a parser that is not there is named with those that are") {
  CHECK(error_of(task_of("dbbench", "fillrandom"), "") ==
        "benchmark: no parser is named 'dbbench'; there are db_bench, json, lines, regex; did you mean 'db_bench'?");
  CHECK(benchmark_parser_names() == std::vector<std::string>{"db_bench", "json", "lines", "regex"});
}

TEST_CASE("1,000 mutated outputs give finite numbers or an error") {
  const std::vector<std::string> originals = {
      golden("db_bench/rocksdb_two_histograms.txt"), golden("db_bench/leveldb_threads4_histogram.txt"),
      golden("db_bench/rocksdb_repeated_runs.txt"), golden("db_bench/leveldb_progress_on_result_line.txt"),
      "{\"ops\": 5, \"latency\": {\"p99\": [1, 2, {\"x\": -1.5e300}]}}\nops: 5 us\n"};
  constexpr std::array<std::string_view, 12> kSpice = {"\r",      "\n", "nan",  "1e308", "-", "[",
                                                       "Count: ", "0.", "\xff", "{",     ":", "9999999999999999999999"};
  Rng rng(4);
  for (int round = 0; round < 1000; ++round) {
    std::string output = originals[rng.index(originals.size())];
    for (std::size_t change = rng.index(20) + 1; change > 0 && !output.empty(); --change) {
      const std::size_t at = rng.index(output.size());
      switch (rng.index(4)) {
        case 0:
          output[at] = static_cast<char>(rng.index(256));
          break;
        case 1:
          output.erase(at, rng.index(60));
          break;
        case 2:
          output.insert(at, kSpice[rng.index(kSpice.size())]);
          break;
        default:
          output.insert(at, output.substr(rng.index(output.size()), rng.index(200)));
          break;
      }
    }
    for (const std::string& parser : benchmark_parser_names()) {
      if (parser == "regex" && round % 10 != 0) continue;  // A hundred times dearer than the others.
      BenchmarkTask task = task_of(parser, "fillrandom");
      task.patterns = {{"fillrandom", "(?:fillrandom|ops)\\W+([^ ]*)"}};
      const auto metrics = parse_benchmark_output(task, output);
      if (!metrics) continue;
      for (const auto& [name, value] : *metrics) REQUIRE(std::isfinite(value));
    }
    for (const auto& [name, value] : parse_db_bench(output, 4)) REQUIRE(std::isfinite(value));
  }
}

TEST_CASE("json: nesting without end is refused or cut, not followed") {
  std::string deep;
  for (int i = 0; i < 50'000; ++i) deep += "{\"a\":";
  CHECK_FALSE(parse_benchmark_output(task_of("json", "a"), deep));
  deep += "1" + std::string(50'000, '}');
  CHECK_FALSE(parse_benchmark_output(task_of("json", "a"), deep));
}

TEST_CASE("an output of thousands of metrics fails its candidate: all of them would be kept") {
  std::string output;
  for (int i = 0; i < 2'000; ++i) output += "m" + std::to_string(i) + ": 1\n";
  BenchmarkTask task;
  task.parser = "lines";
  task.throughput = "m7";
  const auto metrics = parse_benchmark_output(task, output);
  REQUIRE_FALSE(metrics);
  CHECK(metrics.error().message.find("2000 metrics, more than 1000") != std::string::npos);
}
