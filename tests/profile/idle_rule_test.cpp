/// What is idle and what is waiting.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "profile/idle_rule.hpp"

using namespace aiopt;

namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;

/// `waits` of `ms` each, all ended by the same; then the thread ran for `cpu_us` and blocked in the same stack.
RecordedWait waits_of(std::uint64_t waits, std::uint64_t ms, std::uint64_t WakeCounts::*by, std::uint64_t cpu_us) {
  RecordedWait wait;
  wait.activity = ThreadActivity::blocked;
  wait.samples = waits * ms;
  wait.waits = waits;
  wait.wait_ns = waits * ms * kNsPerMs;
  wait.wakes.*by = wait.samples;
  wait.followed = waits;
  wait.came_back = waits;
  wait.cpu_after_ns = waits * cpu_us * 1000;
  return wait;
}

std::optional<IdleReason> reason(const RecordedWait& wait, const std::vector<std::string>& functions,
                                 WaitClass kind = WaitClass::lock, const IdleRules& rules = {}) {
  return idle_reason({kind, wait, functions}, rules);
}

const std::vector<std::string> kCondition{"__futex_abstimed_wait_common", "pthread_cond_wait",
                                          "std::condition_variable::wait"};

std::vector<std::string> condition_in(const std::string& function) {
  std::vector<std::string> functions = kCondition;
  functions.push_back(function);
  functions.push_back("start_thread");
  return functions;
}

}  // namespace

TEST_CASE("whoever joins waits for nothing of its own") {
  const RecordedWait wait = waits_of(1, 500, &WakeCounts::unknown, 300);
  CHECK(reason(wait, {"__futex_abstimed_wait_common", "__pthread_clockjoin_ex", "main"}) == IdleReason::joins);
  CHECK(reason(wait, {"std::thread::join", "main"}) == IdleReason::joins);
  CHECK(reason(wait, {"wait4", "main"}, WaitClass::other) == IdleReason::joins);
  CHECK(reason(waits_of(1, 500, &WakeCounts::by_ending_thread, 300), {"", ""}) == IdleReason::joins);
  CHECK_FALSE(reason(wait, {"await_flush", "main"}).has_value());
}

TEST_CASE("a server that nobody asks anything is idle") {
  const RecordedWait wait = waits_of(20, 10, &WakeCounts::by_thread, 3000);
  CHECK(reason(wait, {"epoll_wait", "serve", "main"}, WaitClass::other) == IdleReason::awaits_requests);
  CHECK(reason(wait, {"__libc_accept", "serve"}, WaitClass::other) == IdleReason::awaits_requests);
}

TEST_CASE("a timer that looks, finds nothing and sleeps again is idle; one that works is not") {
  CHECK(reason(waits_of(25, 20, &WakeCounts::by_interrupt, 40), {"clock_nanosleep", "tick"}, WaitClass::other) ==
        IdleReason::no_work);
  CHECK_FALSE(reason(waits_of(25, 20, &WakeCounts::by_interrupt, 5000), {"clock_nanosleep", "work"}, WaitClass::other));
  // Half a millisecond of sleep between two looks at something is how some programs wait.
  CHECK_FALSE(reason(waits_of(900, 1, &WakeCounts::by_interrupt, 5), {"usleep", "back_off"}, WaitClass::other));
}

TEST_CASE("a lock that is held for long, and a disk, are waited for however little is done afterwards") {
  CHECK_FALSE(reason(waits_of(20, 50, &WakeCounts::by_thread, 20), {"pthread_mutex_lock", "hold"}));
  CHECK_FALSE(reason(waits_of(20, 50, &WakeCounts::by_interrupt, 20), {"fsync", "append"}, WaitClass::io));
}

TEST_CASE("who woke a thread must be known to call its looks idle") {
  CHECK_FALSE(reason(waits_of(25, 20, &WakeCounts::unknown, 40), {"clock_nanosleep", "tick"}, WaitClass::other));
}

TEST_CASE("a worker that never got anything to do is idle, whether it was woken at the end or not") {
  RecordedWait wait = waits_of(1, 500, &WakeCounts::never, 0);
  wait.followed = wait.came_back = 0;
  CHECK(reason(wait, condition_in("pool_loop")) == IdleReason::never_woken);
  wait = waits_of(1, 500, &WakeCounts::by_thread, 30);
  CHECK_FALSE(reason(wait, condition_in("pool_loop")));  // It went on to wait there: it may have done what it had to.
  wait.ended_after = 1;
  CHECK(reason(wait, condition_in("pool_loop")) == IdleReason::woken_to_end);
  wait.cpu_after_ns = 300 * kNsPerMs;
  CHECK_FALSE(reason(wait, condition_in("pool_loop")));
}

TEST_CASE("the loops of known pools are idle where they themselves wait, not where a job in them does") {
  const RecordedWait wait = waits_of(3, 100, &WakeCounts::by_thread, 90'000);
  CHECK(reason(wait, condition_in("rocksdb::ThreadPoolImpl::Impl::BGThread")) == IdleReason::by_name);
  CHECK(reason(wait, condition_in("leveldb::(anonymous namespace)::PosixEnv::BackgroundThreadMain")) ==
        IdleReason::by_name);
  std::vector<std::string> job = condition_in("rocksdb::CompactionJob::Run");
  job.push_back("rocksdb::ThreadPoolImpl::Impl::BGThread");
  CHECK_FALSE(reason(wait, job));
}

TEST_CASE("the user has the last word, by name") {
  IdleRules rules;
  rules.idle_functions = {"my::Pool::*"};
  const RecordedWait wait = waits_of(20, 50, &WakeCounts::by_thread, 9000);
  CHECK(reason(wait, condition_in("my::Pool::loop"), WaitClass::lock, rules) == IdleReason::by_name);
  CHECK_FALSE(reason(wait, condition_in("my::Queue::pop"), WaitClass::lock, rules));
  rules.needed_functions = {"await_replies"};
  CHECK_FALSE(reason(wait, {"epoll_wait", "await_replies"}, WaitClass::other, rules));
}

TEST_CASE("a thread that runs is not idle, and one that waits for a CPU only where it joins or a name says so") {
  RecordedWait wait = waits_of(20, 50, &WakeCounts::by_interrupt, 1);
  wait.activity = ThreadActivity::running;
  CHECK_FALSE(reason(wait, {"pthread_join"}));
  wait.activity = ThreadActivity::scheduling;
  CHECK_FALSE(reason(wait, {"clock_nanosleep", "tick"}, WaitClass::scheduling));
  CHECK(reason(wait, {"pthread_join", "main"}, WaitClass::scheduling) == IdleReason::joins);
}
