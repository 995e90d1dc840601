/// WorkerPool on an arena of oneTBB.

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>

#include <oneapi/tbb/concurrent_queue.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include "base/worker_pool.hpp"

namespace aiopt {
namespace {

/// Without a global_control oneTBB runs no more workers than there are processors, whatever an arena asks for. Of
/// several controls the smallest rules, so that each pool asks for the same number; its arena has its own bound.
constexpr std::size_t kLeastParallelism = 1024;

}  // namespace

/// Each worker is one task that waits for work in a queue and sleeps meanwhile. A task for each piece of work would be
/// less code, but a TBB thread that has run out of tasks looks for more for a while, with sched_yield(2): that was a
/// sixth of all that an iteration of the engine costs, on the processors that candidates are measured on.
struct WorkerPool::Impl {
  explicit Impl(int workers)
      : parallelism(tbb::global_control::max_allowed_parallelism,
                    std::max(kLeastParallelism, static_cast<std::size_t>(workers) + 1)),
        arena(workers, 0),
        running(static_cast<std::size_t>(workers)) {}

  void run_worker() noexcept {
    while (std::function<void()> work = next()) {
      work();
      work = nullptr;  // What it holds goes before it counts as done.
      one_less(unfinished);
    }
    one_less(running);
  }

  /// An empty one is the sign to end.
  std::function<void()> next() {
    std::function<void()> work;
    waiting.pop(work);
    return work;
  }

  /// Under the lock to its end: once `running` is 0, the destructor may take all this away.
  void one_less(std::size_t& count) {
    const std::scoped_lock lock(mutex);
    if (--count == 0) changed.notify_all();
  }

  tbb::global_control parallelism;
  tbb::concurrent_bounded_queue<std::function<void()>> waiting;
  tbb::task_arena arena;
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t unfinished = 0;  ///< What was submitted; it may itself submit more.
  std::size_t running;         ///< Workers.
};

WorkerPool::WorkerPool(int workers) : impl_(std::make_unique<Impl>(workers)) {
  assert(workers >= 1);
  for (int i = 0; i < workers; ++i) impl_->arena.enqueue([impl = impl_.get()] { impl->run_worker(); });
}

WorkerPool::~WorkerPool() {
  std::unique_lock lock(impl_->mutex);
  impl_->changed.wait(lock, [&] { return impl_->unfinished == 0; });
  for (std::size_t i = 0; i < impl_->running; ++i) impl_->waiting.push(nullptr);
  impl_->changed.wait(lock, [&] { return impl_->running == 0; });
}

void WorkerPool::submit(std::function<void()> work) {
  {
    const std::scoped_lock lock(impl_->mutex);
    ++impl_->unfinished;
  }
  impl_->waiting.push(std::move(work));
}

}  // namespace aiopt
