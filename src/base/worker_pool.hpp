/// WorkerPool: N threads that run what is submitted. oneTBB's arena, or std::jthread for the thread sanitizer.

#pragma once

#include <functional>
#include <memory>

namespace aiopt {

class WorkerPool {
 public:
  /// @pre workers >= 1. More workers than processors are allowed: they wait for children.
  explicit WorkerPool(int workers);
  /// Waits for what was submitted.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// Runs `work` on one of the workers, soon. Safe from any thread. `work` must not throw.
  void submit(std::function<void()> work);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace aiopt
