/// A program's run beside its ground truth: CPU time by the kernel's accounting, and how long its threads lived.

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>

#include "profile/offcpu_sampler.hpp"

namespace aiopt {

struct MeasuredCommand {
  std::vector<std::string> arguments;     ///< A program, looked for in PATH, and its arguments.
  std::filesystem::path folder = "/";     ///< In which it runs.
  std::optional<int> cpu;                 ///< On which alone it runs; what looks at it runs anywhere.
  std::optional<SamplerOptions> sampler;  ///< None: it runs alone.
  bool looks_at_threads = false;          ///< Fill thread_seconds in: a look at /proc each millisecond.
};

struct MeasuredRun {
  std::string out;  ///< stdout and stderr.
  double wall_seconds = 0.0;
  double cpu_seconds = 0.0;     ///< By rusage, of the program and what it waited for, from its execve(2) on.
  double thread_seconds = 0.0;  ///< Sum over its threads, from the execve(2) or their start on.
  double switches = 0.0;        ///< Voluntary or not, by rusage.
  std::optional<OffCpuRecording> recording;

  double true_ratio() const { return 1.0 - cpu_seconds / thread_seconds; }
};

/// The truth comes from no perf event: CPU time is wait4(2)'s, which the scheduler counts by the nanosecond; a thread
/// lives from half a millisecond before a look that sees it to half a millisecond before one that does not. The error
/// is some 0.3 ms a thread, whatever it does. Child processes' threads are not looked at.
/// Errors: not_found, unavailable, io (it failed: with what it printed).
Result<MeasuredRun> run_measured(const MeasuredCommand& command);

/// examples/walkv, as its Makefile builds it. @return Its benchmark program, below `folder`.
Result<std::filesystem::path> build_walkv(const std::filesystem::path& folder);

/// tests/profile/programs/waiting.cpp, optimised. @return The program, below `folder`.
Result<std::filesystem::path> build_waiting(const std::filesystem::path& folder);

/// Of a line of db_bench's or walkv's: "fillrandom : 5.919 micros/op 337187 ops/sec ...". 0: there is none.
double operations_per_second(std::string_view out);

/// "load 0.52 of 2 CPUs": the last minute's average, for beside each figure.
std::string machine_load();

}  // namespace aiopt
