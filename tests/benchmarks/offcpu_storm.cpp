/// The sampler in a storm: 64 threads and 50,000 switches a second. Does its memory grow, and what does it lose?
///
///     offcpu_storm [SECONDS]
///
/// 60 s if it is not said. Fails if memory grows by more than a tenth between the first quarter and the end.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "measured_program.hpp"

using namespace aiopt;

namespace {

double resident_mib() {
  std::ifstream file("/proc/self/statm");
  double all = 0.0;
  double resident = 0.0;
  file >> all >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

/// Once a second, until it goes.
class MemoryWatch {
 public:
  std::vector<double> end() {
    thread_.request_stop();
    thread_.join();
    return std::move(mib_);
  }

 private:
  std::vector<double> mib_;
  std::jthread thread_{[this](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      mib_.push_back(resident_mib());
      std::this_thread::sleep_for(std::chrono::seconds(1));
    }
  }};
};

}  // namespace

int main(int argc, char** argv) {
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 60;
  const TemporaryFolder folder("aiopt-storm-");
  const auto program = build_waiting(folder.path());
  if (!program || seconds <= 0) {
    fmt::print(stderr, "offcpu_storm [SECONDS]: {}\n", program ? "not a number" : program.error().message);
    return 1;
  }
  MeasuredCommand command;
  command.arguments = {*program, "storm", folder.path() / "report", std::to_string(seconds * 1000)};
  command.sampler.emplace();
  MemoryWatch memory;
  const auto run = run_measured(command);
  const std::vector<double> mib = memory.end();
  if (!run) {
    fmt::print(stderr, "offcpu_storm: {}\n", run.error().message);
    return 1;
  }
  const OffCpuRecording& recording = *run->recording;
  const auto records = static_cast<double>(recording.records);
  const auto lost = static_cast<double>(recording.lost);
  const double early = *std::max_element(mib.begin(), mib.begin() + 1 + static_cast<std::ptrdiff_t>(mib.size() / 4));
  const double late = *std::max_element(mib.begin() + static_cast<std::ptrdiff_t>(mib.size() / 4), mib.end());
  fmt::print("storm of {} s: {:.0f} switches/s by rusage, {} source; {}\n", seconds, run->switches / run->wall_seconds,
             recording.source, machine_load());
  fmt::print("records {:.0f}, lost {:.0f} ({:.2f} % of all), gaps {}, folded {}, stacks {}, waits {}\n", records, lost,
             100.0 * lost / (records + lost), recording.gaps, recording.folded, recording.stacks.size(),
             recording.waits.size());
  fmt::print("drain {:.2f} us a record, {:.1f} % of a CPU; the program's CPU time {:.1f} s\n",
             static_cast<double>(recording.drain_cpu_ns) / 1e3 / std::max(records, 1.0),
             static_cast<double>(recording.drain_cpu_ns) / 1e7 / run->wall_seconds, run->cpu_seconds);
  fmt::print("memory: {:.1f} MiB at most in the first quarter, {:.1f} MiB later\n", early, late);
  return late > early * 1.1 ? 1 : 0;
}
