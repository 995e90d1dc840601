/// Parsers of what benchmarks print.

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// Metric by name; every value is finite. db_bench: "fillrandom" (ops/s), "fillrandom.micros_per_op",
/// "fillrandom.MB_per_sec", and in microseconds "fillrandom.P50", ".P99", ..., ".average", ".max".
using Metrics = std::map<std::string, double>;

/// The names that BenchmarkTask::parser may have.
std::vector<std::string> benchmark_parser_names();

/// Reads what db_bench of RocksDB and of LevelDB print; db_bench_parser.cpp says how that looks.
///
/// Tolerates '\r' progress on the line of a result, several benchmarks, no histogram, output that was cut off. Of a
/// benchmark that ran more than once the last run counts, with nothing of the runs before; RocksDB's summaries of
/// repeated runs are "fillrandom.AVG" and "fillrandom.MEDIAN". Where a benchmark has histograms of several operations,
/// "mixed.P99" is the largest of "mixed.read.P99" and "mixed.write.P99".
///
/// LevelDB prints neither ops/sec nor percentiles: they are derived, `threads` of them running at once, from micros/op
/// and the histogram's buckets.
Metrics parse_db_bench(std::string_view output, int threads);

/// Runs the parser that the task names over the benchmark's stdout.
///
/// @return invalid_argument if nothing could be read, or Task's throughput or latency metric is missing or not
///         a finite positive number; names the metrics that were found.
Result<Metrics> parse_benchmark_output(const BenchmarkTask& task, std::string_view output);

}  // namespace aiopt
