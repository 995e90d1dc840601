/// The idle rule: a wait for work is not a wait that work needs.

#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <aiopt/profile.hpp>

#include "profile/offcpu_recording.hpp"

namespace aiopt {

/// Why a wait counts as idle.
enum class IdleReason {
  by_name,          ///< A function on its stack is one that the user, or kIdleLoops, names.
  joins,            ///< It waits for the end of a thread or a process, whose waits count in its place.
  awaits_requests,  ///< epoll, accept, a signal: whoever is to ask for something has not yet.
  no_work,          ///< A timer woke it, it found nothing to do and slept again: a look now and then.
  never_woken,      ///< It slept all the time that was recorded.
  woken_to_end,     ///< A worker that got nothing to do, woken when all was over.
};

/// "by name", "joins"...
std::string_view to_string(IdleReason reason);

struct IdleRules {
  /// Globs of functions ("*::BGThread", "ThreadPool::*"): a wait with one of them on its stack is idle.
  std::vector<std::string> idle_functions;
  /// A wait with one of these is none, whatever else holds.
  std::vector<std::string> needed_functions;
  /// Of no work: the CPU time between a wake-up and the next wait is below both.
  std::uint64_t little_cpu_ns = 200'000;
  double little_share = 0.02;  ///< Of the wait before it.
  /// Waits shorter than that are never idle for want of work: they are a part of a protocol.
  std::uint64_t long_wait_ns = 5'000'000;
};

/// The waits of one thread in one stack.
struct WaitFacts {
  WaitClass kind = WaitClass::other;
  RecordedWait wait;
  /// Functions of the user's, innermost first, without arguments; empty texts where they are not known.
  std::span<const std::string> functions;
};

/// The first that holds of the reasons, or none. In this order:
/// 1. needed_functions: none.
/// 2. idle_functions; and where the innermost function of the program itself (past the C and C++ libraries, and
///    wrappers of condition variables) is a known pool's loop (RocksDB's, LevelDB's, oneTBB's...): by_name.
/// 3. pthread_join, std::thread::join, waitpid and their like on the stack: joins. A wait that an ending thread ended,
///    nine tenths of its samples: joins, too.
/// 4. epoll_wait, accept, sigwait and their like: awaits_requests.
/// 5. Waits for a device are none beyond this point.
/// 6. Waits that did not end during the recording, nine tenths of the samples: never_woken.
/// 7. Long ones after which the thread made next to no progress (IdleRules), nine tenths of the times:
///    - it ended, or went back into the same wait, and a timer had woken it: no_work. Without wake-ups in the recording
///      this is not known, and holds for none.
///    - a single one, then the thread ended: woken_to_end.
/// A thread that sleeps for a time on purpose, and then works, is no idle one; nor one that a thread wakes to do even
/// little: so a lock that is held for long, or a full queue, stays.
std::optional<IdleReason> idle_reason(const WaitFacts& facts, const IdleRules& rules = {});

}  // namespace aiopt
