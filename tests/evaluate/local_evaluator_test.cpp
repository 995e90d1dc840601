/// Tests of the evaluator of this machine, on real processes: stages, pairs, what the baseline is for.

#include "evaluate/local_evaluator.hpp"

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/subprocess.hpp"
#include "source/source_tree.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

namespace {

/// A program that is a file with a number in it; its "throughput" is that number. Each run of the benchmark leaves a
/// line in `runs`: the number it printed.
struct Fixture {
  TemporaryFolder folder;
  Task task;
  SourceTree baseline;
  Lanes lanes;
  // What ran is noted outside of the workspaces.
  Sandbox sandbox = *Sandbox::probe(SandboxMode::off);
  std::unique_ptr<Evaluator> evaluator;

  Fixture() {
    std::filesystem::create_directories(folder.path() / "source");
    std::ofstream(folder.path() / "source" / "speed.txt") << "100\n";
    task.name = "numbers";
    task.source = folder.path() / "source";
    task.editable = {"*.txt"};
    task.build = {"! grep 'error: no build' speed.txt", 10s};
    task.test = {"! grep 'FAIL' speed.txt", 10s};
    task.benchmark.run = {"cat speed.txt >>" + runs_file() + "; sed 's/^/throughput: /' speed.txt", 10s};
    task.benchmark.parser = "lines";
    task.benchmark.throughput = "throughput";
    task.sampling.min_pairs = 3;
    Result<SourceTree> tree = load_source_tree(task.source, task.editable);
    REQUIRE(tree);
    baseline = *tree;
    make();
  }

  bool profiles = false;

  Result<std::unique_ptr<Evaluator>> make_in(const std::filesystem::path& workspaces) {
    const Result<ProtectedFiles> protected_files = read_protected(task.source, baseline);
    REQUIRE(protected_files);
    LocalEvaluatorOptions options;
    options.folder = workspaces;
    options.run_folder = folder.path();
    if (profiles) {
      const Result<ProfileProviders> profilers = choose_providers(task.profile, sandbox);
      REQUIRE(profilers);
      options.profilers = *profilers;
    }
    return make_local_evaluator(task, baseline, *protected_files, lanes, sandbox, options);
  }

  void make() {
    evaluator.reset();
    Result<std::unique_ptr<Evaluator>> made = make_in(folder.path() / "workspaces");
    REQUIRE(made);
    evaluator = std::move(*made);
  }

  std::string runs_file() const { return (folder.path() / "runs").string(); }

  /// "100 200 200 100 ": what was run, in that order.
  std::string runs() const {
    std::ifstream file(runs_file());
    std::string all;
    for (std::string word; file >> word;) all += word + " ";
    return all;
  }

  Candidate candidate(const std::string& content) const {
    Candidate made;
    made.id = CandidateId{1};
    made.parent = kBaselineId;
    made.tree = baseline;
    made.tree["speed.txt"] = make_source_file(content);
    made.tree_sha256 = tree_sha256(made.tree);
    return made;
  }

  Evaluation evaluate(const std::string& content) {
    Result<Evaluation> evaluation = evaluator->evaluate(candidate(content), {}, {});
    REQUIRE_MESSAGE(evaluation, (evaluation ? "" : evaluation.error().message));
    return *evaluation;
  }

  std::vector<std::string> noted(const std::string& name) const {
    std::ifstream file(folder.path() / name);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }
};

/// The gate of that name that fired; nothing said: none.
std::string fired(const Evaluation& evaluation) {
  for (const GateReport& gate : evaluation.gates) {
    if (gate.fired) return gate.name;
  }
  return "";
}

std::string details_of(const Evaluation& evaluation) {
  std::string details;
  for (const GateReport& gate : evaluation.gates) details += gate.name + ": " + gate.detail + "\n";
  return details;
}

/// A program of one C file, built by cc; its throughput is the number in it.
struct CFixture : Fixture {
  CFixture() {
    std::filesystem::remove(task.source / "speed.txt");
    std::ofstream(task.source / "main.c") << program("", "100");
    task.editable = {"*.c"};
    task.build = {"${CC:-cc} $CFLAGS -o program main.c $LDFLAGS", 60s};
    task.test = {"./program", 10s};
    task.benchmark.run = {"./program", 10s};
    task.sampling.min_pairs = task.sampling.max_pairs = 2;
    Result<SourceTree> tree = load_source_tree(task.source, task.editable);
    REQUIRE(tree);
    baseline = *tree;
    make();
  }

  static std::string program(const std::string& statements, const std::string& throughput) {
    return "#include <stdio.h>\n#include <stdlib.h>\nint main(void) {\n" + statements +
           "\n  printf(\"throughput: %s\\n\", \"" + throughput + "\");\n  return 0;\n}\n";
  }

  Evaluation evaluate(std::uint64_t id, const std::string& content, const EvaluateOptions& how = {}) {
    Candidate made;
    made.id = CandidateId{id};
    made.parent = kBaselineId;
    made.tree["main.c"] = make_source_file(content);
    made.tree_sha256 = tree_sha256(made.tree);
    Result<Evaluation> evaluation = evaluator->evaluate(made, how, {});
    REQUIRE_MESSAGE(evaluation, (evaluation ? "" : evaluation.error().message));
    return *evaluation;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "candidate and baseline run in pairs, the order within each drawn") {
  const Evaluation evaluation = evaluate("150\n");
  REQUIRE(evaluation.status == EvaluationStatus::passed);
  REQUIRE(evaluation.benchmark);
  CHECK(evaluation.benchmark->candidate.size() == 3);
  CHECK(evaluation.benchmark->baseline.size() == 3);
  CHECK(evaluation.benchmark->speedup() == doctest::Approx(1.5));
  std::istringstream words(runs());
  std::string first;
  std::string second;
  for (int pair = 0; pair < 3; ++pair) {
    words >> first >> second;
    CHECK(std::set<std::string>{first, second} == std::set<std::string>{"100", "150"});
  }
  const bool has_more = static_cast<bool>(words >> first);
  CHECK_FALSE(has_more);
  REQUIRE(evaluation.benchmark->estimate);
  CHECK(evaluation.benchmark->estimate->ratio == doctest::Approx(1.5));
  REQUIRE(evaluation.stages.size() == 4);
  CHECK(evaluation.stages[3].stage == Stage::benchmark);
}

TEST_CASE_FIXTURE(Fixture, "warm-up runs are made and thrown away") {
  task.benchmark.warmup = 1;
  task.sampling.min_pairs = task.sampling.max_pairs = 1;
  make();
  const Evaluation evaluation = evaluate("150\n");
  REQUIRE(evaluation.benchmark);
  CHECK(evaluation.benchmark->candidate.size() == 1);
  CHECK(runs().size() == std::string("100 150 150 100 ").size());
}

TEST_CASE_FIXTURE(Fixture, "a candidate below 0.4 of the baseline is dropped after one pair") {
  const Evaluation evaluation = evaluate("39\n");
  REQUIRE(evaluation.status == EvaluationStatus::passed);
  CHECK(evaluation.benchmark->candidate.size() == 1);
  CHECK(runs().size() == std::string("39 100 ").size());
}

TEST_CASE_FIXTURE(Fixture, "outside a search a candidate has all its pairs, however slow it turns out") {
  Candidate unmodified;
  unmodified.tree = baseline;
  ComparisonOptions how;
  how.pairs = 5;
  const Result<ComparisonResult> claim = evaluator->compare(candidate("39\n"), unmodified, how, {});
  REQUIRE(claim);
  CHECK(claim->benchmark.candidate.size() == 5);
  CHECK(claim->benchmark.baseline.size() == 5);
  CHECK(claim->benchmark.speedup() == doctest::Approx(0.39));

  how.pairs = 0;
  const Result<ComparisonResult> race = evaluator->compare(candidate("39\n"), unmodified, how, {});
  REQUIRE(race);
  CHECK(race->benchmark.candidate.size() == 3);  // It is decided then, and not by one pair as in a search.
}

TEST_CASE_FIXTURE(Fixture, "a comparison takes more pairs than an evaluation before it leaves a question open") {
  // From pair to pair the candidate is now slower, now faster.
  task.benchmark.run = {"echo >>" + runs_file() + "; runs=$(wc -l <" + runs_file() +
                            "); echo throughput: $((100 + ($(cat speed.txt) - 100) * ((runs - 1) / 2 % 2 * 2 - 1)))",
                        10s};
  task.sampling.max_pairs = 4;
  task.sampling.max_pairs_compared = 6;
  task.sampling.half_width = 0.0;
  make();
  CHECK(evaluate("102\n").benchmark->candidate.size() == 4);
  Candidate unmodified;
  unmodified.tree = baseline;
  const Result<ComparisonResult> race = evaluator->compare(candidate("102\n"), unmodified, {0, false, false, 1}, {});
  REQUIRE(race);
  CHECK(race->benchmark.candidate.size() == 6);
}

TEST_CASE_FIXTURE(Fixture, "the baseline is measured alone, and is no pair of itself") {
  Candidate unmodified;
  unmodified.tree = baseline;
  const Result<Evaluation> evaluation = evaluator->evaluate(unmodified, {}, {});
  REQUIRE(evaluation);
  REQUIRE(evaluation->benchmark);
  CHECK(evaluation->benchmark->candidate.size() == 3);
  CHECK(evaluation->benchmark->baseline.empty());
  CHECK(evaluation->benchmark->throughput_ops_sec() == 100.0);
}

TEST_CASE_FIXTURE(Fixture, "a stage that fails ends the evaluation there, and says why") {
  const Evaluation not_built = evaluate("error: no build\n");
  CHECK(not_built.status == EvaluationStatus::build_failed);
  CHECK(not_built.reason.find("error: no build") != std::string::npos);
  CHECK(not_built.stages.back().stage == Stage::build);

  const Evaluation not_tested = evaluate("FAIL\n");
  CHECK(not_tested.status == EvaluationStatus::tests_failed);
  CHECK(not_tested.stages.back().stage == Stage::test);

  const Evaluation no_number = evaluate("quick\n");
  CHECK(no_number.status == EvaluationStatus::benchmark_failed);
  CHECK_FALSE(no_number.benchmark);
  CHECK(no_number.stages.back().status == StageStatus::failed);
}

TEST_CASE_FIXTURE(Fixture, "a folder that no evaluator made is not removed") {
  const auto mine = folder.path() / "mine";
  std::filesystem::create_directories(mine);
  std::ofstream(mine / "thesis.txt") << "two years of work\n";
  const auto refused = make_in(mine);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("was not made by aiopt") != std::string::npos);
  CHECK(std::filesystem::exists(mine / "thesis.txt"));
}

TEST_CASE_FIXTURE(Fixture, "no stage sees a model's key, whatever variable holds it") {
  ::setenv("OPENAI_API_KEY", "sk-first", 1);
  ::setenv("AIOPT_TEST_OTHER_KEY", "sk-second", 1);
  hide_from_children("AIOPT_TEST_OTHER_KEY");
  task.build.command = "! env | grep sk-";
  make();
  const Evaluation evaluation = evaluate("150\n");
  ::unsetenv("OPENAI_API_KEY");
  ::unsetenv("AIOPT_TEST_OTHER_KEY");
  CHECK(evaluation.status == EvaluationStatus::passed);
  CHECK(evaluation.stages[1].output.find("sk-") == std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "the editable files of one candidate are put right for the next") {
  CHECK(evaluate("150\n").benchmark->throughput_ops_sec() == 150.0);
  CHECK(evaluate("FAIL\n").status == EvaluationStatus::tests_failed);
  CHECK(evaluate("160\n").benchmark->throughput_ops_sec() == 160.0);
  // The workspaces go with the evaluator; the source was never written to.
  evaluator.reset();
  CHECK_FALSE(std::filesystem::exists(folder.path() / "workspaces"));
  std::string content;
  std::ifstream(folder.path() / "source" / "speed.txt") >> content;
  CHECK(content == "100");
}

TEST_CASE_FIXTURE(Fixture, "a source that does not pass its own tests is the world's fault, not the candidate's") {
  task.test.command = "! grep -x 100 speed.txt";
  make();
  const Result<Evaluation> evaluation = evaluator->evaluate(candidate("150\n"), {}, {});
  REQUIRE_FALSE(evaluation);
  CHECK(evaluation.error().message.find("the unmodified source no longer passes") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "a stop ends the command that runs, at once, and is an Error") {
  task.benchmark.run.command = "sleep 60";
  make();
  std::stop_source stop;
  std::thread stopper([&] {
    std::this_thread::sleep_for(300ms);
    stop.request_stop();
  });
  const auto started = monotonic_now();
  const Result<Evaluation> evaluation = evaluator->evaluate(candidate("150\n"), {}, stop.get_token());
  stopper.join();
  REQUIRE_FALSE(evaluation);
  CHECK(evaluation.error().code == Error::Code::cancelled);
  CHECK(monotonic_now() - started < 10s);
}

TEST_CASE_FIXTURE(Fixture, "several threads evaluate at once, each in a workspace of its own") {
  task.sampling.min_pairs = task.sampling.max_pairs = 1;
  make();
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int thread = 1; thread <= 3; ++thread) {
    threads.emplace_back([&, thread] {
      for (int turn = 0; turn < 3; ++turn) {
        const int number = 100 * thread + turn;
        const Result<Evaluation> evaluation = evaluator->evaluate(candidate(std::to_string(number) + "\n"), {}, {});
        if (evaluation && evaluation->benchmark && evaluation->benchmark->throughput_ops_sec() == number) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 9);
}

TEST_CASE_FIXTURE(Fixture, "the unmodified program looks into the data that a candidate's run left") {
  task.data = {"db"};
  task.benchmark.run.command = "mkdir db; cp speed.txt db/value; sed 's/^/throughput: /' speed.txt";
  // In the baseline's workspace: its number is 100. What it accepts is a value without a 7.
  task.verify = {
      "cat db/value >>" + (folder.path() / "verified").string() + "; grep -qx 100 speed.txt && ! grep -H 7 db/value",
      10s};
  make();
  const Evaluation accepted = evaluate("150\n");
  CHECK(accepted.status == EvaluationStatus::passed);
  CHECK(noted("verified") == std::vector<std::string>{"150"});  // One run of three: which, it cannot know.

  const Evaluation refused = evaluate("170\n");
  CHECK(refused.status == EvaluationStatus::rejected_by_gate);
  CHECK(fired(refused) == "verify");
  CHECK(refused.reason.find("db/value:170") != std::string::npos);
  CHECK(refused.benchmark);
  // The baseline's workspace has its own data again.
  CHECK(evaluate("160\n").status == EvaluationStatus::passed);
}

TEST_CASE_FIXTURE(Fixture, "a run that leaves no data is refused, and what it did leave is not the baseline's") {
  task.data = {"one", "two"};
  task.benchmark.run.command =
      "[ ! -e one ] || exit 3; cp speed.txt one; grep -q 170 speed.txt || cp speed.txt two;"
      "sed 's/^/throughput: /' speed.txt";
  task.verify = {"cmp one two", 10s};
  make();
  const Evaluation refused = evaluate("170\n");
  CHECK(refused.status == EvaluationStatus::rejected_by_gate);
  CHECK(fired(refused) == "verify");
  CHECK(refused.reason.find("left no data in `two`") != std::string::npos);
  CHECK(evaluate("160\n").status == EvaluationStatus::passed);
}

TEST_CASE_FIXTURE(Fixture, "a baseline whose data its own verification refuses is the task's fault") {
  task.data = {"db"};
  task.benchmark.run.command = "cp speed.txt db; sed 's/^/throughput: /' speed.txt";
  task.verify = {"echo 'error: bad block'; false", 10s};
  make();
  Candidate unmodified;
  unmodified.tree = baseline;
  const Result<Evaluation> evaluation = evaluator->evaluate(unmodified, {}, {});
  REQUIRE_FALSE(evaluation);
  CHECK(evaluation.error().message.find("fails its own verification") != std::string::npos);
  CHECK(evaluation.error().message.find("bad block") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "a test that overwrites what was built is found out, and the next candidate is clean") {
  task.build.command = "cp speed.txt built.txt";
  task.test.command = "! grep -q 130 speed.txt || echo 999 >built.txt";
  task.benchmark.run.command = "sed 's/^/throughput: /' built.txt";
  make();
  const Evaluation cheat = evaluate("130\n");
  CHECK(cheat.status == EvaluationStatus::rejected_by_gate);
  CHECK(fired(cheat) == "protected_files");
  CHECK(cheat.reason.find("built.txt") != std::string::npos);
  CHECK_FALSE(cheat.benchmark);
  const Evaluation honest = evaluate("140\n");
  REQUIRE(honest.benchmark);
  CHECK(honest.benchmark->throughput_ops_sec() == 140.0);
}

TEST_CASE_FIXTURE(Fixture, "a build that overwrites a file no patch may edit is found out") {
  std::ofstream(task.source / "check.sh") << "true\n";
  task.build.command = "! grep -q 130 speed.txt || echo 'exit 0' >check.sh";
  make();
  const Evaluation cheat = evaluate("130\n");
  CHECK(cheat.status == EvaluationStatus::rejected_by_gate);
  CHECK(fired(cheat) == "protected_files");
  CHECK(cheat.reason.find("check.sh") != std::string::npos);
  CHECK(evaluate("140\n").status == EvaluationStatus::passed);
}

TEST_CASE_FIXTURE(Fixture, "a benchmark that leaves a file is found out, and its next run does not find it") {
  task.benchmark.run.command = "if [ -e cache ]; then echo found; else echo fresh; fi >>" +
                               (folder.path() / "seen").string() +
                               "; ! grep -q 150 speed.txt || touch cache; sed 's/^/throughput: /' speed.txt";
  make();
  const Evaluation cheat = evaluate("150\n");
  CHECK(cheat.status == EvaluationStatus::rejected_by_gate);
  CHECK(fired(cheat) == "left_files");
  CHECK(cheat.reason.find("cache") != std::string::npos);
  CHECK(evaluate("140\n").status == EvaluationStatus::passed);
  CHECK(noted("seen") == std::vector<std::string>(12, "fresh"));
}

TEST_CASE_FIXTURE(Fixture, "the task's data is as it was before each run, and may be changed") {
  task.data = {"db"};
  task.build.command = "mkdir -p db && echo first >db/log";
  task.benchmark.run.command = "echo more >>db/log; touch db/new; wc -l <db/log >>" +
                               (folder.path() / "lines").string() + "; ls db | wc -l >>" +
                               (folder.path() / "files").string() + "; sed 's/^/throughput: /' speed.txt";
  make();
  const Evaluation evaluation = evaluate("150\n");
  CHECK(evaluation.status == EvaluationStatus::passed);
  CHECK(fired(evaluation).empty());
  CHECK(noted("lines") == std::vector<std::string>(6, "2"));
  CHECK(noted("files") == std::vector<std::string>(6, "2"));
}

TEST_CASE_FIXTURE(Fixture, "both runs of a pair find the same AIOPT_SEED, each pair another") {
  task.benchmark.run.command =
      "echo $AIOPT_SEED >>" + (folder.path() / "seeds").string() + "; sed 's/^/throughput: /' speed.txt";
  make();
  CHECK(evaluate("150\n").status == EvaluationStatus::passed);
  const std::vector<std::string> seeds = noted("seeds");
  REQUIRE(seeds.size() == 6);
  for (std::size_t i = 0; i < seeds.size(); i += 2) {
    CHECK_FALSE(seeds[i].empty());
    CHECK(seeds[i] == seeds[i + 1]);
  }
  CHECK(std::set<std::string>(seeds.begin(), seeds.end()).size() == 3);
  // The same candidate has the same ones again: a run with --reproducible is the same run.
  make();
  evaluate("150\n");
  const std::vector<std::string> again = noted("seeds");
  REQUIRE(again.size() == 12);
  CHECK(std::equal(seeds.begin(), seeds.end(), again.begin() + 6));
}

TEST_CASE_FIXTURE(CFixture, "the same program is not measured twice, whatever its source says") {
  const Evaluation first = evaluate(1, program("  // a comment", "150"));
  REQUIRE(first.status == EvaluationStatus::passed);
  CHECK_FALSE(first.reused_from);
  const Evaluation second = evaluate(2, program("  // another one", "150"));
  CHECK(second.status == EvaluationStatus::passed);
  CHECK(second.reused_from == CandidateId{1});
  REQUIRE(second.benchmark);
  CHECK(second.benchmark->throughput_ops_sec() == 150.0);
  CHECK(second.stages.back().stage == Stage::test);  // It was built and tested all the same.
  CHECK_FALSE(evaluate(3, program("  // a comment", "160")).reused_from);

  EvaluateOptions anew;
  anew.anew = true;
  const Evaluation again = evaluate(4, program("  // a comment", "150"), anew);
  CHECK_FALSE(again.reused_from);
  CHECK(again.stages.back().stage == Stage::benchmark);
}

/// Four writers with 15 operations each, that do `put`; after a sem_post(&asked) another thread syncs, at some time.
std::string writers(const std::string& put) {
  const std::string syncs_late = put.find("sem_post") == std::string::npos ? "0" : "1";
  return R"(
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
enum { kWriters = 4, kOperations = 15 };
static int file;
static sem_t asked;
static void* write_all(void* unused) {
  for (int i = 0; i < kOperations; ++i) {
    if (write(file, "record", 6) != 6) return unused;
    )" + put +
         R"(
  }
  return NULL;
}
static void* sync_later(void* unused) {
  for (int i = 0; i < kWriters * kOperations; ++i) {
    sem_wait(&asked);
    fsync(file);
  }
  return unused;
}
int main(void) {
  pthread_t writers[kWriters], late;
  struct timespec begin, end;
  file = open("log", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  sem_init(&asked, 0, 0);
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int i = 0; i < kWriters; ++i) pthread_create(&writers[i], NULL, write_all, NULL);
  if ()" +
         syncs_late +
         R"() pthread_create(&late, NULL, sync_later, NULL);
  for (int i = 0; i < kWriters; ++i) pthread_join(writers[i], NULL);
  clock_gettime(CLOCK_MONOTONIC, &end);
  if ()" +
         syncs_late +
         R"() pthread_join(late, NULL);
  double seconds = (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9;
  printf("operations: %d\nthroughput: %f\n", kWriters * kOperations, kWriters * kOperations / seconds);
  return 0;
}
)";
}

TEST_CASE_FIXTURE(CFixture, "who does not wait for the syncs that it has made is found out, on a quick disk too") {
  // It is a gain only as long as four syncs one after another take less than that.
  std::ofstream(task.source / "main.c") << writers("usleep(40000); fsync(file);");
  Result<SourceTree> tree = load_source_tree(task.source, task.editable);
  REQUIRE(tree);
  baseline = *tree;
  task.build.command = "${CC:-cc} -pthread -o program main.c";
  task.benchmark.run.timeout = 60s;
  task.benchmark.operations = "operations";
  task.gates.writers = 4;
  task.gates.off = {"clock", "after_clock"};  // Which catch it where a sync takes long.
  task.data = {"log"};
  make();
  const Evaluation late = evaluate(1, writers("sem_post(&asked);"));
  CHECK(late.status == EvaluationStatus::rejected_by_gate);
  CHECK_MESSAGE(fired(late) == "syncs", details_of(late));
  CHECK_MESSAGE(late.reason.find("writers that wait for them") != std::string::npos, late.reason);

  const Evaluation sound = evaluate(2, writers("fsync(file);"));
  CHECK_MESSAGE(sound.status == EvaluationStatus::passed, sound.reason);
}

TEST_CASE_FIXTURE(Fixture, "a profiled run that changes what was built is no candidate's way to the next one") {
  profiles = true;
  task.build.command = "test -f library || echo built >library";  // As make leaves what is not out of date.
  task.test.command = "grep -q built library";
  task.profile.command = "if grep -q 150 speed.txt; then echo forged >library; fi";
  task.profile.causal_provider = "off";
  make();
  const Evaluation forger = evaluate("150\n");
  CHECK(forger.status == EvaluationStatus::rejected_by_gate);
  CHECK_MESSAGE(forger.reason.find("a profiled run changed library") != std::string::npos, forger.reason);
  CHECK(evaluate("160\n").status == EvaluationStatus::passed);

  // Of the unmodified program it is the task that is wrong.
  task.profile.command = "echo other >library";
  make();
  Candidate unmodified;
  unmodified.tree = baseline;
  const Result<Evaluation> of_baseline = evaluator->evaluate(unmodified, {}, {});
  REQUIRE(of_baseline);
  CHECK(of_baseline->status == EvaluationStatus::rejected_by_gate);
  CHECK_MESSAGE(of_baseline->reason.find("a profiled run changed library") != std::string::npos, of_baseline->reason);
}

TEST_CASE_FIXTURE(CFixture, "what passes its tests and breaks under the sanitizers is rejected") {
  task.sanitize.on = true;
  make();
  // Volatile: a compiler that sees the size has -fsanitize=undefined find it, one that sees no use leaves it out.
  const std::string overflow =
      "  volatile size_t size = 8;\n  volatile char* text = malloc(size);\n  text[size] = 'x';\n  free((void*)text);";
  const Evaluation broken = evaluate(1, program(overflow, "150"));
  CHECK(broken.status == EvaluationStatus::rejected_by_gate);
  CHECK(fired(broken) == "sanitizer");
  CHECK_MESSAGE(broken.reason.find("heap-buffer-overflow") != std::string::npos, broken.reason);
  CHECK(broken.stages.back().stage == Stage::sanitize);

  const Evaluation sound = evaluate(2, program("  free(malloc(8));", "150"));
  CHECK_MESSAGE(sound.status == EvaluationStatus::passed, sound.reason);
  CHECK(sound.gates.back().name == "sanitizer");
  CHECK_FALSE(sound.gates.back().fired);

  Candidate unmodified;
  unmodified.tree = baseline;
  const Result<Evaluation> of_baseline = evaluator->evaluate(unmodified, {}, {});
  REQUIRE(of_baseline);
  CHECK_MESSAGE(of_baseline->status == EvaluationStatus::passed, of_baseline->reason);

  task.gates.off = {"sanitizer"};
  make();
  CHECK(evaluate(1, program(overflow, "150")).status == EvaluationStatus::passed);
}

TEST_CASE_FIXTURE(Fixture, "the unmodified program against itself shows no difference, from what is built already") {
  Candidate unmodified;
  unmodified.tree = baseline;
  ComparisonOptions how;
  how.pairs = 4;
  how.builds_afresh = false;
  const Result<ComparisonResult> same = evaluator->compare(unmodified, unmodified, how, {});
  REQUIRE(same);
  CHECK(same->benchmark.baseline.size() == 4);
  CHECK(same->benchmark.speedup() == 1.0);
  for (const GateReport& gate : same->gates) CHECK_MESSAGE(!gate.fired, gate.name);
}

TEST_CASE_FIXTURE(Fixture, "the held-out workload is another command on the same two trees") {
  task.holdout = task.benchmark;
  task.holdout->run.command = "sed 's/^.*$/throughput: 7&/' speed.txt";
  make();
  Candidate unmodified;
  unmodified.tree = baseline;
  ComparisonOptions how;
  how.pairs = 2;
  how.holdout = true;
  const Result<ComparisonResult> held_out = evaluator->compare(candidate("200\n"), unmodified, how, {});
  REQUIRE(held_out);
  CHECK(held_out->benchmark.throughput_ops_sec() == 7200.0);
  CHECK(held_out->benchmark.baseline_throughput_ops_sec() == 7100.0);
  CHECK(runs().empty());
}

TEST_CASE_FIXTURE(Fixture, "a claim's candidate is built from nothing, what all are compared with but once") {
  task.build.command = "cat speed.txt >>" + (folder.path() / "built").string();
  make();
  Candidate unmodified;
  unmodified.tree = baseline;
  ComparisonOptions how;
  how.pairs = 2;
  REQUIRE(evaluator->compare(candidate("150\n"), unmodified, how, {}));
  REQUIRE(evaluator->compare(candidate("150\n"), unmodified, how, {}));
  REQUIRE(evaluator->compare(candidate("160\n"), unmodified, how, {}));
  how.builds_afresh = false;
  REQUIRE(evaluator->compare(candidate("160\n"), unmodified, how, {}));
  CHECK(noted("built") == std::vector<std::string>{"150", "100", "150", "160"});
}

TEST_CASE_FIXTURE(Fixture, "of two that are compared the one that fails is named") {
  Candidate unmodified;
  unmodified.tree = baseline;
  const Result<ComparisonResult> result = evaluator->compare(candidate("FAIL\n"), unmodified, {}, {});
  REQUIRE_FALSE(result);
  CHECK(result.error().message.find("candidate 1: the test ended with exit code 1") == 0);
}
