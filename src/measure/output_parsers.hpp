/// The parsers behind parse_benchmark_output() and the number that they all read.

#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <aiopt/result.hpp>

#include "measure/benchmark_output.hpp"

namespace aiopt {

/// The numbers of the last line that is a JSON object, or of the whole output if that is one. Nested keys are joined
/// by '.', the places in an array count from 0: "benchmarks.0.real_time".
Metrics parse_json_output(std::string_view output);

/// "name: value [unit]", one a line; of equal names the last line counts.
Metrics parse_lines_output(std::string_view output);

/// For each metric the last line in which its regex matches, and there the number in the regex's one group.
/// invalid_argument if a regex cannot be read or has not one group.
Result<Metrics> parse_regex_output(const std::map<std::string, std::string>& patterns, std::string_view output);

/// The finite number that opens `text`, whatever the locale; `rest` gets what follows it.
std::optional<double> number_at_start(std::string_view text, std::string_view& rest);

/// The finite number that is all of `text`.
std::optional<double> number_from(std::string_view text);

}  // namespace aiopt
