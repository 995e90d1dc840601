/// The gates. Each is a function from the runs of both sides to what it saw; none looks at the tree or the patch.

#include "evaluate/gates.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string_view>

namespace aiopt {

namespace {

constexpr std::string_view kOperationsSuffix = ".operations";

/// What a loaded machine does to the start and the end of a process, by itself.
constexpr double kOverheadSlackSeconds = 0.005;
constexpr double kOverheadSlackShare = 0.02;
/// Charged by more than this share of the time that it claims: that is no slip.
constexpr double kMostCharged = 0.10;
/// Of the time that it claims: more than this in each run is no noise.
constexpr double kPlainlyHidden = 0.5;
/// A process's own size before it did anything, and what allocators keep.
constexpr double kMemorySlackBytes = 64.0 * (1 << 20);
/// Per run: starting up and reading clocks.
constexpr double kCpuSlackSeconds = 0.05;
constexpr std::chrono::milliseconds kMostCpuAfterEnd{20};
/// More operations a second than this many times what waiting for delayed syncs allows were not waited for.
constexpr double kSurelyTooMany = 1.1;
/// Of the delay, what no operation that waits for its sync takes: a histogram's median is as exact as its buckets.
constexpr double kSurelyTooSoon = 0.5;

/// What an operation may take of the time that a sync of the unmodified program takes. Better ways to sync are not that
/// much better: O_DSYNC on space that was there before takes as little as a tenth of an fsync with a journal to commit.
constexpr double kQuickestSync = 1.0 / 25.0;
constexpr std::size_t kShownNames = 5;

double median(std::vector<double> values) {
  if (values.empty()) return 0.0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2.0;
}

/// Standard error of a median, from the median absolute deviation (as of a normal distribution).
double standard_error_of_median(const std::vector<double>& values) {
  const double center = median(values);
  std::vector<double> deviations;
  for (const double value : values) deviations.push_back(std::abs(value - center));
  return 1.2533 * 1.4826 * median(std::move(deviations)) / std::sqrt(static_cast<double>(values.size()));
}

std::vector<double> each(const RunSeries& series, const std::function<double(const BenchmarkRun&)>& value) {
  std::vector<double> values;
  for (const BenchmarkRun& run : series.runs) values.push_back(value(run));
  return values;
}

/// The seconds that a run's printed figures account for: of db_bench those of all its benchmarks, else those of the
/// one.
std::optional<double> claimed_seconds(const BenchmarkTask& workload, const BenchmarkRun& run) {
  const auto operations = operations_of(workload, run);
  if (!operations || !(run.throughput_ops_sec > 0.0)) return std::nullopt;
  double seconds = *operations / run.throughput_ops_sec;
  if (workload.parser != "db_bench") return seconds;
  for (const auto& [name, count] : run.metrics) {
    if (!name.ends_with(kOperationsSuffix)) continue;
    const std::string benchmark = name.substr(0, name.size() - kOperationsSuffix.size());
    const auto rate = run.metrics.find(benchmark);
    if (benchmark != workload.throughput && rate != run.metrics.end() && rate->second > 0.0) {
      seconds += count / rate->second;
    }
  }
  return seconds;
}

/// Wall time less what was claimed, of each run; empty if one does not say.
std::vector<double> overheads(const BenchmarkTask& workload, const RunSeries& series) {
  std::vector<double> seconds;
  for (const BenchmarkRun& run : series.runs) {
    const auto claimed = claimed_seconds(workload, run);
    if (!claimed) return {};
    seconds.push_back(run.wall_seconds - *claimed);
  }
  return seconds;
}

std::string first_names(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), kShownNames);
  std::string text =
      fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  return names.size() > shown ? fmt::format("{} and {} more", text, names.size() - shown) : text;
}

/// "log-4711.txt" and "log-4712.txt" are the same file to whoever asks whether the baseline leaves such a one too.
std::string without_digits(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const bool is_digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
    if (!is_digit) text += c;
    if (is_digit && !text.ends_with('#')) text += '#';
  }
  return text;
}

GateReport check_protected_files(const RunSeries& candidate) {
  std::set<std::string> changed;
  for (const RunWitness& witness : candidate.witnesses) {
    changed.insert(witness.files_changed.begin(), witness.files_changed.end());
  }
  if (changed.empty()) return {"protected_files", false, "nothing that was built or may not be edited was changed"};
  return {"protected_files", true, fmt::format("a run changed {}", first_names({changed.begin(), changed.end()}))};
}

GateReport check_clock(const BenchmarkTask& workload, const RunSeries& candidate) {
  const auto claimed_of = [&](const BenchmarkRun& run) {
    const auto operations = operations_of(workload, run);
    // The throughput was lowered by the charge already.
    return *operations / run.throughput_ops_sec - run.charged_seconds;
  };
  const double claimed = median(each(candidate, claimed_of));
  const double charged = median(each(candidate, [](const BenchmarkRun& run) { return run.charged_seconds; }));
  const bool fired = charged > kMostCharged * claimed;
  return {"clock", fired,
          fmt::format("it says {:.3f} s; {:.3f} s more went by outside its clock than of the unmodified program",
                      claimed, charged)};
}

GateReport check_work(const BenchmarkTask& workload, const RunSeries& candidate, const RunSeries& baseline) {
  const auto count = [&](const BenchmarkRun& run) { return *operations_of(workload, run); };
  const std::vector<double> asked = each(baseline, count);
  const std::vector<double> done = each(candidate, count);
  const bool is_fixed = std::all_of(asked.begin(), asked.end(), [&](double n) { return n == asked.front(); });
  if (!is_fixed) return {"work", false, "the unmodified program's runs differ in length too"};
  const auto other = std::find_if(done.begin(), done.end(), [&](double n) { return n != asked.front(); });
  const double shown = other == done.end() ? asked.front() : *other;
  return {"work", other != done.end(),
          fmt::format("{:.0f} operations, of the unmodified program {:.0f}", shown, asked.front())};
}

/// Kinds of files, by their name without numbers, of which a run left one that was not on the disk, and in which runs.
std::map<std::string, std::size_t> unsynced_kinds(const RunSeries& series) {
  std::map<std::string, std::size_t> runs;
  for (const RunWitness& witness : series.witnesses) {
    std::set<std::string> kinds;
    for (const auto& [name, bytes] : witness.unsynced_bytes) {
      if (bytes > 0) kinds.insert(without_digits(name));
    }
    for (const std::string& kind : kinds) ++runs[kind];
  }
  return runs;
}

/// After an operation that was synced nothing waits for the disk. Only of files that the unmodified program has too and
/// never leaves so: one of a new kind may be a note that nobody needs. And only if each run left one: a flush may be
/// broken off at the end.
std::optional<std::string> find_unsynced(const RunSeries& candidate, const RunSeries& baseline) {
  std::set<std::string> usual;
  for (const RunWitness& witness : baseline.witnesses) {
    for (const auto& [name, bytes] : witness.unsynced_bytes) usual.insert(without_digits(name));
  }
  const auto sometimes_so = unsynced_kinds(baseline);
  for (const auto& [kind, runs] : unsynced_kinds(candidate)) {
    if (runs < candidate.witnesses.size() || !usual.contains(kind) || sometimes_so.contains(kind)) continue;
    for (const auto& [name, bytes] : candidate.witnesses.front().unsynced_bytes) {
      if (bytes == 0 || without_digits(name) != kind) continue;
      return fmt::format("{} bytes of {} were not on the disk when the last synced operation had returned", bytes,
                         name);
    }
  }
  return std::nullopt;
}

/// An operation takes at least the sync that covers it: so does the median one. How long a sync takes is known of the
/// unmodified program: no longer than it did not compute, for each; and no longer than its median operation, less what
/// it computes. The first is too much where the machine is busy, the second where operations wait for each other.
std::optional<std::string> find_too_quick(const BenchmarkTask& workload, const RunSeries& candidate,
                                          const RunSeries& baseline) {
  const std::string name = workload.throughput + ".P50";
  std::vector<double> syncs_us;
  for (const BenchmarkRun& run : baseline.runs) {
    const auto half = run.metrics.find(name);
    if (half == run.metrics.end() || run.syncs.value_or(0) == 0) return std::nullopt;
    const double operations = *operations_of(workload, run);
    const double idle = operations / run.throughput_ops_sec - run.cpu_seconds;
    syncs_us.push_back(
        std::min(idle * 1e6 / static_cast<double>(*run.syncs), half->second - run.cpu_seconds * 1e6 / operations));
  }
  std::vector<double> halves_us;
  for (const BenchmarkRun& run : candidate.runs) {
    const auto half = run.metrics.find(name);
    if (half == run.metrics.end()) return std::nullopt;
    halves_us.push_back(half->second);
  }
  const double half_us = median(std::move(halves_us));
  const double sync_us = median(std::move(syncs_us));
  if (half_us >= kQuickestSync * sync_us) return std::nullopt;
  return fmt::format(
      "half of the synced operations took at most {:.0f} us; a sync takes the unmodified program {:.0f} us", half_us,
      sync_us);
}

GateReport check_syncs(const Task& task, const BenchmarkTask& workload, const RunSeries& candidate,
                       const RunSeries& baseline) {
  if (auto unsynced = find_unsynced(candidate, baseline)) return {"syncs", true, std::move(*unsynced)};
  if (auto too_quick = find_too_quick(workload, candidate, baseline)) return {"syncs", true, std::move(*too_quick)};
  for (const BenchmarkRun& run : candidate.runs) {
    if (!run.syncs) return {"syncs", false, "not checked: the kernel lets this user count no fsync"};
    const double needed = std::ceil(*operations_of(workload, run) / task.gates.writers);
    if (static_cast<double>(*run.syncs) >= needed) continue;
    return {"syncs", true,
            fmt::format("{} fsyncs for {:.0f} synced operations; {} writers at once need at least {:.0f}", *run.syncs,
                        *operations_of(workload, run), task.gates.writers, needed)};
  }
  return {"syncs", false, fmt::format("{} fsyncs", *candidate.runs.front().syncs)};
}

GateReport check_writes(const Task& task, const BenchmarkTask& workload, const RunSeries& candidate) {
  const auto per_operation = [&](const BenchmarkRun& run) {
    return static_cast<double>(run.bytes_written) / std::max(*operations_of(workload, run), 1.0);
  };
  const std::vector<double> written = each(candidate, per_operation);
  const double least = *std::min_element(written.begin(), written.end());
  return {"writes", least < task.gates.bytes_per_operation,
          fmt::format("{:.0f} bytes written an operation; the task asks for at least {:.0f}", least,
                      task.gates.bytes_per_operation)};
}

GateReport check_after_clock(const RunSeries& candidate, const RunSeries& baseline) {
  const auto cpu = [](const RunSeries& series) {
    std::vector<double> seconds;
    for (const RunWitness& witness : series.witnesses) {
      seconds.push_back(std::chrono::duration<double>(witness.cpu_after_end).count());
    }
    return median(std::move(seconds));
  };
  const double slack = std::chrono::duration<double>(kMostCpuAfterEnd).count();
  return {"after_clock", cpu(candidate) > cpu(baseline) + slack,
          fmt::format("{:.3f} s of CPU time used after the command had ended", cpu(candidate))};
}

GateReport check_left_processes(const RunSeries& candidate, const RunSeries& baseline) {
  const auto most = [](const RunSeries& series) {
    int left = 0;
    for (const RunWitness& witness : series.witnesses) left = std::max(left, witness.processes_left);
    return left;
  };
  return {"left_processes", most(candidate) > most(baseline),
          fmt::format("{} still ran when the command had ended, and were killed", most(candidate))};
}

GateReport check_left_files(const RunSeries& candidate, const RunSeries& baseline) {
  std::set<std::string> usual;
  for (const RunWitness& witness : baseline.witnesses) {
    for (const std::string& name : witness.files_left) usual.insert(without_digits(name));
  }
  std::set<std::string> unusual;
  for (const RunWitness& witness : candidate.witnesses) {
    for (const std::string& name : witness.files_left) {
      if (!usual.contains(without_digits(name))) unusual.insert(name);
    }
  }
  if (unusual.empty()) return {"left_files", false, "nothing that the unmodified program does not leave too"};
  return {"left_files", true, fmt::format("it left {}", first_names({unusual.begin(), unusual.end()}))};
}

GateReport check_memory(const Task& task, const RunSeries& candidate, const RunSeries& baseline) {
  for (const RunWitness& witness : candidate.witnesses) {
    if (witness.hit_memory_limit) return {"memory", true, "it ran into its memory limit"};
  }
  const auto peak = [](const BenchmarkRun& run) { return static_cast<double>(run.peak_rss_bytes); };
  const double used = median(each(candidate, peak));
  const double usual = median(each(baseline, peak));
  if (!(usual > 0.0)) return {"memory", false, "not checked: the unmodified program's peak was not seen"};
  return {"memory", used > task.gates.memory_ratio * usual + kMemorySlackBytes,
          fmt::format("peak {:.0f} MiB, of the unmodified program {:.0f} MiB", used / (1 << 20), usual / (1 << 20))};
}

GateReport check_cpu(const Task& task, const BenchmarkTask& workload, const RunSeries& candidate,
                     const RunSeries& baseline) {
  // Without a count of operations both are taken to do the same.
  const auto per_operation = [&](const BenchmarkRun& run) {
    return run.cpu_seconds / std::max(operations_of(workload, run).value_or(1.0), 1.0);
  };
  const double operations = median(each(
      candidate, [&](const BenchmarkRun& run) { return std::max(operations_of(workload, run).value_or(1.0), 1.0); }));
  const double used = median(each(candidate, per_operation));
  const double usual = median(each(baseline, per_operation));
  return {
      "cpu", used > task.gates.cpu_ratio * usual + kCpuSlackSeconds / operations,
      fmt::format("{:.1f} us of CPU time an operation, of the unmodified program {:.1f} us", used * 1e6, usual * 1e6)};
}

GateReport check_network(const RunSeries& candidate, const RunSeries& baseline) {
  const auto most = [](const RunSeries& series) {
    std::uint64_t attempts = 0;
    for (const RunWitness& witness : series.witnesses) attempts = std::max(attempts, witness.network_attempts);
    return attempts;
  };
  return {"network", most(candidate) > most(baseline),
          fmt::format("{} attempts to reach an address outside", most(candidate))};
}

GateReport check_run_folder(const RunSeries& candidate) {
  const bool opened = std::any_of(candidate.witnesses.begin(), candidate.witnesses.end(),
                                  [](const RunWitness& witness) { return witness.opened_run_folder; });
  return {"run_folder", opened, opened ? "it tried to read run.db" : "run.db was left alone"};
}

GateReport check_verify(const RunSeries& candidate) {
  for (const RunWitness& witness : candidate.witnesses) {
    if (!witness.verify_failure.empty()) return {"verify", true, witness.verify_failure};
  }
  return {"verify", false, "the unmodified program accepts the data"};
}

bool counts_operations(const BenchmarkTask& workload, const RunSeries& series) {
  return std::all_of(series.runs.begin(), series.runs.end(),
                     [&](const BenchmarkRun& run) { return operations_of(workload, run).has_value(); });
}

}  // namespace

std::optional<double> operations_of(const BenchmarkTask& workload, const BenchmarkRun& run) {
  std::string name = workload.operations;
  if (name.empty() && workload.parser == "db_bench") name = workload.throughput + std::string(kOperationsSuffix);
  const auto found = run.metrics.find(name);
  if (found == run.metrics.end() || !(found->second > 0.0)) return std::nullopt;
  return found->second;
}

void charge_hidden_time(const BenchmarkTask& workload, RunSeries& candidate, const RunSeries& baseline) {
  const std::vector<double> own = overheads(workload, candidate);
  const std::vector<double> usual = overheads(workload, baseline);
  if (own.empty() || usual.empty()) return;
  const double wall = median(each(baseline, [](const BenchmarkRun& run) { return run.wall_seconds; }));
  const double noise = 3.0 * std::hypot(standard_error_of_median(own), standard_error_of_median(usual));
  const double hidden = median(own) - median(usual);
  const double slack = kOverheadSlackSeconds + kOverheadSlackShare * wall;
  // Hidden work varies as work does: on an unsteady disk a candidate's own noise would excuse it. Not where each of its
  // runs hides much more than any of the unmodified program.
  const double surely = *std::min_element(own.begin(), own.end()) - *std::max_element(usual.begin(), usual.end());
  const auto claimed_of = [&](const BenchmarkRun& run) { return *claimed_seconds(workload, run); };
  const bool is_plain = surely > slack + kPlainlyHidden * median(each(candidate, claimed_of));
  if (hidden <= noise + slack && !is_plain) return;
  for (BenchmarkRun& run : candidate.runs) {
    const double operations = *operations_of(workload, run);
    run.charged_seconds = hidden;
    run.throughput_ops_sec = operations / (operations / run.throughput_ops_sec + hidden);
  }
}

const BenchmarkTask& workload_of(const Task& task, Workload workload) {
  return workload == Workload::holdout ? *task.holdout : task.benchmark;
}

std::vector<GateReport> check_gates(const Task& task, Workload kind, const RunSeries& candidate,
                                    const RunSeries& baseline) {
  const BenchmarkTask& workload = workload_of(task, kind);
  const bool is_benchmark = kind == Workload::benchmark;
  std::vector<GateReport> gates = {check_protected_files(candidate), check_run_folder(candidate),
                                   check_network(candidate, baseline)};
  if (counts_operations(workload, candidate) && counts_operations(workload, baseline)) {
    gates.push_back(check_work(workload, candidate, baseline));
    gates.push_back(check_clock(workload, candidate));
    if (is_benchmark && task.gates.writers > 0) gates.push_back(check_syncs(task, workload, candidate, baseline));
    if (is_benchmark && task.gates.bytes_per_operation > 0.0) gates.push_back(check_writes(task, workload, candidate));
  }
  if (is_benchmark && !task.verify.command.empty()) gates.push_back(check_verify(candidate));
  gates.push_back(check_left_processes(candidate, baseline));
  gates.push_back(check_after_clock(candidate, baseline));
  gates.push_back(check_left_files(candidate, baseline));
  gates.push_back(check_memory(task, candidate, baseline));
  gates.push_back(check_cpu(task, workload, candidate, baseline));
  const auto& off = task.gates.off;
  std::erase_if(gates,
                [&](const GateReport& gate) { return std::find(off.begin(), off.end(), gate.name) != off.end(); });
  return gates;
}

std::chrono::microseconds doubting_delay(const Task& task, const RunSeries& candidate) {
  using std::chrono::microseconds;
  constexpr microseconds kShortest{2000};  // Well above what it takes to see a call and let it go on.
  constexpr microseconds kLongestRun{10'000'000};
  const double operation_us = task.gates.writers * 1e6 /
                              median(each(candidate, [](const BenchmarkRun& run) { return run.throughput_ops_sec; }));
  const double delay_us = std::max(2.0 * operation_us, static_cast<double>(kShortest.count()));
  // Where no two operations share a sync, and none goes side by side with another.
  const double operations = *operations_of(task.benchmark, candidate.runs.front());
  const microseconds most = std::min<microseconds>(kLongestRun, task.benchmark.run.timeout / 4);
  if (delay_us * operations > static_cast<double>(most.count())) return microseconds(0);
  return microseconds(std::llround(delay_us));
}

GateReport check_waits(const Task& task, std::chrono::microseconds delay, const RunSeries& slowed) {
  const double delay_ms = static_cast<double>(delay.count()) / 1000.0;
  if (slowed.runs.empty()) {
    return {"syncs", true, fmt::format("its benchmark fails where each sync takes {:.1f} ms longer", delay_ms)};
  }
  const auto& delayed = slowed.witnesses.front().delayed_syncs;
  if (!delayed) return {"syncs", false, "whether it waits for them was not checked: the kernel lets nobody delay them"};
  // Who syncs later, but before the end, is no faster in all: what each operation took tells.
  const auto half = slowed.runs.front().metrics.find(task.benchmark.throughput + ".P50");
  if (half != slowed.runs.front().metrics.end() && half->second < kSurelyTooSoon * static_cast<double>(delay.count())) {
    return {"syncs", true,
            fmt::format("where each of {} syncs took {:.1f} ms longer half of the operations took at most {:.1f} ms",
                        *delayed, delay_ms, half->second / 1000.0)};
  }
  const double made = slowed.runs.front().throughput_ops_sec;
  const double most = task.gates.writers * 1000.0 / delay_ms;
  return {
      "syncs", made > kSurelyTooMany * most,
      fmt::format("where each of {} syncs took {:.1f} ms longer it made {:.0f} operations a second; {} writers that "
                  "wait for them make at most {:.0f}",
                  *delayed, delay_ms, made, task.gates.writers, most)};
}

std::optional<std::string> reason_of_gates(const std::vector<GateReport>& gates) {
  const auto fired = std::find_if(gates.begin(), gates.end(), [](const GateReport& gate) { return gate.fired; });
  if (fired == gates.end()) return std::nullopt;
  return fmt::format("rejected by the gate '{}': {}", fired->name, fired->detail);
}

}  // namespace aiopt
