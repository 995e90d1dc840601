/// The off-CPU ratio against the truth, on eight programs, as root and as an ordinary user.
///
///     offcpu_truth [RUNS] [NAME]
///
/// 5 runs of each if it is not said. Beside the ratio: the share of the class that the program has most of by what it
/// does, and the function that is named as its top blocker. As an ordinary user (uid 65534) with
/// kernel.perf_event_paranoid at 2, which is put back. Fails if a median is off by more than a point, or two.

#include <fmt/format.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "measured_program.hpp"
#include "profile/kernel_symbols.hpp"
#include "profile/offcpu_stacks.hpp"

using namespace aiopt;

namespace {

namespace fs = std::filesystem;

constexpr uid_t kNobody = 65534;
const fs::path kParanoid = "/proc/sys/kernel/perf_event_paranoid";

struct Subject {
  std::string name;
  std::vector<std::string> arguments;
  std::string files;                 ///< Removed before each run.
  std::optional<WaitClass> expects;  ///< The class of its waits, where they are of one kind.
  std::string blocker;               ///< What its top blocker's name has in it; empty: not known beforehand.
  bool shares_cpu = false;           ///< With a process that computes.
};

/// What a run's process tells its parent.
struct Outcome {
  double ratio = 0.0;
  double truth = 0.0;
  double share = 0.0;  ///< Of the expected class, of all samples off the CPU that are not idle.
  double lost = 0.0;
  double missed_us = 0.0;  ///< CPU time by rusage less that by the records, of a switch.
  std::array<char, 64> source{};
  std::array<char, 96> blocker{};
};

template <std::size_t N>
void copy_text(const std::string& text, std::array<char, N>& to) {
  text.copy(to.data(), N - 1);
}

int first_cpu() {
  cpu_set_t all;
  ::sched_getaffinity(0, sizeof all, &all);
  int first = 0;
  while (!CPU_ISSET(first, &all)) ++first;
  return first;
}

/// While it lives, a process computes on that CPU.
class BusyNeighbour {
 public:
  explicit BusyNeighbour(int cpu) : pid_(::fork()) {
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    ::sched_setaffinity(0, sizeof one, &one);
    for (volatile unsigned n = 0;;) n = n + 1;
  }
  ~BusyNeighbour() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  BusyNeighbour(const BusyNeighbour&) = delete;
  BusyNeighbour& operator=(const BusyNeighbour&) = delete;

 private:
  pid_t pid_ = -1;
};

Result<Outcome> measure(const Subject& subject, const fs::path& folder) {
  MeasuredCommand command;
  std::unique_ptr<BusyNeighbour> neighbour;
  if (subject.shares_cpu) {
    command.cpu = first_cpu();
    neighbour = std::make_unique<BusyNeighbour>(*command.cpu);
  }
  command.arguments = subject.arguments;
  command.folder = folder;
  command.sampler.emplace();
  command.looks_at_threads = true;
  const auto run = run_measured(command);
  if (!run) return run.error();
  const auto kernel = KernelSymbols::load();
  const NamedRecording named = name_stacks(*run->recording, kernel ? *kernel : KernelSymbols());
  const OffCpuProfile profile = summarize(named.stacks);
  Outcome outcome;
  outcome.ratio = run->recording->ratio();
  outcome.truth = run->true_ratio();
  outcome.lost = static_cast<double>(run->recording->lost);
  const double missed_ns = 1e9 * run->cpu_seconds - static_cast<double>(run->recording->running_ns);
  outcome.missed_us = missed_ns / 1e3 / std::max(1.0, static_cast<double>(run->recording->switches));
  const auto waits = static_cast<double>(profile.off_cpu_samples - profile.idle_samples);
  if (subject.expects && waits > 0.0) {
    outcome.share = static_cast<double>(profile.by_class.at(static_cast<std::size_t>(*subject.expects))) / waits;
  }
  copy_text(profile.source, outcome.source);
  if (!profile.top_blockers.empty()) copy_text(profile.top_blockers.front().place.function, outcome.blocker);
  return outcome;
}

/// In a process of its own, as that user.
std::optional<Outcome> measure_as(uid_t user, const Subject& subject, const fs::path& folder) {
  if (!subject.files.empty()) fs::remove_all(subject.files);
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return std::nullopt;
  const pid_t child = ::fork();
  if (child == 0) {
    const bool is_user = user == ::geteuid() || (::setgroups(0, nullptr) == 0 && ::setresgid(user, user, user) == 0 &&
                                                 ::setresuid(user, user, user) == 0);
    ::prctl(PR_SET_DUMPABLE, 1);  // As a process is that was the user's from its start.
    const Result<Outcome> outcome = is_user ? measure(subject, folder) : Error{Error::Code::io, "cannot become nobody"};
    if (!outcome) fmt::print(stderr, "offcpu_truth: {}\n", outcome.error().message);
    const bool is_told = outcome && ::write(ends[1], &*outcome, sizeof *outcome) == sizeof *outcome;
    ::_exit(is_told ? 0 : 1);
  }
  ::close(ends[1]);
  Outcome outcome;
  const bool is_told = ::read(ends[0], &outcome, sizeof outcome) == sizeof outcome;
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return is_told ? std::optional(outcome) : std::nullopt;
}

/// kernel.perf_event_paranoid at 2, until it goes.
class OrdinaryLimits {
 public:
  OrdinaryLimits() {
    if (auto before = read_file(kParanoid)) before_ = *std::move(before);
    std::ofstream(kParanoid) << "2";
  }
  ~OrdinaryLimits() { std::ofstream(kParanoid) << before_; }
  OrdinaryLimits(const OrdinaryLimits&) = delete;
  OrdinaryLimits& operator=(const OrdinaryLimits&) = delete;

 private:
  std::string before_ = "2";
};

/// @return Whether the median distance is within `points`.
bool judge(const Subject& subject, uid_t user, const fs::path& folder, int runs, double points) {
  std::vector<double> distances;
  double truth = 0.0;
  double share = 0.0;
  double lost = 0.0;
  double missed_us = 0.0;
  int named = 0;
  Outcome last;
  for (int i = 0; i < runs; ++i) {
    const std::optional<Outcome> outcome = measure_as(user, subject, folder);
    if (!outcome) return false;
    last = *outcome;
    distances.push_back(100.0 * (last.ratio - last.truth));
    truth += last.truth / runs;
    share += last.share / runs;
    lost += last.lost;
    missed_us += last.missed_us / runs;
    named += std::string(last.blocker.data()).find(subject.blocker) != std::string::npos ? 1 : 0;
  }
  const auto is_nearer = [](double a, double b) { return std::abs(a) < std::abs(b); };
  std::sort(distances.begin(), distances.end(), is_nearer);
  const double middle = distances[distances.size() / 2];
  fmt::print(
      "{:<18} truth {:.4f}  off by {:+.2f} points (median), {:+.2f} (worst of {})  lost {:.0f}  "
      "{:+.2f} us a switch{}  {} {}/{}\n",
      subject.name, truth, middle, distances.back(), runs, lost, missed_us,
      subject.expects ? fmt::format("  {} {:.1f} %", to_string(*subject.expects), 100.0 * share) : "",
      last.blocker.data(), named, runs);
  std::fflush(stdout);
  return std::abs(middle) <= points;
}

std::vector<Subject> make_subjects(const fs::path& folder, const std::string& waiting, const std::string& walkv) {
  const std::string report = folder / "report";
  const auto program = [&](std::string name, const char* mode, const char* n, std::optional<WaitClass> expects,
                           std::string blocker) {
    return Subject{std::move(name), {waiting, mode, report, n}, report, expects, std::move(blocker)};
  };
  std::vector<Subject> subjects{
      program("sleeper", "sleeper", "200", WaitClass::other, "nap"),
      program("busy", "busy", "2000", WaitClass::scheduling, ""),
      program("fsync", "fsync", "2000", WaitClass::io, "run_fsync"),
      program("convoy, 2 threads", "convoy", "2", std::nullopt, "hold_lock"),
      program("convoy, 4 threads", "convoy", "4", std::nullopt, "hold_lock"),
      program("queue", "queue", "800", std::nullopt, ""),
      program("preempted", "busy", "2000", WaitClass::scheduling, ""),
  };
  subjects.back().shares_cpu = true;
  const std::string rocksdb = folder / "rocksdb";
  subjects.push_back({"db_bench",
                      {"db_bench", "--benchmarks=fillrandom", "--threads=4", "--num=40000", "--db=" + rocksdb},
                      rocksdb,
                      std::nullopt,
                      ""});
  const std::string database = folder / "walkv.db";
  subjects.push_back({"walkv",
                      {walkv, "--benchmarks=fillsync", "--threads=16", "--num=100000", "--writes=40",
                       "--value_size=4000", "--db=" + database},
                      database,
                      std::nullopt,
                      "walkv"});
  return subjects;
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 5;
  const TemporaryFolder folder("aiopt-truth-");
  const auto waiting = build_waiting(folder.path());
  const auto walkv = build_walkv(folder.path());
  if (runs <= 0 || !waiting || !walkv) {
    fmt::print(stderr, "offcpu_truth [RUNS] [NAME]: {}\n",
               !waiting ? waiting.error().message
               : !walkv ? walkv.error().message
                        : "not a number");
    return 1;
  }
  fs::permissions(folder.path(), fs::perms::all);  // An ordinary user's files lie beside the programs.
  bool is_true = true;
  const auto judge_all = [&](uid_t user, double points) {
    for (const Subject& subject : make_subjects(folder.path(), *waiting, *walkv)) {
      const bool is_wanted = argc < 3 || subject.name == argv[2];
      is_true = (!is_wanted || judge(subject, user, folder.path(), runs, points)) && is_true;
    }
  };
  fmt::print("as uid {}, {}\n", ::geteuid(), machine_load());
  judge_all(::geteuid(), 1.0);
  if (::geteuid() == 0) {
    const OrdinaryLimits limits;
    fmt::print("as uid {}, kernel.perf_event_paranoid 2, {}\n", kNobody, machine_load());
    judge_all(kNobody, 2.0);
  }
  fmt::print("{}\n", machine_load());
  return is_true ? 0 : 1;
}
