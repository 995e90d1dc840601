/// The profilers that a task can ask for, on real processes: perf where it is installed, and scripts that stand for
/// bperf and bcoz, which run on a kernel of their own.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "base/files.hpp"
#include "base/text.hpp"
#include "evaluate/local_evaluator.hpp"
#include "evaluate/stack_recorder.hpp"
#include "profile/coz.hpp"
#include "profile/object_file.hpp"
#include "source/source_tree.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

/// doze() sleeps on line 7, rest() calls it on line 8; the count of work() is a progress point.
constexpr const char* kRestingProgram = R"(#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
__attribute__((noinline)) void doze(void) { usleep(20000); __asm__ volatile(""); }
__attribute__((noinline)) void rest(void) { doze(); __asm__ volatile(""); }
__attribute__((noinline)) void work(void) { for (volatile int i = 0; i < 1000000; ++i) {} }
int main(void) {
  if (getenv("CALL_ME")) prctl(PR_SET_NAME, getenv("CALL_ME"));
  if (dlsym(RTLD_DEFAULT, "_coz_get_counter")) putchar('\n');
  for (int i = 0; i < 20; ++i) {
    work();
    rest();
  }
  puts("throughput: 100");
  return 0;
}
)";

struct ProfilersFixture {
  TemporaryFolder folder;
  const fs::path workspace = folder.path() / "workspace";
  const fs::path bin = folder.path() / "bin";
  const std::string path = std::getenv("PATH");
  Result<Sandbox> sandbox = Sandbox::probe(SandboxMode::automatic);

  ProfilersFixture() {
    fs::create_directories(workspace);
    fs::create_directories(bin);
    ::setenv("PATH", (bin.string() + ":" + path).c_str(), 1);
  }
  ~ProfilersFixture() { ::setenv("PATH", path.c_str(), 1); }

  void build() const {
    std::ofstream(workspace / "main.c") << kRestingProgram;
    const char* compiler = std::getenv("CC");
    Command command;
    command.directory = workspace;
    command.line =
        std::string(compiler != nullptr ? compiler : "cc") + " -O1 -g -fno-omit-frame-pointer -o program main.c -ldl";
    const Result<CommandResult> built = run_command(command);
    REQUIRE(built);
    REQUIRE_MESSAGE(built->succeeded(), built->output);
  }

  /// A script that stands for a program, first in PATH.
  void pretend(const std::string& name, const std::string& script) const {
    std::ofstream(bin / name) << "#!/bin/sh\n" << script;
    fs::permissions(bin / name, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
  }

  /// Checks its arguments, runs the command, and reports what is in the file of fixtures.
  void pretend_bperf(const std::string& report) const {
    pretend("bperf", R"sh(case $1 in
record)
  case "$*" in
    "record --no-buildid --no-buildid-cache -g -e task-clock -c 1000000 --weight -o "*) ;;
    *) echo "bperf: usage" >&2; exit 129 ;;
  esac
  echo recorded >"${11}"
  [ "${12}" = -- ] || exit 129
  shift 12
  exec "$@" ;;
report)
  [ "$2 $3" = "--stdio -i" ] && [ "$(cat "$4")" = recorded ] || { echo "bperf: no such recording" >&2; exit 1; }
  cat <<'REPORT'
)sh" + report + "REPORT\n;;\nesac\n");
  }

  Result<RecordedRun> record(const StackRecorder& recorder, const std::string& line,
                             std::chrono::milliseconds limit = 60s) const {
    const StageRunner runner(*sandbox, {workspace, folder.path() / "run", default_limits(*sandbox, folder.path())});
    StageSetting setting;
    setting.workspace = workspace;
    return record_stacks(recorder, runner, {line, limit}, setting, {});
  }

  Result<ProfileProviders> choose(const std::string& off_cpu, const std::string& causal) const {
    ProfileTask profile;
    profile.offcpu_provider = off_cpu;
    profile.causal_provider = causal;
    return choose_providers(profile, *sandbox);
  }

  /// Nothing, with a word in the test's output, where perf can see no kernel stacks here.
  std::optional<StackRecorder> working_perf() const {
    const ProviderTrial trial = try_provider("perf", *sandbox);
    if (trial.works && trial.what.find("stacks of each wait") != std::string::npos) {
      return StackRecorder{StackRecorder::Kind::perf, find_program("perf")};
    }
    CHECK_MESSAGE(trial.what.find("could not read") == std::string::npos, trial.what);
    MESSAGE("left out: " << trial.what);
    return std::nullopt;
  }
};

std::string bperf_report() {
  return *read_file(fs::path(std::getenv("AIOPT_SOURCE_ROOT")) / "tests/profile/fixtures/bperf_report.txt");
}

/// For whoever reads of a failed check: why there are no stacks, or the stacks.
std::string told_of(const Result<RecordedRun>& recorded) {
  if (!recorded) return recorded.error().message;
  std::string text = recorded->why + "\n" + recorded->run.report.output;
  if (!recorded->stacks) return text;
  for (const SampledStack& stack : recorded->stacks->stacks) {
    text += stack.thread + " " + (stack.wait ? std::string(to_string(*stack.wait)) : "ran");
    for (const StackFrame& frame : stack.frames) {
      text += " " + frame.place.function + ":" + std::to_string(frame.place.line);
    }
    text += " " + std::to_string(stack.samples) + "\n";
  }
  return text;
}

/// Of waits of that class in which the function at that line is.
std::uint64_t samples_in(const SampledStacks& stacks, WaitClass kind, const std::string& function, int line) {
  std::uint64_t samples = 0;
  for (const SampledStack& stack : stacks.stacks) {
    for (const StackFrame& frame : stack.frames) {
      const bool is_it = frame.place.function == function && frame.place.line == line;
      if (is_it && stack.wait == kind) samples += stack.samples;
    }
  }
  return samples;
}

}  // namespace

// ---- perf -----------------------------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(ProfilersFixture, "perf around the sandbox sees where the program waits, and not what starts it") {
  const std::optional<StackRecorder> perf = working_perf();
  if (!perf) return;
  build();
  const Result<RecordedRun> recorded = record(*perf, "./program");
  INFO(told_of(recorded));
  REQUIRE(recorded);
  REQUIRE(recorded->stacks);
  CHECK(recorded->run.report.status == StageStatus::passed);
  CHECK(recorded->run.report.output == "throughput: 100\n");
  CHECK(recorded->stacks->source == "perf");
  CHECK(recorded->stacks->tells_kernel);
  // 20 sleeps of 20 ms.
  CHECK(samples_in(*recorded->stacks, WaitClass::other, "rest", 8) >= 300);
  for (const SampledStack& stack : recorded->stacks->stacks) CHECK(stack.thread == "program");
  CHECK(std::distance(fs::directory_iterator(workspace), {}) == 2);
}

TEST_CASE_FIXTURE(ProfilersFixture, "a program that takes the name of what starts it hides nothing from perf") {
  const std::optional<StackRecorder> perf = working_perf();
  if (!perf) return;
  build();
  const Result<RecordedRun> recorded = record(*perf, "CALL_ME=bwrap ./program");
  INFO(told_of(recorded));
  REQUIRE(recorded);
  REQUIRE(recorded->stacks);
  CHECK(samples_in(*recorded->stacks, WaitClass::other, "rest", 8) >= 300);
}

TEST_CASE_FIXTURE(ProfilersFixture, "a command that outlasts a profile's time is ended, with what was recorded of it") {
  const std::optional<StackRecorder> perf = working_perf();
  if (!perf) return;
  const Result<RecordedRun> recorded = record(*perf, "while :; do sleep 0.05; done", 3s);
  INFO(told_of(recorded));
  REQUIRE(recorded);
  CHECK(recorded->run.report.status == StageStatus::timed_out);
  REQUIRE(recorded->stacks);
  CHECK(summarize(*recorded->stacks).off_cpu_samples > 0);
}

TEST_CASE_FIXTURE(ProfilersFixture, "perf's record can be read where somebody has the kernel tell build-ids") {
  const std::optional<StackRecorder> perf = working_perf();
  if (!perf) return;
  build();
  std::atomic<bool> has_ended = false;
  const std::jthread somebody([&](const std::stop_token& stop) {
    Command command;
    command.directory = workspace;
    command.line = "exec perf record -q -a --buildid-mmap -e dummy -o ../other -- sh -c 'touch ../begun; sleep 600'";
    static_cast<void>(run_command(command, stop));
    has_ended = true;
  });
  while (!has_ended && !fs::exists(folder.path() / "begun")) std::this_thread::sleep_for(10ms);
  if (has_ended) {
    MESSAGE("left out: perf may not record the whole machine");
    return;
  }
  const Result<RecordedRun> recorded = record(*perf, "./program");
  INFO(told_of(recorded));
  REQUIRE(recorded);
  REQUIRE(recorded->stacks);
  CHECK(samples_in(*recorded->stacks, WaitClass::other, "rest", 8) >= 300);
}

TEST_CASE_FIXTURE(ProfilersFixture, "a command that fails under perf fails as it would without") {
  const std::optional<StackRecorder> perf = working_perf();
  if (!perf) return;
  const Result<RecordedRun> recorded = record(*perf, "echo no such table; exit 3");
  REQUIRE(recorded);
  CHECK(recorded->run.report.status == StageStatus::failed);
  CHECK(recorded->run.report.exit_code == 3);
  CHECK_FALSE(recorded->stacks);
}

TEST_CASE_FIXTURE(ProfilersFixture, "what a build left for perf in the workspace is not read") {
  const std::optional<StackRecorder> perf = working_perf();
  if (!perf || !sandbox->is_active()) return;
  // perf ends over a setting that it does not know, and HOME is the workspace.
  std::ofstream(workspace / ".perfconfig") << "[record]\n  build-id = nonsense\n";
  const Result<RecordedRun> recorded = record(*perf, "sleep 0.2; sleep 0.2");
  INFO(told_of(recorded));
  REQUIRE(recorded);
  REQUIRE(recorded->stacks);
  CHECK(summarize(*recorded->stacks).off_cpu_samples > 0);
}

TEST_CASE_FIXTURE(ProfilersFixture, "the command sees neither perf's recording nor perf") {
  const std::optional<StackRecorder> perf = working_perf();
  if (!perf || !sandbox->is_active()) return;
  const Result<RecordedRun> recorded =
      record(*perf, "ls -d /tmp/aiopt-recording-* 2>/dev/null; grep -l perf /proc/[0-9]*/comm; sleep 0.1; true");
  REQUIRE(recorded);
  CHECK(recorded->run.report.output == "");
}

TEST_CASE_FIXTURE(ProfilersFixture, "lines are those of objects in the workspace, and a link does not lead out of it") {
  build();
  const fs::path program = workspace / "program";
  const auto file = ObjectFile::open(program, 1 << 30);
  REQUIRE(file);
  // Some byte of the code that has a line.
  const auto script_of = [&](std::uint64_t offset, const fs::path& object) {
    return "program 7/7 1.000000001: 1000000 task-clock: \n\t" + std::to_string(0) + " x ([kernel.kallsyms])\n\t" +
           [&] {
             char text[17];
             std::snprintf(text, sizeof text, "%016lx", static_cast<unsigned long>(offset));
             return std::string(text);
           }() +
           " main (" + object.string() + ")\n\n";
  };
  const std::string text_of_line = "main.c:";
  std::uint64_t found = 0;
  for (std::uint64_t offset = 0; offset < (*file)->size() && found == 0; ++offset) {
    const auto address = (*file)->address_of(offset);
    const bool is_code = address && (*file)->is_code(*address);
    if (is_code && with_source_lines(script_of(offset, program), workspace).find(text_of_line) != std::string::npos) {
      found = offset;
    }
  }
  REQUIRE(found != 0);
  CHECK(with_source_lines(script_of(found, program), workspace).find("([kernel.kallsyms])\n") != std::string::npos);

  fs::rename(program, folder.path() / "outside");
  fs::create_symlink(folder.path() / "outside", program);
  CHECK(with_source_lines(script_of(found, program), workspace) == script_of(found, program));
  CHECK(with_source_lines(script_of(found, folder.path() / "outside"), workspace) ==
        script_of(found, folder.path() / "outside"));
}

TEST_CASE_FIXTURE(ProfilersFixture, "perf that may record nothing is an error where the task asks for it") {
  pretend("perf", "echo 'Error: Access to performance monitoring is limited.' >&2\nexit 255\n");
  const Result<ProfileProviders> asked = choose("perf", "off");
  REQUIRE_FALSE(asked);
  CHECK(asked.error().code == Error::Code::unavailable);
  INFO(asked.error().message);
  CHECK(asked.error().message.find("cannot profile by perf, which the task asks for: " + (bin / "perf").string()) == 0);
  CHECK(asked.error().message.find("Access to performance monitoring is limited") != std::string::npos);
  CHECK(asked.error().message.find("sysctl -w kernel.perf_event_paranoid=1") != std::string::npos);
}

// ---- bperf ----------------------------------------------------------------------------------------------------------

TEST_CASE_FIXTURE(ProfilersFixture, "bperf is picked before the sampler where it sees waits, and its report is read") {
  pretend_bperf(bperf_report());
  const Result<ProfileProviders> providers = choose("auto", "off");
  REQUIRE(providers);
  INFO(providers->describe());
  CHECK(providers->off_cpu.chosen == "bperf");
  REQUIRE(providers->recorder);
  CHECK(providers->recorder->kind == StackRecorder::Kind::bperf);

  const Result<RecordedRun> recorded = record(*providers->recorder, "echo ran >ran; echo said");
  INFO(told_of(recorded));
  REQUIRE(recorded);
  CHECK(recorded->run.report.output == "said\n");
  const Result<std::string> left = read_file(workspace / "ran");
  CHECK((left && *left == "ran\n"));
  REQUIRE(recorded->stacks);
  CHECK(recorded->stacks->source == "bperf");
  const OffCpuProfile profile = summarize(*recorded->stacks);
  CHECK(profile.off_cpu_samples == 8747);  // 83.44 % of 10,482 ms.
}

TEST_CASE_FIXTURE(ProfilersFixture, "bperf on another kernel than its own sees no wait, and is not picked") {
  pretend_bperf(
      "# Samples: 3K of event 'task-clock'\n# Event count (approx.): 10482000000\n#\n"
      "# Overhead  Command  Shared Object        Symbol\n"
      "   100.00%  kvtest   kvtest               [.] compress_block\n");
  const Result<ProfileProviders> providers = choose("auto", "off");
  REQUIRE(providers);
  CHECK(providers->off_cpu.chosen != "bperf");
  CHECK(providers->describe().find("bperf: " + (bin / "bperf").string() + ": it saw no wait") != std::string::npos);

  const Result<ProfileProviders> asked = choose("bperf", "off");
  REQUIRE_FALSE(asked);
  CHECK(asked.error().message.find("it saw no wait of a command that waits; it takes its own kernel") !=
        std::string::npos);
}

TEST_CASE_FIXTURE(ProfilersFixture, "what is not installed is an error where the task asks for it, and else said") {
  ::setenv("PATH", bin.c_str(), 1);
  for (const char* name : {"perf", "bperf"}) {
    CAPTURE(name);
    const Result<ProfileProviders> asked = choose(name, "off");
    REQUIRE_FALSE(asked);
    CHECK(asked.error().message.find("not found in PATH; it takes ") != std::string::npos);
  }
  for (const char* name : {"coz", "bcoz"}) {
    CAPTURE(name);
    const Result<ProfileProviders> asked = choose("off", name);
    REQUIRE_FALSE(asked);
    CHECK(asked.error().message.find("not found in PATH; it takes ") != std::string::npos);
  }
  const Result<ProfileProviders> picked = choose("auto", "auto");
  REQUIRE(picked);
  CHECK(picked->off_cpu.chosen == "sampler");
  CHECK_FALSE(picked->recorder);
  CHECK_FALSE(picked->makes_causal());
  INFO(picked->describe());
  CHECK(picked->describe().find("(bperf: not found in PATH") != std::string::npos);
  CHECK(picked->describe().find("causal profiles: none works (bcoz: not found in PATH; coz: not found in PATH)") !=
        std::string::npos);
}

// ---- in the evaluator -----------------------------------------------------------------------------------------------

namespace {

struct ProfiledTask : ProfilersFixture {
  Task task;
  SourceTree baseline;
  Lanes lanes;

  ProfiledTask() {
    fs::create_directories(folder.path() / "source");
    std::ofstream(folder.path() / "source" / "main.c") << kRestingProgram;
    task.name = "rests";
    task.source = folder.path() / "source";
    task.editable = {"*.c"};
    task.build = {"${CC:-cc} -O1 " + std::string(kCozFlagsOfGcc) + " -o program main.c -ldl", 60s};
    task.test = {"./program", 60s};
    task.benchmark.run = {"./program", 60s};
    task.benchmark.parser = "lines";
    task.benchmark.throughput = "throughput";
    task.sampling.min_pairs = task.sampling.max_pairs = 2;
    task.profile.when = ProfileTask::When::always;
    baseline = *load_source_tree(task.source, task.editable);
  }

  Evaluation evaluate() {
    const Result<ProfileProviders> providers = choose_providers(task.profile, *sandbox);
    REQUIRE_MESSAGE(providers, (providers ? "" : providers.error().message));
    LocalEvaluatorOptions options;
    options.folder = folder.path() / "run" / "workspaces";
    options.run_folder = folder.path() / "run";
    options.profilers = *providers;
    fs::create_directories(options.run_folder);
    Result<std::unique_ptr<Evaluator>> evaluator = make_local_evaluator(
        task, baseline, *read_protected(task.source, baseline), lanes, *sandbox, std::move(options));
    REQUIRE(evaluator);
    Candidate unmodified;
    unmodified.tree = baseline;
    Result<Evaluation> evaluation = (*evaluator)->evaluate(unmodified, {}, {});
    REQUIRE_MESSAGE(evaluation, (evaluation ? "" : evaluation.error().message));
    REQUIRE_MESSAGE(evaluation->status == EvaluationStatus::passed, evaluation->reason);
    return std::move(*evaluation);
  }
};

std::string output_of(const Evaluation& evaluation, Stage stage) {
  for (const StageReport& report : evaluation.stages) {
    if (report.stage == stage) return report.output;
  }
  return "no such stage";
}

}  // namespace

TEST_CASE_FIXTURE(ProfiledTask, "a task that asks for perf gets a profile by perf, of its own files and functions") {
  if (!working_perf()) return;
  task.profile.offcpu_provider = "perf";
  task.profile.causal_provider = "off";
  const Evaluation evaluation = evaluate();
  REQUIRE_MESSAGE(evaluation.profile.off_cpu, output_of(evaluation, Stage::off_cpu));
  const OffCpuProfile& profile = *evaluation.profile.off_cpu;
  CHECK(profile.source == "perf");
  CHECK(profile.ratio > 0.0);
  CHECK(std::any_of(profile.top_blockers.begin(), profile.top_blockers.end(), [](const Blocker& blocker) {
    return blocker.place == CodePlace{"rest", "main.c", 8} && blocker.kind == WaitClass::other;
  }));
}

TEST_CASE_FIXTURE(ProfiledTask, "functions that the task calls idle are idle in perf's profile, too") {
  if (!working_perf()) return;
  task.profile.offcpu_provider = "perf";
  task.profile.causal_provider = "off";
  task.profile.idle = {"rest"};
  const Evaluation evaluation = evaluate();
  REQUIRE_MESSAGE(evaluation.profile.off_cpu, output_of(evaluation, Stage::off_cpu));
  const OffCpuProfile& profile = *evaluation.profile.off_cpu;
  CHECK(profile.idle_samples >= 300);
  CHECK(std::none_of(profile.top_blockers.begin(), profile.top_blockers.end(),
                     [](const Blocker& blocker) { return blocker.place.function == "rest"; }));
}

TEST_CASE_FIXTURE(
    ProfiledTask,
    "bcoz is picked before coz, is told where the program waits, is read as coz is, and ends when it knows") {
  fs::create_directories(bin / "libcoz");
  std::ofstream(bin / "libcoz" / "libcoz.so") << "a library";
  // Experiments of 50 ms, and the line that bcoz prints at a program's end.
  pretend("bcoz", R"sh([ "$1 $2" = "run -o" ] || { echo "bcoz: usage: $*" >&2; exit 2; }
output=$3 line=
while [ "$1" != --- ]; do
  if [ "$1" = --fixed-line ]; then line=$2; fi
  shift
done
shift
"$@"
status=$?
echo "Overhead breakdown. Startup: 1 real_main_time: 2 end-to-end: 3"
{
  printf 'startup\ttime=1\n'
  for i in 1 2 3 4 5 6 7 8 9 10; do
    printf 'experiment\tselected=%s\tspeedup=0.00\tduration=5000000%s\tselected-samples=31\tdelay=0\n' "$line" $((i % 10))
    printf 'throughput-point\tname=op\tdelta=100\n'
    for speedup in 0.25 0.50 0.75; do
      printf 'experiment\tselected=%s\tspeedup=%s\tduration=4000000%s\tselected-samples=31\tdelay=9\n' "$line" $speedup $((i % 10))
      printf 'throughput-point\tname=op\tdelta=100\n'
    done
  done
} >>"$output"
exit $status
)sh");
  task.profile.causal_duration = 60s;  // A run takes one, and tells all of a line.
  const Evaluation evaluation = evaluate();
  REQUIRE_MESSAGE(evaluation.profile.causal, output_of(evaluation, Stage::causal));
  const CausalProfile& profile = *evaluation.profile.causal;
  CHECK(profile.source == "bcoz");
  REQUIRE_MESSAGE(!profile.targets.empty(), output_of(evaluation, Stage::causal));
  CHECK(profile.targets[0].place == CodePlace{"doze", "main.c", 7});
  CHECK(profile.max_speedup == doctest::Approx(20.0).epsilon(0.01));
  for (const StageReport& report : evaluation.stages) {
    if (report.stage == Stage::causal) CHECK(report.wall_time < 40s);
  }
  CHECK(evaluation.benchmark->throughput_ops_sec() == 100.0);

  task.profile.causal_provider = "coz";
  const Result<ProfileProviders> asked = choose_providers(task.profile, *sandbox);
  CHECK((!asked || asked->causal.chosen == "coz"));
}
