/// What a comparison of two trees looks like: its pairs as dots, its interval, its verdict in words.

#pragma once

#include <string>

#include <aiopt/evaluator.hpp>

namespace aiopt {

/// "1.25x (95 % 1.18x to 1.33x, 7 pairs)"; with one pair, of which nothing can be said, "1.25x (1 pair, no interval)".
std::string describe_speedup(const BenchmarkResult& benchmark);

/// What `aiopt compare` prints of A, measured in turn with B. Lines with '\n'.
std::string describe(const ComparisonResult& comparison, const std::string& a, const std::string& b);

/// What `aiopt compare --json` prints; the contract of src/README.md.
std::string comparison_to_json(const ComparisonResult& comparison, const std::string& a, const std::string& b);

}  // namespace aiopt
