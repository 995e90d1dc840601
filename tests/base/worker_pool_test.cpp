/// Tests of WorkerPool, whichever of its two implementations was built.

#include "base/worker_pool.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include <doctest/doctest.h>

using aiopt::WorkerPool;

namespace {

/// Holds up whoever comes until `expected` are there, or ten seconds have gone.
class Gathering {
 public:
  explicit Gathering(unsigned expected) : expected_(expected) {}

  void join() {
    std::unique_lock lock(mutex_);
    if (++present_ == expected_) all_here_.notify_all();
    if (!all_here_.wait_for(lock, std::chrono::seconds(10), [&] { return present_ >= expected_; })) failed_ = true;
  }
  bool failed() const { return failed_; }

 private:
  const unsigned expected_;
  std::mutex mutex_;
  std::condition_variable all_here_;
  unsigned present_ = 0;
  std::atomic<bool> failed_ = false;
};

}  // namespace

TEST_CASE("more workers than processors really run at once, all of them blocked") {
  const unsigned workers = std::thread::hardware_concurrency() * 4 + 3;
  for (int round = 0; round < 20; ++round) {
    Gathering gathering(workers);
    {
      WorkerPool pool(static_cast<int>(workers));
      for (unsigned i = 0; i < workers; ++i) pool.submit([&] { gathering.join(); });
    }
    REQUIRE_FALSE(gathering.failed());
  }
}

TEST_CASE("two pools do not take each other's workers") {
  Gathering gathering(12);
  {
    WorkerPool small(2);
    WorkerPool large(10);
    for (int i = 0; i < 2; ++i) small.submit([&] { gathering.join(); });
    for (int i = 0; i < 10; ++i) large.submit([&] { gathering.join(); });
  }
  CHECK_FALSE(gathering.failed());
}

TEST_CASE("no more than the asked number run at once, and all that was submitted runs") {
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  std::atomic<int> done = 0;
  {
    WorkerPool pool(3);
    for (int i = 0; i < 100; ++i) {
      pool.submit([&] {
        const int now = ++running;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        --running;
        ++done;
      });
    }
  }
  CHECK(done == 100);
  CHECK(most <= 3);
}

TEST_CASE("work may submit work, and what it holds is let go before the pool ends") {
  auto held = std::make_shared<std::atomic<int>>(0);
  {
    WorkerPool pool(1);
    pool.submit([&pool, held] {
      pool.submit([held] { ++*held; });
      ++*held;
    });
  }
  CHECK(*held == 2);
  CHECK(held.use_count() == 1);
}
