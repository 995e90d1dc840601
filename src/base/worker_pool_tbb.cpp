/// WorkerPool on an arena of oneTBB.

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include "base/worker_pool.hpp"

namespace aiopt {
namespace {

/// Without a global_control oneTBB runs no more workers than there are processors, whatever an arena asks for. Of
/// several controls the smallest rules, so that each pool asks for the same number; its arena has its own bound.
constexpr std::size_t kLeastParallelism = 1024;

}  // namespace

struct WorkerPool::Impl {
  explicit Impl(int workers)
      : parallelism(tbb::global_control::max_allowed_parallelism,
                    std::max(kLeastParallelism, static_cast<std::size_t>(workers) + 1)),
        arena(workers, 0) {}

  void finished_one() {
    // Under the lock to its end: once the count is 0, the destructor may take all this away.
    const std::scoped_lock lock(mutex);
    --unfinished;
    if (unfinished == 0) all_finished.notify_all();
  }

  tbb::global_control parallelism;
  tbb::task_arena arena;
  std::mutex mutex;
  std::condition_variable all_finished;
  std::size_t unfinished = 0;
};

WorkerPool::WorkerPool(int workers) : impl_(std::make_unique<Impl>(workers)) {
  assert(workers >= 1);
}

WorkerPool::~WorkerPool() {
  std::unique_lock lock(impl_->mutex);
  impl_->all_finished.wait(lock, [&] { return impl_->unfinished == 0; });
}

void WorkerPool::submit(std::function<void()> work) {
  {
    const std::scoped_lock lock(impl_->mutex);
    ++impl_->unfinished;
  }
  impl_->arena.enqueue([impl = impl_.get(), held = std::make_shared<std::function<void()>>(std::move(work))] {
    (*held)();
    *held = nullptr;  // What it holds goes before the destructor may return.
    impl->finished_one();
  });
}

}  // namespace aiopt
