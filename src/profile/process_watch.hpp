/// What /proc tells of a running process: for where perf came too late, or is not allowed to look.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "profile/offcpu_recording.hpp"
#include "profile/perf_record.hpp"

namespace aiopt {

/// As if they came now: of each thread its name, whether it sleeps and in what; what is mapped to execute.
void tell_of_process(pid_t pid, const std::function<void(const PerfRecord&)>& sink);

/// How a thread sleeps: proc(5), /proc/PID/task/TID/wchan and syscall.
struct SleepLook {
  std::uint64_t time_ns = 0;          ///< Before it was looked at.
  std::string kernel_function;        ///< "futex_do_wait"
  std::uint64_t program_counter = 0;  ///< Of the user's code that called the kernel; 0: it may not be read.
};

/// None if it runs, is gone, or may not be looked at. Some 10 us.
std::optional<SleepLook> look_at_sleep(std::uint32_t pid, std::uint32_t tid);

/// Without any perf event: how long threads ran and were runnable, by /proc/PID/task/TID/schedstat, looked at now and
/// then. What lived between two looks is not seen. Not thread-safe.
class SchedstatWatch {
 public:
  SchedstatWatch(pid_t root, std::uint64_t period_ns);

  void look(std::uint64_t now_ns);  ///< At the process and all below it.
  /// Threads and samples, without stacks; a thread's life is from the first look to the last that saw it.
  OffCpuRecording finish();

 private:
  struct Life {
    std::uint32_t pid = 0;
    std::string name;
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;
    std::uint64_t running_ns[2] = {};  ///< At the first look, at the last.
    std::uint64_t runnable_ns[2] = {};
  };

  void look_at(pid_t pid, std::uint64_t now_ns);

  pid_t root_;
  std::uint64_t period_ns_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, Life> lives_;  ///< By pid and tid.
};

}  // namespace aiopt
