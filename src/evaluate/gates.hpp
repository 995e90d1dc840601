/// Gates: what was seen of the runs from outside, held against what the candidate claims.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <aiopt/evaluation.hpp>
#include <aiopt/task.hpp>

namespace aiopt {

/// What was seen of one run beside its figures.
struct RunWitness {
  std::vector<std::string> files_left;     ///< Outside Task::data, some of them by name.
  std::vector<std::string> files_changed;  ///< That were there before, outside Task::data.
  /// Of each file of Task::data, see unsynced_bytes(); empty where the kernel does not tell.
  std::map<std::string, std::uint64_t> unsynced_bytes;
  /// Of a run whose syncs were delayed: how many; empty where the kernel lets nobody delay them.
  std::optional<std::uint64_t> delayed_syncs;
  int processes_left = 0;  ///< Were killed after the command itself had ended.
  std::chrono::microseconds cpu_after_end{0};
  std::uint64_t network_attempts = 0;  ///< Towards what is not there: only the loopback is.
  bool opened_run_folder = false;
  bool hit_memory_limit = false;
  std::string verify_failure;  ///< Of Task::verify; empty: it passed, or was not run.
};

/// The runs of one side of a comparison, in the order of the pairs.
struct RunSeries {
  std::vector<BenchmarkRun> runs;
  std::vector<RunWitness> witnesses;  ///< One a run.
};

/// Puts on the candidate's bill what it did after its clock had stopped, or kept from it: the time that its printed
/// operations do not account for, less what the baseline needs besides (start, end, other work). Medians over the
/// runs are compared; what noise explains is not charged. Lowers throughput_ops_sec and sets charged_seconds. Does
/// nothing where the benchmark prints no count of operations.
void charge_hidden_time(const BenchmarkTask& workload, RunSeries& candidate, const RunSeries& baseline);

/// What ran. What the task says of an operation (`syncs`, `writes`) and of the data left (`verify`) holds for its
/// benchmark alone.
enum class Workload { benchmark, holdout };

/// @pre Task::holdout is set where it is asked for
const BenchmarkTask& workload_of(const Task& task, Workload kind);

/// Every gate that could be checked, `Task::gates.off` left out. Call it after charge_hidden_time().
/// @pre both have as many witnesses as runs, at least one
std::vector<GateReport> check_gates(const Task& task, Workload kind, const RunSeries& candidate,
                                    const RunSeries& baseline);

/// By how much to delay each sync of one run more, so that an operation that waits for its sync takes twice as long as
/// the candidate's took; 0 if that would take too long. Another run's noise does not double what an operation takes.
/// @pre operations_of() tells of the runs; GatesTask::writers is above 0
std::chrono::microseconds doubting_delay(const Task& task, const RunSeries& candidate);

/// What a run with delayed syncs says: at most `writers` operations are under way, and each takes at least the delay.
/// So does half of them, where the benchmark prints THROUGHPUT.P50 in microseconds, as db_bench does.
/// @param slowed  Of one run; of none if that failed.
GateReport check_waits(const Task& task, std::chrono::microseconds delay, const RunSeries& slowed);

/// The first one that fired, in the words of Evaluation::reason; nothing if none did.
std::optional<std::string> reason_of_gates(const std::vector<GateReport>& gates);

/// How many operations a run says it made; nothing where the benchmark does not say.
std::optional<double> operations_of(const BenchmarkTask& workload, const BenchmarkRun& run);

}  // namespace aiopt
