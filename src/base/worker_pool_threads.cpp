/// WorkerPool on std::jthread, for the thread sanitizer.

#include <cassert>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/worker_pool.hpp"

namespace aiopt {

struct WorkerPool::Impl {
  void run_worker() {
    while (std::function<void()> work = next()) work();
  }

  /// Waits for the next piece of work; nothing once the pool is closing and all is done.
  std::function<void()> next() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return is_closing || !waiting.empty(); });
    if (waiting.empty()) return nullptr;
    std::function<void()> work = std::move(waiting.front());
    waiting.pop_front();
    return work;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> waiting;
  bool is_closing = false;
  std::vector<std::jthread> threads;
};

WorkerPool::WorkerPool(int workers) : impl_(std::make_unique<Impl>()) {
  assert(workers >= 1);
  for (int i = 0; i < workers; ++i) impl_->threads.emplace_back([impl = impl_.get()] { impl->run_worker(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->is_closing = true;
  }
  impl_->changed.notify_all();
  impl_->threads.clear();
}

void WorkerPool::submit(std::function<void()> work) {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->waiting.push_back(std::move(work));
  }
  impl_->changed.notify_one();
}

}  // namespace aiopt
