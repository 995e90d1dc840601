/// Tests of the rule for which threads count as running, on a /proc made of plain files.

#include "base/thread_sampler.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include "base/files.hpp"

using namespace aiopt;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A /proc with process 1, which is sampled from, and its child 2.
class FakeProc {
 public:
  FakeProc() {
    set("1/task/1/children", "2 ");
    set("2/status", "Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t     777 kB\n");
  }

  void set(const std::string& file, const std::string& text) {
    fs::create_directories((folder_.path() / file).parent_path());
    std::ofstream(folder_.path() / file) << text;
  }
  void set_usage(int thread, std::chrono::nanoseconds run_time, int turns) {
    set("2/task/" + std::to_string(thread) + "/schedstat",
        std::to_string(run_time.count()) + " 5 " + std::to_string(turns) + "\n");
  }
  void set_program(int process, const std::string& program) {
    const fs::path exe = folder_.path() / std::to_string(process) / "exe";
    fs::create_directories(exe.parent_path());
    fs::remove(exe);
    fs::create_symlink(program, exe);
  }
  void remove(const std::string& file) { fs::remove_all(folder_.path() / file); }
  std::string path() const { return folder_.path().string(); }

 private:
  TemporaryFolder folder_;
};

constexpr std::chrono::steady_clock::time_point kStart{1h};

}  // namespace

TEST_CASE("a thread that uses the CPU at each look counts all the time") {
  FakeProc proc;
  ThreadSampler sampler(1, proc.path());
  for (int i = 0; i <= 10; ++i) {
    proc.set_usage(2, i * 10ms, 1);
    sampler.sample(kStart + i * 10ms);
  }
  CHECK(sampler.thread_time() == 100ms);
}

TEST_CASE("a thread that waits up to a quarter of a second and goes on was running meanwhile") {
  FakeProc proc;
  ThreadSampler sampler(1, proc.path());
  proc.set_usage(2, 1ms, 1);
  sampler.sample(kStart);
  sampler.sample(kStart + 100ms);
  proc.set_usage(2, 2ms, 2);
  sampler.sample(kStart + 250ms);
  CHECK(sampler.thread_time() == 251ms);
}

TEST_CASE("of a longer wait only the CPU time at its end counts") {
  FakeProc proc;
  ThreadSampler sampler(1, proc.path());
  proc.set_usage(2, 1ms, 1);
  sampler.sample(kStart);
  proc.set_usage(2, 4ms, 2);
  sampler.sample(kStart + 251ms);
  CHECK(sampler.thread_time() == 4ms);
}

TEST_CASE("a thread that never runs again does not count") {
  FakeProc proc;
  proc.set_usage(2, 1ms, 1);
  ThreadSampler sampler(1, proc.path());
  for (int i = 0; i <= 100; ++i) sampler.sample(kStart + i * 10ms);
  CHECK(sampler.thread_time() == 1ms);
}

TEST_CASE("a thread that was given the CPU for too short a time to show has run all the same") {
  FakeProc proc;
  ThreadSampler sampler(1, proc.path());
  for (int i = 0; i <= 10; ++i) {
    proc.set_usage(2, 0ms, i);
    sampler.sample(kStart + i * 10ms);
  }
  CHECK(sampler.thread_time() == 100ms);
}

TEST_CASE("threads add up, and one that has ended is forgotten") {
  FakeProc proc;
  ThreadSampler sampler(1, proc.path());
  proc.set_usage(2, 50ms, 9);
  proc.set_usage(3, 1ms, 1);
  sampler.sample(kStart);  // 51 ms
  proc.remove("2/task/2");
  proc.set_usage(3, 2ms, 1);
  sampler.sample(kStart + 10ms);  // 10 ms
  proc.set_usage(2, 2ms, 1);
  sampler.sample(kStart + 20ms);  // 2 ms: a new thread with an old number.
  CHECK(sampler.thread_time() == 63ms);
}

TEST_CASE("more threads than files may be kept open are sampled all the same") {
  FakeProc proc;
  ThreadSampler sampler(1, proc.path());
  for (int i = 0; i <= 2; ++i) {
    for (int thread = 2; thread < 82; ++thread) proc.set_usage(thread, i * 10ms, i);
    sampler.sample(kStart + i * 10ms);
  }
  CHECK(sampler.thread_time() == 80 * 20ms);
}

TEST_CASE("grandchildren count, whichever thread started them, and the root does not") {
  FakeProc proc;
  proc.set("1/task/1/schedstat", "1000000000 0 1\n");
  proc.set_usage(2, 1ms, 1);
  proc.set_usage(3, 1ms, 1);
  proc.set("2/task/3/children", "4 5 ");
  proc.set("4/task/4/schedstat", "10000000 0 1\n");
  proc.set("5/task/5/schedstat", "20000000 0 1\n");
  ThreadSampler sampler(1, proc.path());
  sampler.sample(kStart);
  CHECK(sampler.thread_time() == 32ms);
}

TEST_CASE("without schedstat the ticks and switches count") {
  FakeProc proc;
  const auto set = [&](int ticks, int voluntary, int involuntary) {
    proc.set("2/task/2/stat", "2 (a) b) S 1 1 1 0 -1 4 0 0 0 0 " + std::to_string(ticks) + " 3 0 0 20 0 1 0 99\n");
    proc.set("2/task/2/status", "Name:\tx\nvoluntary_ctxt_switches:\t" + std::to_string(voluntary) +
                                    "\nnonvoluntary_ctxt_switches:\t" + std::to_string(involuntary) + "\n");
  };
  ThreadSampler sampler(1, proc.path());
  set(7, 1, 1);
  sampler.sample(kStart);
  CHECK(sampler.thread_time() == 100ms);  // 10 ticks of 10 ms.
  set(7, 2, 1);
  sampler.sample(kStart + 50ms);
  set(8, 2, 1);
  sampler.sample(kStart + 100ms);
  set(8, 2, 2);
  sampler.sample(kStart + 150ms);
  CHECK(sampler.thread_time() == 250ms);
}

TEST_CASE("the largest peak of memory is kept when its process is gone") {
  FakeProc proc;
  proc.set_usage(2, 1ms, 1);
  ThreadSampler sampler(1, proc.path());
  sampler.sample(kStart);
  proc.remove("2");
  sampler.sample(kStart + 10ms);
  CHECK(sampler.peak_rss_bytes() == 777 * 1024);
}

TEST_CASE("a copy of the root that has not begun its program is no peak") {
  FakeProc proc;
  proc.set_usage(2, 1ms, 1);
  proc.set_program(1, "/usr/bin/aiopt");
  proc.set_program(2, "/usr/bin/aiopt");
  ThreadSampler sampler(1, proc.path());
  sampler.sample(kStart);
  CHECK(sampler.peak_rss_bytes() == 0);

  proc.set_program(2, "/usr/bin/program");
  for (int i = 1; i <= 30; ++i) sampler.sample(kStart + i * 10ms);
  CHECK(sampler.peak_rss_bytes() == 777 * 1024);
}

TEST_CASE("a process that is gone and files that hold nonsense are passed over") {
  FakeProc proc;
  proc.set("1/task/1/children", "2 3 99999 x 4");
  proc.set("2/task/2/schedstat", "nonsense");
  proc.set("3/task/3/stat", "3 (");
  ThreadSampler sampler(1, proc.path());
  sampler.sample(kStart);
  CHECK(sampler.thread_time() == 0ms);
}
