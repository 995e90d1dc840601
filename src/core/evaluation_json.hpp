/// The JSON of the --json contract, to and fro. As text, so that nlohmann/json.hpp stays in .cpp files.

#pragma once

#include <string>
#include <string_view>

#include <aiopt/archive.hpp>
#include <aiopt/evaluation.hpp>
#include <aiopt/proposal.hpp>
#include <aiopt/result.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// {"edits": [{"kind", "path", "search", "text", "line"}]}
std::string patch_to_json(const Patch& patch);
Result<Patch> patch_from_json(std::string_view json);

/// {"parent", "inspirations", "patch" | "question": {"prompt", "model", "repairs" if it does}, "note"}
std::string ask_to_json(const Ask& ask);
Result<Ask> ask_from_json(std::string_view json);

/// {"candidate": [{run}, ...], "baseline": [...], "estimate": {...} if there is one}: everything of a BenchmarkResult,
/// for run.db.
std::string benchmark_to_json(const BenchmarkResult& benchmark);
Result<BenchmarkResult> benchmark_from_json(std::string_view json);

/// [{"name", "fired", "detail"}]
std::string gates_to_json(const std::vector<GateReport>& gates);
Result<std::vector<GateReport>> gates_from_json(std::string_view json);

/// The "benchmark" of the --json contract: medians, speed-up with its interval, all runs.
std::string benchmark_summary_to_json(const BenchmarkResult& benchmark);

/// {"offcpu_ratio": 0.31, "function": "Wal::append"}, in the order of the axes.
std::string measures_to_json(const std::vector<Axis>& axes, const std::vector<Measure>& measures);
Result<std::vector<Measure>> measures_from_json(const std::vector<Axis>& axes, std::string_view json);

/// What `aiopt evaluate --json` prints: see the contract in src/README.md.
/// @param indent  Spaces a level; negative: one line.
std::string evaluation_to_json(const Evaluation& evaluation, const std::string& tree_sha256,
                               const std::optional<Fitness>& fitness, const std::vector<Axis>& axes, int indent = 2);

}  // namespace aiopt
