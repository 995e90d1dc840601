/// What the off-CPU sampler costs a program, beside `perf record -g` and `perf sched record`, in interleaved runs.
///
///     offcpu_overhead [ROUNDS] [walkv|db_bench|ping_pong]...
///
/// 20 rounds of all three if it is not said. In each round the program runs alone and under each profiler, the order
/// drawn; every profiled run is paired with that round's run alone. CPU time is of the program and of whatever the
/// profiler took meanwhile: perf's process, the sampler's thread. Names and unwinding come later and are not in it.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.hpp"
#include "measure/paired_estimate.hpp"
#include "measured_program.hpp"

using namespace aiopt;

namespace {

namespace fs = std::filesystem;

enum Profiler { alone, ours, perf_record, perf_sched, profilers };
constexpr std::array<std::string_view, profilers> kNames{"alone", "aiopt", "perf record -g", "perf sched record"};

struct Workload {
  std::string name;
  std::vector<std::string> arguments;
  fs::path folder;
  double operations = 0.0;  ///< Of a ping_pong, whose report tells the time; else the program prints their rate.
};

struct Cost {
  double rate = 0.0;  ///< Operations a second.
  double cpu_seconds = 0.0;
  double switches_per_second = 0.0;
  double lost_share = 0.0;
};

template <typename T>
T or_end(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "offcpu_overhead: {}\n", result.error().message);
  std::exit(1);
}

Cost run_once(const Workload& workload, Profiler profiler) {
  MeasuredCommand command;
  command.folder = workload.folder;
  const std::string output = workload.folder / "perf.data";
  if (profiler == perf_record) command.arguments = {"perf", "record", "-q", "-g", "-o", output, "--"};
  if (profiler == perf_sched) command.arguments = {"perf", "sched", "record", "-q", "-o", output, "--"};
  if (profiler == ours) command.sampler.emplace();
  command.arguments.insert(command.arguments.end(), workload.arguments.begin(), workload.arguments.end());
  const MeasuredRun run = or_end(run_measured(command));
  Cost cost;
  cost.rate = operations_per_second(run.out);
  if (workload.operations > 0.0) {
    double lived = 0.0;
    double ran = 0.0;
    double wall = 1.0;
    std::ifstream(workload.folder / "report") >> lived >> ran >> wall;
    cost.rate = workload.operations / wall;
  }
  cost.cpu_seconds = run.cpu_seconds;
  cost.switches_per_second = run.switches / run.wall_seconds;
  if (run.recording) {
    const OffCpuRecording& recording = *run.recording;
    cost.cpu_seconds += static_cast<double>(recording.drain_cpu_ns) / 1e9;
    cost.lost_share = static_cast<double>(recording.lost) / static_cast<double>(recording.records + recording.lost);
  }
  return cost;
}

/// "+1.2 % (-0.3 to +2.9)"
std::string change(const std::vector<double>& log_ratios) {
  const PairedEstimate estimate = estimate_pairs(log_ratios, 0.95);
  const auto percent = [](double log_ratio) { return 100.0 * std::expm1(log_ratio); };
  return fmt::format("{:+.1f} % ({:+.1f} to {:+.1f})", percent(estimate.log_ratio), percent(estimate.lower),
                     percent(estimate.upper));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void compare(const Workload& workload, int rounds) {
  std::array<std::vector<double>, profilers> cpu;
  std::array<std::vector<double>, profilers> rate;
  std::vector<double> switches;
  double lost = 0.0;
  std::mt19937 random(1);
  std::array<Profiler, profilers> order{alone, ours, perf_record, perf_sched};
  run_once(workload, alone);  // Files are in the page cache from here on.
  for (int round = 0; round < rounds; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    std::array<Cost, profilers> costs;
    for (const Profiler profiler : order) costs[profiler] = run_once(workload, profiler);
    for (const Profiler profiler : {ours, perf_record, perf_sched}) {
      cpu[profiler].push_back(std::log(costs[profiler].cpu_seconds / costs[alone].cpu_seconds));
      rate[profiler].push_back(std::log(costs[profiler].rate / costs[alone].rate));
    }
    switches.push_back(costs[alone].switches_per_second);
    lost = std::max(lost, costs[ours].lost_share);
  }
  fmt::print("{}: {:.0f} switches/s alone, {} pairs, {}; lost at most {:.2f} %\n", workload.name, median(switches),
             rounds, machine_load(), 100.0 * lost);
  for (const Profiler profiler : {ours, perf_record, perf_sched}) {
    fmt::print("  {:<18} CPU time per operation {:<28} throughput {}\n", kNames[profiler], change(cpu[profiler]),
               change(rate[profiler]));
  }
  std::fflush(stdout);
}

std::vector<Workload> make_workloads(const fs::path& folder, const std::vector<std::string>& wanted) {
  const auto is_wanted = [&](std::string_view name) {
    return wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end();
  };
  std::vector<Workload> workloads;
  if (is_wanted("walkv")) {
    const std::string program = or_end(build_walkv(folder));
    workloads.push_back({"walkv fillsync, 16 threads",
                         {program, "--benchmarks=fillsync", "--threads=16", "--num=100000", "--writes=100",
                          "--value_size=4000", "--db=" + (folder / "walkv.db").string()},
                         folder,
                         0.0});
  }
  if (is_wanted("db_bench")) {
    workloads.push_back(
        {"db_bench fillrandom",
         {"db_bench", "--benchmarks=fillrandom", "--num=150000", "--seed=1", "--db=" + (folder / "rocksdb").string()},
         folder,
         0.0});
  }
  if (is_wanted("ping_pong")) {
    const std::string program = or_end(build_waiting(folder));
    workloads.push_back({"ping-pong", {program, "ping_pong", folder / "report", "100000"}, folder, 100'000.0});
  }
  return workloads;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 20;
  if (rounds < 2) {
    fmt::print(stderr, "offcpu_overhead [ROUNDS] [walkv|db_bench|ping_pong]...: at least two rounds\n");
    return 2;
  }
  const TemporaryFolder folder("aiopt-overhead-");
  const std::vector<std::string> wanted(argv + std::min(argc, 2), argv + argc);
  for (const Workload& workload : make_workloads(folder.path(), wanted)) compare(workload, rounds);
  return 0;
}
