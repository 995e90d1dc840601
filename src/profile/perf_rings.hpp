/// PerfRings: the kernel's records of a process and all that it starts, from one ring buffer per CPU.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <aiopt/result.hpp>

#include "base/file_descriptor.hpp"
#include "profile/perf_parser.hpp"
#include "profile/perf_record.hpp"
#include "profile/target_tree.hpp"

namespace aiopt {

/// What the kernel lets us see; each less than the one before. Which is reached is found out by opening the events.
enum class SamplerLevel {
  /// All, wake-ups too: root or CAP_PERFMON, tracefs readable, the machine's first PID namespace. Records are made of
  /// the whole machine's switches, and those of others dropped: cheaper than events that move with each thread.
  full,
  kernel,   ///< No wake-ups: kernel.perf_event_paranoid is 1 or less.
  user,     ///< No kernel addresses and no stack where a thread is switched out: paranoid is 2.
  nothing,  ///< No perf events at all.
};

struct PerfRingsOptions {
  std::uint64_t period_ns = 1'000'000;  ///< Of samples off the CPU and on it: how the time of each thread is counted.
  /// Of the task clock, by which is seen where a thread runs; for how long is known from its switches.
  std::uint64_t clock_period_ns = 4'000'000;
  std::size_t dump_bytes = 1024;  ///< Of the user's stack at each switch; a multiple of 8, below 64 KiB. 0: none.
  SamplerLevel best = SamplerLevel::full;  ///< Do not try what is better.
};

/// CLOCK_MONOTONIC, as the records have it.
std::uint64_t monotonic_ns();

/// Move-only; not thread-safe. Closing it ends the recording.
class PerfRings {
 public:
  /// For a child that waits before its execve(2): recording begins there, with whatever it forks later in it.
  /// Errors: unavailable (no level but `nothing`).
  static Result<PerfRings> open_before_exec(pid_t pid, const PerfRingsOptions& options);

  /// For a process that runs: all its threads, and whatever those start. Its child processes are not in it.
  /// Errors: unavailable, not_found (there is no such process).
  static Result<PerfRings> attach(pid_t pid, const PerfRingsOptions& options);

  SamplerLevel level() const { return level_; }
  std::size_t ring_bytes() const { return ring_bytes_; }

  /// Until a ring is a quarter full, or the time is over.
  void wait(std::chrono::milliseconds patience) const;
  /// How full the fullest ring is, in [0, 1].
  double fullness() const;

  /// Hands over all records up to that time, those of all rings in one order of time, and frees their room.
  /// @param until_ns  some milliseconds ago: a CPU may still be writing what it has seen by now
  void drain(std::uint64_t until_ns, const std::function<void(const PerfRecord&)>& sink);

  /// Whether a thread's stack is taken when it is switched out (some 6 us a time) and where it runs, by a timer that
  /// is set and stopped at each switch. From the start on it is. A system call for each event, and in the kernel some
  /// work for each thread and CPU.
  void take_stacks(bool takes);

  void stop();  ///< No more records are made.

  std::uint64_t records() const { return records_; }
  std::uint64_t lost() const;  ///< Records for which there was no room.
  std::uint64_t throttled() const { return parser_.throttled; }

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(std::byte* memory) const;
  };

  struct Ring {
    FileDescriptor event;
    std::unique_ptr<std::byte, Unmap> memory;  ///< A page of perf_event_mmap_page, then the data.
    int cpu = -1;
    std::uint64_t head = 0;              ///< As far as it was written when draining began.
    std::uint64_t tail = 0;              ///< As far as it was read.
    std::vector<std::uint64_t> wrapped;  ///< A record that lies across the end, in one piece.
  };

  PerfRings() = default;

  Result<void> open(pid_t pid, const std::vector<pid_t>& threads, bool on_exec, const PerfRingsOptions& options);
  Result<void> open_at(SamplerLevel level, pid_t pid, const std::vector<pid_t>& threads, bool on_exec,
                       const PerfRingsOptions& options);
  Result<void> open_machine(const PerfRingsOptions& options);
  Result<void> open_thread(pid_t thread, bool on_exec, const PerfRingsOptions& options);
  Result<void> open_wakings();
  Result<void> add_event(const perf_event_attr& attributes, pid_t thread, int cpu, PerfEventKind kind,
                         std::vector<FileDescriptor>& events);
  Result<void> add_ring(FileDescriptor event, int cpu, std::size_t bytes);
  Result<FileDescriptor> open_event(perf_event_attr attributes, pid_t thread, int cpu, PerfEventKind kind);
  Ring* ring_of(int cpu);
  const perf_event_header* front(Ring& ring) const;
  void release(Ring& ring) const;

  SamplerLevel level_ = SamplerLevel::nothing;
  std::size_t ring_bytes_ = 0;
  std::vector<Ring> rings_;
  std::vector<FileDescriptor> stacks_;  ///< Events of stacks, which write into the ring of another.
  std::vector<FileDescriptor> others_;  ///< Other events that do.
  PerfParser parser_;
  std::optional<TargetTree> tree_;  ///< Where records come from the whole machine.
  bool tells_lost_ = true;          ///< read(2) of an event gives how many of its records were lost: Linux 6.0.
  std::uint64_t records_ = 0;
};

}  // namespace aiopt
