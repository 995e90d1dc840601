/// How busy the lane is kept: a model that takes 2 s, a build of 3 s and a benchmark of 2 s, 60 evaluations.
///
/// The lane has one CPU and builds have the other (--lane-cpus); builds here sleep, so that they disturb nobody. What
/// is printed is the share of the time from the first candidate's result to the last one's in which the lane measured.

#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <string>

#include <aiopt/evolution.hpp>

#include "base/cpu_set.hpp"
#include "base/files.hpp"
#include "support/chat_endpoint.hpp"

using namespace aiopt;
using namespace std::chrono_literals;

namespace {

/// Keeps what was known when the first and the last candidate were told.
class FirstAndLast final : public EventSink {
 public:
  void on_told(const Proposal& proposal, const Evaluation&, const std::optional<Fitness>&,
               const std::optional<AddResult>&, const RunProgress& progress) override {
    if (proposal.id == kBaselineId) return;
    if (first_.evaluations == 0) first_ = progress;
    last_ = progress;
  }

  double busy_share() const {
    const double busy = last_.lane_busy_share * last_.seconds - first_.lane_busy_share * first_.seconds;
    return busy / (last_.seconds - first_.seconds);
  }
  const RunProgress& last() const { return last_; }

 private:
  RunProgress first_;
  RunProgress last_;
};

}  // namespace

int main() {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "main.cc") << "int main() {\n  int value = 100;\n  return value;\n}\n";
  std::ofstream(folder.path() / "task.yaml") << R"(name: sleeper
editable: ["*.cc"]
build: sleep 3
test: "true"
benchmark:
  command: "sleep 2; sed -n 's/.*value = \\([0-9]*\\).*/throughput: \\1/p' main.cc"
  parser: lines
  throughput: throughput
  min_pairs: 1
  max_pairs: 1
)";
  std::atomic<int> value{100};
  ChatEndpoint endpoint([&](const EndpointRequest&) {
    EndpointReply reply =
        chat_reply(fmt::format("```cpp main.cc\nint main() {{\n  int value = {};\n}}\n```\n", ++value));
    reply.delay_before = 2s;
    return reply;
  });
  Result<Task> task = load_task(folder.path());
  if (!task) {
    fmt::print(stderr, "{}\n", task.error().message);
    return 1;
  }
  task->llm.api_base = endpoint.api_base();
  ModelTask model;
  model.name = "scripted";
  task->llm.models = {model};
  EvolutionOptions options;
  options.iterations = 60;
  options.workers = 4;
  options.claim_pairs = 0;
  const std::vector<int> cpus = usable_cpus();
  if (cpus.size() >= 2) options.lanes.lane_cpus = {cpus.back()};
  FirstAndLast sink;
  const Result<RunOutcome> outcome = evolve(*task, options, folder.path() / "run", sink, {});
  if (!outcome) {
    fmt::print(stderr, "{}\n", outcome.error().message);
    return 1;
  }
  fmt::print(
      R"({{"evaluations": {}, "seconds": {:.1f}, "lane_busy_share_after_first": {:.4f}, "builds_at_once": {:.2f}}})"
      "\n",
      sink.last().evaluations, sink.last().seconds, sink.busy_share(), sink.last().builds_at_once);
  return 0;
}
