/// Tests of the evaluator of this machine, on real processes: stages, pairs, what the baseline is for.

#include "evaluate/local_evaluator.hpp"

#include <atomic>
#include <cstdlib>
#include <fstream>
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

  void make(int workspaces = 1) {
    evaluator.reset();
    Result<std::unique_ptr<Evaluator>> made =
        make_local_evaluator(task, baseline, lanes, {folder.path() / "workspaces", workspaces});
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
    Result<Evaluation> evaluation = evaluator->evaluate(candidate(content), {});
    REQUIRE(evaluation);
    return *evaluation;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "candidate and baseline run in turn, the order swapped from pair to pair") {
  const Evaluation evaluation = evaluate("150\n");
  REQUIRE(evaluation.status == EvaluationStatus::passed);
  REQUIRE(evaluation.benchmark);
  CHECK(evaluation.benchmark->candidate.size() == 3);
  CHECK(evaluation.benchmark->baseline.size() == 3);
  CHECK(evaluation.benchmark->speedup() == doctest::Approx(1.5));
  CHECK(runs() == "150 100 100 150 150 100 ");
  REQUIRE(evaluation.stages.size() == 4);
  CHECK(evaluation.stages[3].stage == Stage::benchmark);
}

TEST_CASE_FIXTURE(Fixture, "warm-up runs are made and thrown away") {
  task.benchmark.warmup = 1;
  task.sampling.min_pairs = 1;
  make();
  const Evaluation evaluation = evaluate("150\n");
  REQUIRE(evaluation.benchmark);
  CHECK(evaluation.benchmark->candidate.size() == 1);
  CHECK(runs() == "100 150 150 100 ");
}

TEST_CASE_FIXTURE(Fixture, "a candidate below 0.4 of the baseline is dropped after one pair") {
  const Evaluation evaluation = evaluate("39\n");
  REQUIRE(evaluation.status == EvaluationStatus::passed);
  CHECK(evaluation.benchmark->candidate.size() == 1);
  CHECK(runs() == "39 100 ");
}

TEST_CASE_FIXTURE(Fixture, "a claim has all its pairs, however slow the candidate turns out") {
  const Result<BenchmarkResult> claim = evaluator->measure(candidate("39\n"), 5, {});
  REQUIRE(claim);
  CHECK(claim->candidate.size() == 5);
  CHECK(claim->speedup() == doctest::Approx(0.39));
}

TEST_CASE_FIXTURE(Fixture, "the baseline is measured alone, and is no pair of itself") {
  Candidate unmodified;
  unmodified.tree = baseline;
  const Result<Evaluation> evaluation = evaluator->evaluate(unmodified, {});
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
  const auto refused = make_local_evaluator(task, baseline, lanes, {mine, 1});
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
  const Result<Evaluation> evaluation = evaluator->evaluate(candidate("150\n"), {});
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
  const Result<Evaluation> evaluation = evaluator->evaluate(candidate("150\n"), stop.get_token());
  stopper.join();
  REQUIRE_FALSE(evaluation);
  CHECK(evaluation.error().code == Error::Code::cancelled);
  CHECK(monotonic_now() - started < 10s);
}

TEST_CASE_FIXTURE(Fixture, "several threads evaluate at once, each in a workspace of its own") {
  task.sampling.min_pairs = 1;
  make(3);
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int thread = 1; thread <= 3; ++thread) {
    threads.emplace_back([&, thread] {
      for (int turn = 0; turn < 3; ++turn) {
        const int number = 100 * thread + turn;
        const Result<Evaluation> evaluation = evaluator->evaluate(candidate(std::to_string(number) + "\n"), {});
        if (evaluation && evaluation->benchmark && evaluation->benchmark->throughput_ops_sec() == number) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 9);
}
