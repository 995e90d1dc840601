/// A program whose threads are busy, wait, or have nothing to do, by its one argument: what subprocess_test counts.

#include <time.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

using SteadyClock = std::chrono::steady_clock;

void spin_for(std::chrono::milliseconds time) {
  const auto end = SteadyClock::now() + time;
  while (SteadyClock::now() < end) {
  }
}

void two_busy() {
  std::jthread first(spin_for, 500ms);
  std::jthread second(spin_for, 500ms);
}

/// One thread is busy for 600 ms, main sleeps, and five threads of a pool have nothing to do.
void one_busy() {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_over = false;
  std::vector<std::jthread> idle;
  for (int i = 0; i < 5; ++i) {
    idle.emplace_back([&] {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return is_over; });
    });
  }
  std::jthread busy(spin_for, 600ms);
  std::this_thread::sleep_for(650ms);
  const std::scoped_lock lock(mutex);
  is_over = true;
  changed.notify_all();
}

/// For half a second, 20 ms each.
void one_waits() {
  std::jthread waiting([] {
    for (int i = 0; i < 25; ++i) std::this_thread::sleep_for(20ms);
  });
}

void uses_300_ms() {
  timespec used{};
  while (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0 && used.tv_sec == 0 && used.tv_nsec < 300'000'000) {
  }
}

/// For two seconds, 5 ms each.
void sixteen_wait() {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([] {
      for (int turn = 0; turn < 400; ++turn) std::this_thread::sleep_for(5ms);
    });
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what == "two_busy") {
    two_busy();
  } else if (what == "one_busy") {
    one_busy();
  } else if (what == "one_waits") {
    one_waits();
  } else if (what == "uses_300_ms") {
    uses_300_ms();
  } else if (what == "sixteen_wait") {
    sixteen_wait();
  } else {
    std::fputs("usage: thread_program two_busy|one_busy|one_waits|uses_300_ms|sixteen_wait\n", stderr);
    return 2;
  }
}
