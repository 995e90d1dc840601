/// Parsers of what benchmarks print.

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// Metric by name. db_bench: "fillrandom" (ops/s), "fillrandom.micros_per_op", "fillrandom.P50", ".P99", ...
/// (microseconds), "fillrandom.MB_per_sec".
using Metrics = std::map<std::string, double>;

/// The names that BenchmarkTask::parser may have.
std::vector<std::string> benchmark_parser_names();

/// Reads what db_bench of RocksDB and of LevelDB print (`reference` in src/measure/README of formats: see the .cpp).
/// Tolerates
/// '\r' progress on the line of a result, several benchmarks, no histogram, output that was cut off. LevelDB prints
/// neither ops/sec nor percentiles: they are derived, `threads` of them running at once, from micros/op and the
/// histogram's buckets.
Metrics parse_db_bench(std::string_view output, int threads);

/// Runs the parser that the task names over the benchmark's stdout.
///
/// @return invalid_argument if nothing could be read, or Task's throughput or latency metric is missing or not
///         a finite positive number; names the metrics that were found.
Result<Metrics> parse_benchmark_output(const BenchmarkTask& task, std::string_view output);

}  // namespace aiopt
