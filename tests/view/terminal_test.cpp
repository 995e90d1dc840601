/// Tests of what a run says while it goes on.

#include "view/terminal.hpp"

#include <array>
#include <memory>
#include <string>

#include <doctest/doctest.h>

using namespace aiopt;

namespace {

struct Screen {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::tmpfile(), std::fclose};

  std::string text() const {
    std::rewind(file.get());
    std::string all;
    std::array<char, 512> part{};
    for (std::size_t got = 0; (got = std::fread(part.data(), 1, part.size(), file.get())) > 0;) {
      all.append(part.data(), got);
    }
    return all;
  }
};

RunProgress progress_after(std::uint64_t evaluations) {
  RunProgress progress;
  progress.evaluations = evaluations;
  progress.budget = 60;
  progress.seconds = 6.0 * static_cast<double>(evaluations);
  return progress;
}

Proposal proposal(std::uint64_t id) {
  Proposal made;
  made.id = CandidateId{id};
  made.emitter = "patch_pool";
  return made;
}

Evaluation measured(double candidate, double baseline) {
  Evaluation evaluation;
  evaluation.benchmark.emplace();
  evaluation.benchmark->candidate.emplace_back().throughput_ops_sec = candidate;
  evaluation.benchmark->baseline.emplace_back().throughput_ops_sec = baseline;
  return evaluation;
}

}  // namespace

TEST_CASE("in a pipe every evaluation is a plain line") {
  const Screen screen;
  {
    TerminalView view(screen.file.get(), false);
    view.on_run_started(progress_after(0), false);
    view.on_told(proposal(1), measured(150, 100), Fitness{0.25, {}}, AddResult{AddStatus::new_cell, 0, 0.25},
                 progress_after(1));
    Evaluation failed;
    failed.status = EvaluationStatus::build_failed;
    failed.reason = "the build ended with exit status 1:\nmake: entering\nwal.cc:3: error: expected ';'\n";
    view.on_told(proposal(2), failed, {}, {}, progress_after(2));
    view.on_tick(progress_after(2));
    view.on_run_finished(progress_after(2));
  }
  CHECK(screen.text() ==
        "[1/60] 1 by patch_pool: 1.50x (1 pair, no interval), objective 0.2500 [new cell]\n"
        "[2/60] 2 by patch_pool: build_failed: wal.cc:3: error: expected ';'\n");
}

TEST_CASE("on a terminal one line is drawn over, and is gone at the end") {
  const Screen screen;
  {
    TerminalView view(screen.file.get(), true);
    view.on_run_started(progress_after(0), false);
    Evaluation failed;
    failed.status = EvaluationStatus::tests_failed;
    view.on_told(proposal(1), failed, {}, {}, progress_after(1));
    view.on_tick(progress_after(1));
  }
  const std::string text = screen.text();
  CHECK(text.find('\n') == std::string::npos);
  CHECK(text.find("[1/60]") != std::string::npos);
  CHECK(text.ends_with("\r\033[K"));
}

TEST_CASE("the live line has progress, pace, best, coverage, lane, tokens and the time left") {
  RunProgress progress = progress_after(20);
  progress.best_speedup = 2.314;
  progress.archive.num_elites = 9;
  progress.archive.coverage = 0.045;
  progress.lane_busy_share = 0.71;
  progress.builds_at_once = 1.25;
  progress.waiting_for_model = 2;
  progress.evaluating = 1;
  progress.tokens = {11'000, 1'500};
  progress.usd = 0.12;
  CHECK(progress_line(progress, 10.0) ==
        "[20/60] best 2.31x | 10.0/min | 9 cells, 4.5 % | lane 71 % | builds 1.25 | 2 at the model | 1 evaluating | "
        "12k tokens | "
        "$0.12 | "
        "4 min 00 s left");
}
