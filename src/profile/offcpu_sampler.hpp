/// OffCpuSampler: records where the threads of a command, or of a running process, wait.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include <aiopt/result.hpp>

#include "profile/blocked_samples.hpp"
#include "profile/offcpu_recording.hpp"
#include "profile/perf_rings.hpp"

namespace aiopt {

struct SamplerOptions {
  PerfRingsOptions events;  ///< Its period is that of the samples off the CPU too.
  StackLimits stacks;
  std::size_t most_waits = 131'072;         ///< See BlockedSamplesOptions.
  std::chrono::milliseconds time_limit{0};  ///< 0: as long as the target lives. sample_off_cpu() only.
};

/// A thread of its own drains the kernel's rings and folds what comes; nothing is named, unwound or kept but distinct
/// stacks. Where more than some thousand switches a second happen their stacks are taken in windows of time, a few
/// milliseconds each; that all happened, and for how long, is still recorded of each. Where no perf event may be opened
/// it looks at schedstat 20 times a second: a ratio is all that gives. Move-only; its functions are for one thread at a
/// time.
class OffCpuSampler {
 public:
  /// @param pid  a child that waits before its execve(2), see SamplerOptions. Whatever it forks after that is recorded
  ///             too, in other PID and mount namespaces no less.
  static Result<OffCpuSampler> attach_before_exec(pid_t pid, const SamplerOptions& options);

  /// All threads that the process has, and whatever those start; processes that it started before are left out.
  /// Errors: not_found.
  static Result<OffCpuSampler> attach(pid_t pid, const SamplerOptions& options);

  OffCpuSampler(OffCpuSampler&&) noexcept;
  OffCpuSampler& operator=(OffCpuSampler&&) noexcept;
  ~OffCpuSampler();

  SamplerLevel level() const;

  /// Ends the recording. Threads that sleep have slept until now. Once.
  OffCpuRecording finish();

 private:
  class Recorder;
  explicit OffCpuSampler(std::unique_ptr<Recorder> recorder);
  std::unique_ptr<Recorder> recorder_;
};

/// A program, looked for in PATH, and its arguments. It has this process's streams, and a process group of its own: a
/// Ctrl-C at the terminal is the caller's to pass on, by the stop token.
struct SampledCommand {
  std::vector<std::string> arguments;
  std::filesystem::path directory;  ///< Empty: this process's.
};

struct SampledRun {
  OffCpuRecording recording;
  int status = 0;        ///< A command's, as waitpid(2) has it. Of a process that was attached to, 0.
  bool was_cut = false;  ///< It had not ended at the time limit, or when the token asked for the end.
};

/// Records until the target ends, the time is over, or the token asks for the end. A command that has not ended then
/// gets SIGTERM, all of its process group, and 2 s later SIGKILL; a process that was attached to goes on.
/// Errors: not_found, invalid_argument (an empty command), unavailable.
Result<SampledRun> sample_off_cpu(const SamplerOptions& options, const std::variant<SampledCommand, pid_t>& target,
                                  std::stop_token stop = {});

}  // namespace aiopt
