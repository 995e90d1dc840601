/// Which profiler is picked, and the command lines of perf and bperf.

#include "evaluate/profile_providers.hpp"
#include "evaluate/profiler.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "evaluate/command_words.hpp"

using namespace aiopt;

namespace {

/// Profilers that work or do not, and which of them were tried.
struct Profilers {
  std::vector<std::string> tried;
  std::vector<ProviderCandidate> best_first;

  Profilers& with(const std::string& name, bool works) {
    best_first.push_back({name, [this, name, works] {
                            tried.push_back(name);
                            return works ? ProviderTrial{name, true, "sees all", ""}
                                         : ProviderTrial{name, false, "is not there", "apt-get install " + name};
                          }});
    return *this;
  }
};

const std::filesystem::path kRecording = "/tmp/r/recording";

std::string joined_words(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
  return line;
}

}  // namespace

TEST_CASE("of `auto` the first profiler that works is picked, and those after it are not tried") {
  Profilers profilers;
  profilers.with("bperf", false).with("sampler", true).with("perf", true);
  const Result<ProviderChoice> choice = choose_provider("auto", profilers.best_first);
  REQUIRE(choice);
  CHECK(choice->chosen == "sampler");
  CHECK(profilers.tried == std::vector<std::string>{"bperf", "sampler"});
  CHECK(choice->describe() == "sampler, sees all (bperf: is not there)");
}

TEST_CASE("of `auto` where none works no profile is made, and why is said") {
  Profilers profilers;
  profilers.with("bcoz", false).with("coz", false);
  const Result<ProviderChoice> choice = choose_provider("auto", profilers.best_first);
  REQUIRE(choice);
  CHECK(choice->chosen.empty());
  CHECK(choice->describe() == "none works (bcoz: is not there; coz: is not there)");
}

TEST_CASE("a profiler that is asked for is the only one tried, however good the others are") {
  Profilers profilers;
  profilers.with("bperf", true).with("sampler", true).with("perf", true);
  const Result<ProviderChoice> choice = choose_provider("perf", profilers.best_first);
  REQUIRE(choice);
  CHECK(choice->chosen == "perf");
  CHECK(profilers.tried == std::vector<std::string>{"perf"});
}

TEST_CASE("a profiler that is asked for and does not work is an error with what to do, and never replaced") {
  Profilers profilers;
  profilers.with("bperf", true).with("sampler", true).with("perf", false);
  const Result<ProviderChoice> choice = choose_provider("perf", profilers.best_first);
  REQUIRE_FALSE(choice);
  CHECK(choice.error().code == Error::Code::unavailable);
  CHECK(choice.error().message ==
        "cannot profile by perf, which the task asks for: is not there; it takes apt-get install perf (or `provider: "
        "auto`)");
  CHECK(profilers.tried == std::vector<std::string>{"perf"});
}

TEST_CASE("of `off` none is tried") {
  Profilers profilers;
  profilers.with("sampler", true);
  const Result<ProviderChoice> choice = choose_provider("off", profilers.best_first);
  REQUIRE(choice);
  CHECK(choice->chosen.empty());
  CHECK(choice->describe() == "off");
  CHECK(profilers.tried.empty());
}

TEST_CASE("perf records each switch and where threads run, and is not let at the files that were mapped") {
  const StackRecorder perf{StackRecorder::Kind::perf, "/usr/bin/perf"};
  CHECK(joined_words(recording_command(perf, kRecording)) ==
        "/usr/bin/perf record -q --buildid-mmap --no-buildid-cache -g --switch-events -e "
        "software/config=1,period=1000000,name=task-clock/ -e software/config=3,period=1,name=context-switches/ "
        "--max-size=64M -o /tmp/r/recording --");
  CHECK(joined_words(reading_command(perf, kRecording, "/tmp/r/kallsyms")) ==
        "/usr/bin/perf script -F comm,pid,tid,time,period,event,ip,sym,dso --ns --no-inline --show-switch-events "
        "--show-lost-events -i /tmp/r/recording --kallsyms /tmp/r/kallsyms");
}

TEST_CASE("bperf records blocked samples with their weight, and its report is read: its script has no class") {
  const StackRecorder bperf{StackRecorder::Kind::bperf, "/opt/bperf"};
  CHECK(
      joined_words(recording_command(bperf, kRecording)) ==
      "/opt/bperf record --no-buildid --no-buildid-cache -g -e task-clock -c 1000000 --weight -o /tmp/r/recording --");
  CHECK(joined_words(reading_command(bperf, kRecording, {})) == "/opt/bperf report --stdio -i /tmp/r/recording");
}

TEST_CASE("which candidates get a causal profile goes by the task, their parent and the elites") {
  using When = ProfileTask::When;
  const auto is_worth = [](When when, double ratio, EliteStanding standing) {
    Evaluation evaluation;
    evaluation.id = CandidateId{1};
    BenchmarkRun run;
    run.throughput_ops_sec = ratio;
    BenchmarkRun baseline;
    baseline.throughput_ops_sec = 1.0;
    evaluation.benchmark = BenchmarkResult{{run}, {baseline}};
    EvaluateOptions how;
    how.bar = 1.5;
    how.standing = [standing](const Evaluation&) { return standing; };
    return is_worth_a_causal_profile(when, evaluation, how);
  };
  CHECK(is_worth(When::always, 0.5, EliteStanding::behind));
  CHECK_FALSE(is_worth(When::never, 2.0, EliteStanding::opens_cell));
  CHECK(is_worth(When::promising, 1.6, EliteStanding::behind));
  CHECK(is_worth(When::promising, 0.5, EliteStanding::opens_cell));
  CHECK_FALSE(is_worth(When::promising, 1.4, EliteStanding::leads_cell));
  CHECK(is_worth(When::elites, 1.4, EliteStanding::leads_cell));
  CHECK(is_worth(When::elites, 0.5, EliteStanding::opens_cell));
  CHECK_FALSE(is_worth(When::elites, 1.6, EliteStanding::behind));
  for (const When when : {When::promising, When::elites}) CHECK(is_worth_a_causal_profile(when, Evaluation(), {}));
  CHECK_FALSE(is_worth_a_causal_profile(When::never, Evaluation(), {}));
}
