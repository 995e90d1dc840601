/// Task: the program to optimise and how a candidate of it is judged.

#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <aiopt/result.hpp>

namespace aiopt {

/// A command line for /bin/sh, run in the candidate's workspace.
struct StageCommand {
  std::string command;                   ///< Empty: the stage is left out.
  std::chrono::milliseconds timeout{0};  ///< The whole process tree is killed then; above 0.
};

struct BenchmarkTask {
  StageCommand run;
  std::string parser = "db_bench";  ///< db_bench, json, regex or lines.
  std::string throughput;           ///< Name of the metric, higher is better: "fillrandom".
  std::string latency;  ///< Name of the metric in microseconds, lower is better: "fillrandom.P99". May be empty.
  std::map<std::string, std::string> patterns;  ///< For the regex parser: metric -> ECMAScript regex with one group.
  /// Name of the metric that counts operations, "fillrandom.operations": what is printed is held against the wall clock
  /// by it. May be empty; db_bench's own is found by itself.
  std::string operations;
  int warmup = 0;  ///< Runs of each side that are thrown away first.
};

/// How many pairs of runs a comparison takes: as few as decide it. tests/benchmarks/statistics.cpp has what they tell:
/// 14 tell 5 % apart in nine of ten where a pair's ratio varies by 4 %, 50 where it varies by 8 %.
struct SamplingTask {
  int min_pairs = 3;                            ///< Before the first decision; at least 1.
  int max_pairs = 14;                           ///< Of a candidate in a search, where most change nothing.
  int max_pairs_compared = 50;                  ///< Of `aiopt compare`. A task that gives max_pairs gives both.
  std::chrono::milliseconds max_time{300'000};  ///< Of the lane for one candidate; what runs then is finished.
  double half_width = 0.02;                     ///< An interval as narrow as this, +-2 %, needs no more pairs.
};

/// What is held against a candidate beside its tests. Ratios are to the baseline's runs of the same pairs.
struct GatesTask {
  int writers = 0;  ///< Each operation is synced, by this many at once: so many fewer syncs than operations will do; 0:
                    ///< not synced.
  double bytes_per_operation = 0.0;  ///< At least this much is written to files for each operation; 0: not checked.
  double memory_ratio = 2.0;         ///< Most peak memory.
  double cpu_ratio = 4.0;            ///< Most CPU time per operation: a wait that spins.
  std::vector<std::string> off;      ///< Names of gates that are not to be used.
};

/// Build and test once more under address and undefined behaviour sanitizers.
struct SanitizeTask {
  bool on = false;
  std::optional<StageCommand> build;  ///< Else the task's own, with the sanitizers' flags in CFLAGS, CXXFLAGS, LDFLAGS.
  std::optional<StageCommand> test;   ///< Else the task's own.
};

/// How full mode profiles a candidate, beside the runs that measure it.
struct ProfileTask {
  /// Which candidates that passed their tests and gates get a causal profile; each of them gets an off-CPU profile.
  enum class When {
    always,
    promising,  ///< Those that are not slower than what they were made from, or open a cell of the archive.
    elites,     ///< Those that open a cell, or are faster than the elites there: see EliteStanding.
    never,
  };

  std::string command;                                ///< Empty: the benchmark's. Its output is not looked at.
  std::chrono::milliseconds offcpu_duration{30'000};  ///< At most; the command ends sooner if it wants to.
  std::string offcpu_provider = "auto";               ///< auto, sampler, bperf, perf or off.
  std::vector<std::string> idle;                      ///< Globs of functions whose waits are idle: "*::BGThread".
  std::chrono::milliseconds causal_duration{60'000};  ///< Of all runs of the command together; the last one is cut.
  std::string causal_provider = "auto";               ///< auto, coz, bcoz or off.
  std::string progress;                               ///< The progress point that counts; empty: all of them.
  When when = When::promising;
};

/// One axis of the archive.
struct Axis {
  enum class Kind {
    linear,    ///< Equal cells over [lower, upper]; a value beyond a bound falls in the edge cell.
    category,  ///< A cell for each name, in the order in which they first appear.
  };

  /// "offcpu_ratio", "function", or a metric that the benchmark's parser found. Of profiles: "causal_hotspot",
  /// "offcpu_class" and "offcpu_function".
  std::string measure;
  Kind kind = Kind::linear;
  int cells = 10;  ///< For categories the most there may be; later names share the last cell.
  double lower = 0.0;
  double upper = 1.0;
};

/// Weights, here and below, are at least 0, and one of them above 0: shares of the proposals.
struct EmitterTask {
  std::string name;  ///< "llm", "patch_pool" or "constants".
  double weight = 1.0;
};

struct ModelTask {
  std::string name;
  double weight = 1.0;
  std::optional<double> temperature;  ///< In [0, 2], as below; LlmTask's if not set.
  std::optional<std::uint32_t> max_tokens;
  double usd_per_million_prompt_tokens = 0.0;
  double usd_per_million_completion_tokens = 0.0;
};

struct LlmTask {
  std::string api_base;                        ///< "http://127.0.0.1:8080/v1"; empty: no model.
  std::string api_key_env = "OPENAI_API_KEY";  ///< Where the key is found; the key itself is never in a Task.
  std::vector<ModelTask> models;
  double temperature = 0.7;
  double top_p = 1.0;
  std::uint32_t max_tokens = 4096;
  bool stream = false;
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds first_byte_timeout{120'000};
  std::chrono::milliseconds timeout{300'000};  ///< Of the whole reply.
  int retries = 3;                             ///< Of a question that met a transient failure; 0 to 100.
  std::string system_message;                  ///< Put before prompts/system.md's own words; may be empty.
};

/// Which formula makes the objective, and its numbers.
struct FitnessTask {
  std::string name = "causal";  ///< "causal" or "causal_capped".
  double throughput_weight = 0.30;
  double latency_weight = 0.20;
  double causal_weight = 0.30;
  double offcpu_weight = 0.20;

  // Of causal_capped: its terms count no further. At least 1, which is what the unmodified program gets; infinity: no
  // cap.
  double throughput_cap = std::numeric_limits<double>::infinity();  ///< It is what the search is for.
  double latency_cap = 2.0;  ///< Percentiles of short runs are wild, and the term grows without end towards 1 us.
  double causal_cap = std::numeric_limits<double>::infinity();  ///< By its formula the term is never above 2.
  double offcpu_cap = 1.25;
};

/// Read once from task.yaml; constant for the whole run.
struct Task {
  std::string name;
  std::string description;            ///< For the prompt: what the program does and what matters.
  std::filesystem::path file;         ///< The task.yaml it was read from.
  std::filesystem::path source;       ///< Absolute. A git tree or a plain folder; never written to.
  std::vector<std::string> editable;  ///< Globs relative to `source`; nothing else may change.
  std::filesystem::path patches;      ///< Absolute; the folder of the patch_pool emitter. May be empty.
  StageCommand build;
  StageCommand test;
  BenchmarkTask benchmark;
  std::optional<BenchmarkTask> holdout;  ///< A workload for the claim alone: the search never sees it.
  std::vector<std::string>
      data;             ///< Paths, relative to `source`, that a benchmark may leave changed: put back before each run.
  StageCommand verify;  ///< Run in the unmodified program's workspace on the data that the candidate's benchmark left.
  SamplingTask sampling;
  GatesTask gates;
  SanitizeTask sanitize;
  ProfileTask profile;
  std::vector<Axis> axes;
  int archive_depth = 3;  ///< How many a cell of the archive keeps, 1 to 100: see Archive.
  FitnessTask fitness;
  std::vector<EmitterTask> emitters;  ///< Empty: the ones that can work, equally.
  std::string selection = "tournament";
  LlmTask llm;
  int repair = 0;                           ///< How often a model's patch that does not build goes back to it: 0 or 1.
  std::uint64_t max_patch_bytes = 262'144;  ///< A patch that adds more is refused.
};

/// Reads and checks a task file. `file` may be the folder that holds task.yaml. Relative paths in it are relative to
/// it. Safe from any thread.
///
/// Errors are one line, "task.yaml:12: unknown key 'benchmrk'; did you mean 'benchmark'?".
Result<Task> load_task(const std::filesystem::path& file);

}  // namespace aiopt
