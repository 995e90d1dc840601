/// A program that waits in a known way, and writes down for how long its threads lived and ran: the ground truth.
/// waiting MODE REPORT [N]

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

std::atomic<double> lived{0.0};
std::atomic<double> ran{0.0};

/// Of the thread that makes it.
class LifeClock {
 public:
  ~LifeClock() {
    lived += seconds(CLOCK_MONOTONIC) - began_;
    ran += seconds(CLOCK_THREAD_CPUTIME_ID) - ran_before_;
  }

 private:
  double began_ = seconds(CLOCK_MONOTONIC);
  double ran_before_ = seconds(CLOCK_THREAD_CPUTIME_ID);
};

volatile std::uint64_t sink = 0;

__attribute__((noinline)) void compute(int rounds) {
  for (int i = 0; i < rounds; ++i) sink = sink + static_cast<std::uint64_t>(i);
}

/// By the clock, so that it is work on a fast machine too.
void compute_for_a_millisecond() {
  const double until = seconds(CLOCK_THREAD_CPUTIME_ID) + 1e-3;
  while (seconds(CLOCK_THREAD_CPUTIME_ID) < until) compute(10'000);
}

__attribute__((noinline)) void nap() {
  usleep(9000);
  sink = sink + 1;  // Without it, it would jump to usleep and not be on the stack.
}

void run_sleeper(int rounds) {
  for (int i = 0; i < rounds; ++i) {
    nap();
    compute_for_a_millisecond();
  }
}

void run_busy(int milliseconds) {
  const double until = seconds(CLOCK_MONOTONIC) + milliseconds / 1e3;
  while (seconds(CLOCK_MONOTONIC) < until) compute(10'000);
}

__attribute__((noinline)) void write_durably(int file) {
  static char block[4096];
  if (write(file, block, sizeof block) < 0) std::abort();
  fsync(file);
}

void run_fsync(int rounds, const std::string& path) {
  const int file = open(path.c_str(), O_CREAT | O_TRUNC | O_RDWR, 0600);
  for (int i = 0; i < rounds; ++i) {
    compute(100'000);
    write_durably(file);
  }
  close(file);
  unlink(path.c_str());
}

std::mutex convoy_mutex;

__attribute__((noinline)) void hold_lock(int i) {
  const std::lock_guard lock(convoy_mutex);
  compute(20'000);
  if (i % 20 == 0) usleep(500);
}

void run_convoy(int threads) {
  std::vector<std::thread> all;
  for (int t = 0; t < threads; ++t) {
    all.emplace_back([] {
      const LifeClock life;
      for (int i = 0; i < 4000; ++i) {
        hold_lock(i);
        compute(10'000);
      }
    });
  }
  for (std::thread& thread : all) thread.join();
}

class Queue {
 public:
  void push(int item) {
    {
      const std::lock_guard lock(mutex_);
      items_.push_back(item);
    }
    filled_.notify_one();
  }

  int pop() {
    std::unique_lock lock(mutex_);
    filled_.wait(lock, [&] { return !items_.empty(); });
    const int item = items_.front();
    items_.pop_front();
    return item;
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<int> items_;
};

void run_queue(int items) {
  Queue queue;
  std::thread consumer([&] {
    const LifeClock life;
    while (queue.pop() >= 0) compute(100'000);
  });
  for (int i = 0; i < items; ++i) {
    usleep(1000);
    compute(100'000);
    queue.push(i);
  }
  queue.push(-1);
  consumer.join();
}

/// Workers of which one has something to do, a timer, and the thread that waits for them all.
void run_pool(int milliseconds) {
  Queue idle;
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) {
    workers.emplace_back([&] {
      const LifeClock life;
      while (idle.pop() >= 0) {
      }
    });
  }
  std::atomic<bool> is_over{false};
  std::thread timer([&] {
    const LifeClock life;
    while (!is_over) usleep(20'000);
  });
  std::thread worker([&] {
    const LifeClock life;
    const double until = seconds(CLOCK_MONOTONIC) + milliseconds / 1e3;
    while (seconds(CLOCK_MONOTONIC) < until) {
      compute(1'000'000);
      usleep(2000);
    }
  });
  worker.join();
  is_over = true;
  timer.join();
  for (int i = 0; i < 3; ++i) idle.push(-1);
  for (std::thread& thread : workers) thread.join();
}

void run_churn(int threads) {
  for (int i = 0; i < threads; ++i) {
    std::thread([] {
      const LifeClock life;
      compute(30'000);
      usleep(300);
    }).join();
  }
}

/// A round trip over two pipes each: as many switches as the machine can do.
void run_ping_pong(int rounds) {
  int there[2];
  int back[2];
  if (pipe(there) != 0 || pipe(back) != 0) std::abort();
  std::thread other([&] {
    const LifeClock life;
    char byte = 0;
    for (int i = 0; i < rounds; ++i) {
      if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1) std::abort();
    }
  });
  char byte = 0;
  for (int i = 0; i < rounds; ++i) {
    if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1) std::abort();
  }
  other.join();
}

__attribute__((noinline)) bool read_at_depth(int from, int depth) {
  char byte = 0;
  const bool was_read = depth > 0 ? read_at_depth(from, depth - 1) : read(from, &byte, 1) == 1;
  sink = sink + 1;
  return was_read;
}

/// 32 pairs of threads, each with a round trip over two pipes and a nap, 521 times a second: 50,000 switches a second
/// in all, out of some hundred different stacks.
void run_storm(int milliseconds) {
  const double until = seconds(CLOCK_MONOTONIC) + milliseconds / 1e3;
  constexpr double kRound = 32 * 3 / 50'000.0;
  constexpr int kDepths = 20;
  std::vector<std::thread> all;
  for (int pair = 0; pair < 32; ++pair) {
    int there[2];
    int back[2];
    if (pipe(there) != 0 || pipe(back) != 0) std::abort();
    all.emplace_back([=] {
      const LifeClock life;
      const char byte = 0;
      for (int i = 0; read_at_depth(there[0], (pair + i) % kDepths); ++i) {
        if (write(back[1], &byte, 1) != 1) std::abort();
      }
      close(back[1]);
    });
    all.emplace_back([=] {
      const LifeClock life;
      const char byte = 0;
      double next = seconds(CLOCK_MONOTONIC);
      for (int i = 0; next < until; ++i) {
        if (write(there[1], &byte, 1) != 1 || !read_at_depth(back[0], (pair + i) % kDepths)) std::abort();
        next += kRound;
        const double left = next - seconds(CLOCK_MONOTONIC);
        if (left > 0.0) usleep(static_cast<useconds_t>(left * 1e6));
      }
      close(there[1]);
    });
  }
  for (std::thread& thread : all) thread.join();
}

/// The process itself again, as a child, in another mode: a wrapper.
void run_tree(char** argv) {
  const pid_t child = fork();
  if (child == 0) {
    execl("/proc/self/exe", argv[0], "sleeper", argv[2], argv[3], nullptr);
    _exit(127);
  }
  waitpid(child, nullptr, 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const std::string mode = argv[1];
  const std::string report = argv[2];
  const int n = std::atoi(argv[3]);
  const double began = seconds(CLOCK_MONOTONIC);
  {
    const LifeClock life;
    if (mode == "sleeper") run_sleeper(n);
    if (mode == "busy") run_busy(n);
    if (mode == "fsync") run_fsync(n, report + ".data");
    if (mode == "convoy") run_convoy(n);
    if (mode == "queue") run_queue(n);
    if (mode == "pool") run_pool(n);
    if (mode == "churn") run_churn(n);
    if (mode == "ping_pong") run_ping_pong(n);
    if (mode == "storm") run_storm(n);
    if (mode == "tree") run_tree(argv);
  }
  if (mode == "tree") return 0;  // The child has written.
  std::FILE* file = std::fopen(report.c_str(), "w");
  if (file == nullptr) return 1;
  std::fprintf(file, "%.6f %.6f %.6f\n", lived.load(), ran.load(), seconds(CLOCK_MONOTONIC) - began);
  std::fclose(file);
  return 0;
}
