/// Names and thresholds of idle waits.

#include "profile/idle_rule.hpp"

#include <algorithm>
#include <array>

#include "base/glob.hpp"

namespace aiopt {
namespace {

using Names = std::span<const std::string_view>;

/// Loops in which workers of well-known pools wait for something to do.
constexpr auto kIdleLoops = std::to_array<std::string_view>({
    "rocksdb::ThreadPoolImpl::Impl::BGThread", "rocksdb::Timer::Run", "rocksdb::RepeatableThread::*",
    "leveldb::*::BackgroundThreadMain", "tbb::detail::r1::*", "folly::*ThreadPoolExecutor::*",
    "boost::asio::detail::scheduler::*", "BS::*thread_pool*::worker", "grpc_core::*ThreadPool*", "uv_*",
    "worker",  // libuv's
});

/// Between a wait and who asked for it. Beginnings of names, without leading underscores.
constexpr auto kLibraryPrefixes = std::to_array<std::string_view>({
    "std::",
    "gnu_cxx::",
    "pthread_",
    "futex_",
    "syscall",
    "internal_syscall",
    "GI_",
    "libc_",
    "lll_",
    "gthread_",
    "clock_nanosleep",
    "nanosleep",
    "usleep",
    "absl::Condition",
    "absl::Mutex",
    "absl::synchronization_internal",
    "rocksdb::port::CondVar",
    "rocksdb::InstrumentedCondVar",
    "leveldb::port::CondVar",
});

constexpr auto kJoins = std::to_array<std::string_view>({
    "pthread_join",
    "pthread_clockjoin_ex",
    "pthread_timedjoin_np",
    "pthread_tryjoin_np",
    "thrd_join",
    "std::thread::join",
    "std::jthread::join",
    "wait",
    "wait3",
    "wait4",
    "waitid",
    "waitpid",
    "libc_wait",
    "GI_wait4",
    "GI_waitpid",
    "GI_waitid",
    "do_wait",
    "kernel_waitid",
});

constexpr auto kRequests = std::to_array<std::string_view>({
    "epoll_wait",   "epoll_pwait", "epoll_pwait2", "accept",     "accept4", "sigwait",   "sigwaitinfo",
    "sigtimedwait", "sigsuspend",  "pause",        "poll",       "ppoll",   "select",    "pselect",
    "select64",     "libc_accept", "libc_poll",    "libc_pause", "GI_poll", "GI_select", "GI_epoll_wait",
});

std::string_view without_underscores(std::string_view name) {
  name.remove_prefix(std::min(name.find_first_not_of('_'), name.size()));
  return name.substr(0, name.find('@'));
}

bool is_one_of(std::string_view function, Names names) {
  return std::find(names.begin(), names.end(), without_underscores(function)) != names.end();
}

bool any_is_one_of(std::span<const std::string> functions, Names names) {
  return std::any_of(functions.begin(), functions.end(), [&](const auto& name) { return is_one_of(name, names); });
}

bool is_of_library(std::string_view function) {
  const std::string_view name = without_underscores(function);
  return name.empty() || std::any_of(kLibraryPrefixes.begin(), kLibraryPrefixes.end(),
                                     [&](std::string_view prefix) { return name.starts_with(prefix); });
}

/// The innermost of the program's own; empty if there is none.
std::string_view waiting_function(std::span<const std::string> functions) {
  const auto own = std::find_if_not(functions.begin(), functions.end(), is_of_library);
  return own == functions.end() ? std::string_view() : std::string_view(*own);
}

bool is_idle_loop(std::string_view function) {
  return std::any_of(kIdleLoops.begin(), kIdleLoops.end(),
                     [&](std::string_view pattern) { return glob_matches(pattern, function); });
}

bool any_matches(std::span<const std::string> functions, const std::vector<std::string>& patterns) {
  return std::any_of(functions.begin(), functions.end(), [&](const std::string& function) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return glob_matches(pattern, function); });
  });
}

bool is_nearly_all(std::uint64_t part, std::uint64_t all) {
  return all != 0 && part * 10 >= all * 9;
}

/// See 7 of idle_reason().
std::optional<IdleReason> without_progress(const RecordedWait& wait, const IdleRules& rules) {
  if (wait.followed == 0 || !is_nearly_all(wait.came_back, wait.followed)) return std::nullopt;
  const double mean_ns = static_cast<double>(wait.wait_ns) / static_cast<double>(wait.waits);
  const double cpu_ns = static_cast<double>(wait.cpu_after_ns) / static_cast<double>(wait.followed);
  const bool is_long = mean_ns >= static_cast<double>(rules.long_wait_ns);
  const bool is_little = cpu_ns <= static_cast<double>(rules.little_cpu_ns) && cpu_ns <= rules.little_share * mean_ns;
  if (!is_long || !is_little) return std::nullopt;
  if (is_nearly_all(wait.wakes.by_interrupt, wait.samples - std::min(wait.samples, wait.wakes.unknown))) {
    return IdleReason::no_work;
  }
  if (wait.waits == 1 && wait.ended_after == 1) return IdleReason::woken_to_end;
  return std::nullopt;
}

}  // namespace

std::string_view to_string(IdleReason reason) {
  switch (reason) {
    case IdleReason::by_name:
      return "by name";
    case IdleReason::joins:
      return "joins";
    case IdleReason::awaits_requests:
      return "awaits requests";
    case IdleReason::no_work:
      return "no work";
    case IdleReason::never_woken:
      return "never woken";
    case IdleReason::woken_to_end:
      return "woken to end";
  }
  return "";
}

std::optional<IdleReason> idle_reason(const WaitFacts& facts, const IdleRules& rules) {
  const RecordedWait& wait = facts.wait;
  if (wait.activity == ThreadActivity::running || any_matches(facts.functions, rules.needed_functions)) return {};
  if (any_matches(facts.functions, rules.idle_functions)) return IdleReason::by_name;
  if (is_idle_loop(waiting_function(facts.functions))) return IdleReason::by_name;
  if (any_is_one_of(facts.functions, kJoins)) return IdleReason::joins;
  if (wait.activity != ThreadActivity::blocked) return {};
  if (is_nearly_all(wait.wakes.by_ending_thread, wait.samples)) return IdleReason::joins;
  if (any_is_one_of(facts.functions, kRequests)) return IdleReason::awaits_requests;
  if (facts.kind == WaitClass::io) return {};
  if (is_nearly_all(wait.wakes.never, wait.samples)) return IdleReason::never_woken;
  return without_progress(wait, rules);
}

}  // namespace aiopt
