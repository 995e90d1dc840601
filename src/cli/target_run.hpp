/// A command that is profiled: its streams are aiopt's own, and it is ended when its time is over.

#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <vector>

#include <aiopt/result.hpp>

#include "base/file_descriptor.hpp"

namespace aiopt {

/// While it lives, children find streams and signals as a shell would give them: SIGPIPE ends them, and their standard
/// output goes to aiopt's stderr where `stdout_is_ours`, a result that must not be mixed with it. One at a time.
class TargetStreams {
 public:
  explicit TargetStreams(bool stdout_is_ours);
  ~TargetStreams();
  TargetStreams(const TargetStreams&) = delete;
  TargetStreams& operator=(const TargetStreams&) = delete;

 private:
  FileDescriptor stdout_;  ///< As it was; closed where it was left alone.
  void (*on_broken_pipe_)(int);
};

struct TargetEnd {
  int status = 0;        ///< As waitpid(2) has it.
  bool was_cut = false;  ///< It had not ended at the time limit, or when the token asked for the end.
};

/// Runs a program, looked for in PATH, with this process's streams, in a process group of its own. What has not ended
/// at the limit gets SIGTERM, all of its group, and 2 s later SIGKILL.
/// @param limit  0: none
/// Errors: not_found, unavailable.
Result<TargetEnd> run_target(const std::vector<std::string>& arguments, std::chrono::milliseconds limit,
                             const std::stop_token& stop);

/// "exit code 3", "killed by SIGSEGV"; empty where it succeeded.
std::string failure_of(int status);

}  // namespace aiopt
