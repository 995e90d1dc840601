/// How the patterns of `parser: regex` are compiled: the task's check and the parser must refuse the same ones.

#pragma once

#include <regex>

namespace aiopt {

/// libstdc++'s own extension: matches without backtracking, which takes neither exponential time nor a stack that grows
/// with the line. The price is that back-references are refused (std::regex_constants::error_complexity).
inline constexpr std::regex_constants::syntax_option_type kMetricRegexSyntax =
    std::regex_constants::ECMAScript | std::regex_constants::__polynomial;

}  // namespace aiopt
