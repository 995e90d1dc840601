/// PerfRecord: what the kernel tells of threads, one event after another, as the blocked samples are made from.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "profile/mapping.hpp"

namespace aiopt {

/// The thread runs: a tick of its task clock.
struct RunSample {
  std::span<const std::uint64_t> chain;  ///< As perf_event_open(2) has it, PERF_CONTEXT_* marks among the addresses.
};

/// The thread is about to be switched out.
struct SwitchSample {
  std::span<const std::uint64_t> chain;      ///< As above.
  std::span<const std::uint64_t> registers;  ///< The user's, by rising bit of kUserRegisters. Empty: a kernel thread.
  std::span<const std::byte> stack;          ///< The user's, from its stack pointer upwards. May be empty.
};

struct SwitchedOut {
  bool is_runnable = false;  ///< It was preempted or yielded: it waits for a CPU, for nothing else.
};
struct SwitchedIn {};

struct Woken {
  std::uint32_t waker = 0;       ///< The thread that ran there. An interrupt's says nothing.
  bool is_by_interrupt = false;  ///< A timer, or a device.
};

struct Started {  ///< PerfRecord::pid and tid are the new thread's.
  std::uint32_t parent_pid = 0;
  std::uint32_t parent_tid = 0;
};
struct Ended {};

struct Named {
  std::string_view name;
  bool is_exec = false;  ///< By execve(2): another program, nothing mapped.
};

/// A part of a file, or of no file, that can be executed is there from now on.
struct Mapped {
  Mapping mapping;
};

/// A thread that was there when the recording began.
struct Found {
  bool is_asleep = false;
};

/// Somebody looked at /proc/PID/task/TID/{wchan,syscall} while the thread slept: where there is no SwitchSample.
struct WaitSeen {
  std::string_view kernel_function;
  std::uint64_t program_counter = 0;  ///< The user's; 0: not known.
};

struct PerfRecord {
  std::uint64_t time_ns = 0;  ///< CLOCK_MONOTONIC.
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::variant<RunSample, SwitchSample, SwitchedOut, SwitchedIn, Woken, Started, Ended, Named, Mapped, Found, WaitSeen>
      event;  ///< What it points to is lent for the call that it is handed to.
};

#if defined(__x86_64__)
/// AX BX CX DX SI DI BP SP IP, R8 to R15: asm/perf_regs.h.
inline constexpr std::uint64_t kUserRegisters = 0xff01ff;
inline constexpr std::size_t kStackPointer = 7;  ///< Its place among the registers.
#elif defined(__aarch64__)
/// X0 to X30, SP, PC.
inline constexpr std::uint64_t kUserRegisters = (std::uint64_t{1} << 33) - 1;
inline constexpr std::size_t kStackPointer = 31;
#else
inline constexpr std::uint64_t kUserRegisters = 0;  ///< Frame pointers alone.
inline constexpr std::size_t kStackPointer = 0;
#endif

}  // namespace aiopt
