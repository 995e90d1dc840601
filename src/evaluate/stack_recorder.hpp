/// perf or bperf around a stage's command, and what it recorded as stacks.

#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>

#include "evaluate/stages.hpp"
#include "profile/sampled_stacks.hpp"

namespace aiopt {

/// A tool on this machine that records where the threads of a command run and wait.
struct StackRecorder {
  enum class Kind {
    perf,   ///< Of any kernel: a record of each switch, and where the kernel lets us a stack at each.
    bperf,  ///< Of its own kernel, which samples waits (Ahn et al., OSDI 2024).
  };
  Kind kind = Kind::perf;
  std::filesystem::path program;  ///< Absolute.
};

/// A command's run, and what was recorded of it.
struct RecordedRun {
  StageRun run;  ///< timed_out: it was ended after its time, as a profile's command may be.
  std::optional<SampledStacks> stacks;
  std::string why;  ///< Where it passed or timed out and there are no stacks.
};

/// {"perf", "record", ..., "--"}, to be put before a program and its arguments.
std::vector<std::string> recording_command(const StackRecorder& recorder, const std::filesystem::path& recording);

/// {"perf", "script", ...} or {"bperf", "report", ...}: prints the recording as text.
/// @param kernel_symbols  a copy of /proc/kallsyms; empty: none can be had
std::vector<std::string> reading_command(const StackRecorder& recorder, const std::filesystem::path& recording,
                                         const std::filesystem::path& kernel_symbols);

/// Runs the stage's command under the recorder for at most its time-out, then reads the recording. Safe from any
/// thread.
///
/// The recorder runs outside of the sandbox, around it: inside nobody may see what the kernel does. It writes to a
/// folder that the command does not see, reads no settings (PERF_CONFIG), and opens no file of the command's. The
/// recording tells of hostile code and names its files: it is read by a second command, in the sandbox, with a time
/// limit; what that prints is cut off at 256 MiB.
///
/// Both follow frame pointers (-fno-omit-frame-pointer), and pass over the direct caller of a function of libc, which
/// has none: of main() -> append() -> fsync() they see main() and fsync(). The sampler sees all three.
///
/// What starts the command within the sandbox is in the recording too, and left out by its name: stacks of threads
/// called bwrap, sh, mkfifo and rm are not counted, unless the program has that name or a file of the workspace is on
/// them.
Result<RecordedRun> record_stacks(const StackRecorder& recorder, const StageRunner& runner, const StageCommand& command,
                                  const StageSetting& setting, std::stop_token stop);

/// Puts what the debug information of the objects below `folder` knows of each frame into the text of `perf script`:
/// lines, and what is inlined. perf itself (-F +srcline) asks a process of addr2line for each frame of each sample, a
/// millisecond or more. Other objects' frames stay as they are.
std::string with_source_lines(std::string_view script, const std::filesystem::path& folder);

}  // namespace aiopt
