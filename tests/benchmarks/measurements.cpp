/// What aiopt's comparisons are worth on this machine: false positives, power, ranking, beside single unpaired runs.
///
///     measurements aa|power|ranking [COMPARISONS] [--load]
///
/// aa: the unmodified walkv with itself, by the task's benchmark (fsyncs of 16 threads). power: walkv with a patch that
/// is 5 % slower. ranking: eight patches of known order. --load: one other process keeps a core busy meanwhile. The
/// same runs also show what one run of each, never paired, would have said: a candidate's first run against the
/// baseline's first run of the session, as engines without pairs compare.

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <aiopt/evaluator.hpp>

#include "base/clock.hpp"
#include "base/cpu_set.hpp"
#include "base/files.hpp"
#include "evaluate/lanes.hpp"
#include "evaluate/local_evaluator.hpp"
#include "evaluate/sandbox.hpp"
#include "source/patch_apply.hpp"
#include "source/patch_parser.hpp"
#include "source/protected_files.hpp"
#include "source/source_tree.hpp"

using namespace aiopt;

namespace {

namespace fs = std::filesystem;

template <typename T>
T or_end(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "measurements: {}\n", result.error().message);
  std::exit(1);
}

/// A process that computes until this object goes.
class BusyProcess {
 public:
  BusyProcess() : pid_(::fork()) {
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (volatile unsigned n = 0;;) n = n + 1;
  }
  ~BusyProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  BusyProcess(const BusyProcess&) = delete;
  BusyProcess& operator=(const BusyProcess&) = delete;

 private:
  pid_t pid_;
};

/// An evaluator of one task of the repository.
struct Bench {
  explicit Bench(const fs::path& task_file)
      : task(or_end(load_task(task_file))),
        tree(or_end(load_source_tree(task.source, task.editable))),
        sandbox(or_end(Sandbox::probe(SandboxMode::automatic))) {
    LocalEvaluatorOptions options;
    options.folder = folder.path() / "workspaces";
    options.run_folder = folder.path();
    evaluator =
        or_end(make_local_evaluator(task, tree, or_end(read_protected(task.source, tree)), lanes, sandbox, options));
    baseline.tree = tree;
    baseline.tree_sha256 = tree_sha256(tree);
  }

  Candidate patched(const fs::path& file, std::uint64_t id) const {
    const Patch patch = or_end(parse_patch(or_end(read_file(file)), ""));
    AppliedPatch applied = or_end(apply_patch(tree, patch, PatchRules{task.editable, task.max_patch_bytes}));
    Candidate candidate;
    candidate.id = CandidateId{id};
    candidate.parent = kBaselineId;
    candidate.tree_sha256 = tree_sha256(applied.tree);
    candidate.tree = std::move(applied.tree);
    return candidate;
  }

  BenchmarkResult compare(const Candidate& candidate, std::uint64_t seed) {
    ComparisonOptions how;
    how.builds_afresh = false;
    how.seed = seed;
    return or_end(evaluator->compare(candidate, baseline, how, {})).benchmark;
  }

  const TemporaryFolder folder;
  const Task task;
  const SourceTree tree;
  Lanes lanes;
  const Sandbox sandbox;
  Candidate baseline;
  std::unique_ptr<Evaluator> evaluator;
};

/// What single unpaired runs would have said of the same runs.
class Unpaired {
 public:
  double ratio(const BenchmarkResult& result) {
    if (baseline_ == 0.0) baseline_ = result.baseline.front().throughput_ops_sec;
    return result.candidate.front().throughput_ops_sec / baseline_;
  }

 private:
  double baseline_ = 0.0;  ///< The first run of the session.
};

double seconds_of(const BenchmarkResult& result) {
  double seconds = 0.0;
  for (const auto* runs : {&result.candidate, &result.baseline}) {
    for (const BenchmarkRun& run : *runs) seconds += run.wall_seconds;
  }
  return seconds;
}

int false_positives(const fs::path& root, int comparisons) {
  Bench bench(root / "examples" / "walkv");
  Unpaired unpaired;
  int wrong = 0;
  int wrong_singles = 0;
  int pairs = 0;
  for (int i = 0; i < comparisons; ++i) {
    const BenchmarkResult result = bench.compare(bench.baseline, static_cast<std::uint64_t>(i) + 1);
    const bool claims = result.estimate->lower > 1.0 || result.estimate->upper < 1.0;
    const double single = unpaired.ratio(result);
    wrong += claims ? 1 : 0;
    wrong_singles += std::abs(single - 1.0) > 0.02 ? 1 : 0;
    pairs += static_cast<int>(result.baseline.size());
    fmt::print("{:>4}  {:.3f} ({:.3f} to {:.3f}, {} pairs){}  single {:.3f}\n", i + 1, result.speedup(),
               result.estimate->lower, result.estimate->upper, result.baseline.size(), claims ? "  WRONG" : "", single);
    std::fflush(stdout);
  }
  const double n = comparisons;
  fmt::print(
      "A/A: {} of {} comparisons claim a difference ({:.1f} %), {:.1f} pairs on average; single unpaired runs, a "
      "difference of more than 2 %: {} ({:.1f} %)\n",
      wrong, comparisons, 100.0 * wrong / n, pairs / n, wrong_singles, 100.0 * wrong_singles / n);
  return 0;
}

int power(const fs::path& root, int comparisons) {
  const fs::path folder = root / "tests" / "hostile" / "calibrated";
  Bench bench(folder / "slower.yaml");
  const Candidate slower = bench.patched(folder / "slower" / "slower-by-5-percent.patch", 1);
  Unpaired unpaired;
  int told = 0;
  int told_singles = 0;
  int pairs = 0;
  double run_seconds = 0.0;
  std::vector<double> ratios;
  const auto started = monotonic_now();
  for (int i = 0; i < comparisons; ++i) {
    const BenchmarkResult result = bench.compare(slower, static_cast<std::uint64_t>(i) + 1);
    const bool tells = result.estimate->upper < 1.0;
    const double single = unpaired.ratio(result);
    told += tells ? 1 : 0;
    told_singles += single < 0.98 ? 1 : 0;
    pairs += static_cast<int>(result.baseline.size());
    run_seconds += seconds_of(result);
    ratios.push_back(result.speedup());
    fmt::print("{:>4}  {:.3f} ({:.3f} to {:.3f}, {} pairs){}  single {:.3f}\n", i + 1, result.speedup(),
               result.estimate->lower, result.estimate->upper, result.baseline.size(), tells ? "" : "  MISSED", single);
    std::fflush(stdout);
  }
  const double elapsed = std::chrono::duration<double>(monotonic_now() - started).count();
  std::sort(ratios.begin(), ratios.end());
  const double n = comparisons;
  fmt::print(
      "power: {} of {} comparisons tell it apart ({:.0f} %); median ratio {:.3f}; {:.1f} pairs and {:.1f} s each, "
      "{:.1f} "
      "s of them in runs; single unpaired runs below 0.98: {} ({:.0f} %)\n",
      told, comparisons, 100.0 * told / n, ratios[ratios.size() / 2], pairs / n, elapsed / n, run_seconds / n,
      told_singles, 100.0 * told_singles / n);
  return 0;
}

/// Kendall's tau-a of an order that should be falling.
double tau_of_falling(const std::vector<double>& values) {
  int concordant = 0;
  int all = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j, ++all) concordant += values[j] < values[i] ? 1 : -1;
  }
  return static_cast<double>(concordant) / all;
}

int ranking(const fs::path& root, int rounds) {
  const fs::path folder = root / "tests" / "hostile" / "calibrated";
  Bench bench(folder / "ranking.yaml");
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder / "ranking")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());  // Their names begin with how much more work they do.
  std::vector<Candidate> candidates;
  for (const fs::path& file : files) candidates.push_back(bench.patched(file, candidates.size() + 1));
  std::vector<std::vector<double>> paired(static_cast<std::size_t>(rounds));
  std::vector<std::vector<double>> single(static_cast<std::size_t>(rounds));
  // A round outside: built once each.
  Unpaired unpaired;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    for (int round = 0; round < rounds; ++round) {
      const BenchmarkResult result = bench.compare(candidates[c], static_cast<std::uint64_t>(round) * 100 + c + 1);
      paired[static_cast<std::size_t>(round)].push_back(result.speedup());
      single[static_cast<std::size_t>(round)].push_back(unpaired.ratio(result));
      fmt::print("{}  {:.3f} ({:.3f} to {:.3f}, {} pairs)  single {:.3f}\n", files[c].stem().string(), result.speedup(),
                 result.estimate->lower, result.estimate->upper, result.baseline.size(),
                 single[static_cast<std::size_t>(round)].back());
      std::fflush(stdout);
    }
  }
  for (int round = 0; round < rounds; ++round) {
    fmt::print("ranking, round {}: Kendall tau {:.3f}; single unpaired runs {:.3f}\n", round + 1,
               tau_of_falling(paired[static_cast<std::size_t>(round)]),
               tau_of_falling(single[static_cast<std::size_t>(round)]));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const char* const root = std::getenv("AIOPT_SOURCE_ROOT");
  const std::string what = argc > 1 ? argv[1] : "";
  int count = argc > 2 ? std::atoi(argv[2]) : 0;
  const bool loaded = argc > 3 && std::string(argv[3]) == "--load";
  if (root == nullptr || count <= 0) {
    fmt::print(stderr, "measurements aa|power|ranking COMPARISONS [--load], with AIOPT_SOURCE_ROOT set\n");
    return 2;
  }
  std::unique_ptr<BusyProcess> busy;
  if (loaded) busy = std::make_unique<BusyProcess>();
  if (what == "aa") return false_positives(root, count);
  if (what == "power") return power(root, count);
  if (what == "ranking") return ranking(root, count);
  return 2;
}
