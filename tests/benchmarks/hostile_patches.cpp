/// Judges every hostile and every honest patch of tests/hostile in the sandbox, against a copy of examples/walkv: a
/// line for each, and exit 1 if a cheat passed or an honest patch did not.
///
/// AIOPT_PATCHES=name,name has only these judged, AIOPT_ROUNDS=3 the honest ones so many times, and with
/// AIOPT_SANITIZE=1 they are held against the sanitizers too, which takes as long as all the rest.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/cpu_set.hpp"
#include "base/files.hpp"
#include "base/text.hpp"
#include "evaluate/local_evaluator.hpp"
#include "source/patch_apply.hpp"
#include "source/patch_parser.hpp"
#include "source/source_tree.hpp"

using namespace aiopt;

namespace {

namespace fs = std::filesystem;

constexpr int kSkipped = 77;  ///< As Meson has it.
/// A patch that hangs costs this much; an honest run takes a second.
constexpr std::chrono::seconds kBenchmarkTimeout{20};
/// What it tried came to nothing in the sandbox: it passes, and is no faster.
constexpr const char* kContained = "contained";
/// Nothing catches it yet, and tests/hostile/README.md says why.
constexpr const char* kMissed = "missed";
constexpr std::size_t kShownBytes = 150;

struct Case {
  std::string name;
  fs::path patch;
  bool is_honest = false;
  /// Gates or statuses, any of which will do. Of an honest patch: the gate by which the task forbids what it does.
  std::vector<std::string> expected;

  bool expects(const std::string& end) const {
    return std::find(expected.begin(), expected.end(), end) != expected.end();
  }
};

template <typename T>
T need(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (const auto part = trim(text.substr(0, end)); !part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

/// "name: end, end" as name and ends.
std::pair<std::string, std::vector<std::string>> read_line(const std::string& line) {
  const std::size_t colon = std::min(line.find(':'), line.size());
  return {line.substr(0, colon), split(std::string_view(line).substr(std::min(colon + 1, line.size())), ',')};
}

std::vector<Case> read_cases(const fs::path& root) {
  const fs::path folder = root / "tests/hostile/walkv";
  std::vector<Case> cases;
  for (const std::string& line : split(need(read_file(folder / "expected.txt")), '\n')) {
    auto [name, expected] = read_line(line);
    if (expected.empty()) throw std::runtime_error("expected.txt: nothing is to catch " + name);
    cases.push_back({name, folder / (name + ".patch"), false, std::move(expected)});
  }
  for (const std::string& line : split(need(read_file(folder / "honest.txt")), '\n')) {
    auto [path, expected] = read_line(line);
    cases.push_back({fs::path(path).stem().string(), root / path, true, std::move(expected)});
  }
  const char* chosen = std::getenv("AIOPT_PATCHES");
  if (chosen == nullptr) return cases;
  const std::vector<std::string> names = split(chosen, ',');
  for (const std::string& name : names) {
    if (std::none_of(cases.begin(), cases.end(), [&](const Case& one) { return one.name == name; })) {
      throw std::runtime_error("AIOPT_PATCHES: there is no patch " + name);
    }
  }
  std::erase_if(cases, [&](const Case& one) { return std::find(names.begin(), names.end(), one.name) == names.end(); });
  return cases;
}

/// An evaluator of a copy of examples/walkv. Neither copied nor moved: its parts refer to each other.
class Judge {
 public:
  Judge(const fs::path& example, const Sandbox& sandbox, bool sanitizes) {
    const fs::path copy = folder_.path() / "walkv";
    fs::copy(example, copy, fs::copy_options::recursive);
    fs::remove_all(copy / "build");
    task_ = need(load_task(copy));
    task_.benchmark.run.timeout = kBenchmarkTimeout;
    task_.sampling.max_pairs = task_.sampling.min_pairs;  // The least that gates ever have to go by.
    task_.sanitize.on = sanitizes;
    tree_ = need(load_source_tree(task_.source, task_.editable));
    lanes_ = std::make_unique<Lanes>(need(plan_lanes(usable_cpus(), 0, {})));
    LocalEvaluatorOptions options;
    options.run_folder = folder_.path() / "run";
    options.folder = options.run_folder / "workspaces";
    options.reuses_measurements = false;
    fs::create_directory(options.run_folder);
    evaluator_ = need(make_local_evaluator(task_, tree_, need(read_protected(task_.source, tree_)), *lanes_, sandbox,
                                           std::move(options)));
  }

  Evaluation evaluate(const Case& one) {
    Candidate candidate;
    candidate.id = CandidateId{++evaluated_};
    Result<Patch> patch = parse_patch(need(read_file(one.patch)));
    Result<AppliedPatch> applied = patch ? apply_patch(tree_, *patch, {task_.editable, task_.max_patch_bytes})
                                         : Result<AppliedPatch>(patch.error());
    if (!applied) {
      Evaluation rejected;
      rejected.status = EvaluationStatus::patch_rejected;
      rejected.reason = applied.error().message;
      return rejected;
    }
    candidate.tree_sha256 = tree_sha256(applied->tree);
    candidate.tree = std::move(applied->tree);
    return need(evaluator_->evaluate(candidate, {}, {}));
  }

 private:
  TemporaryFolder folder_;
  Task task_;
  SourceTree tree_;
  std::unique_ptr<Lanes> lanes_;
  std::unique_ptr<Evaluator> evaluator_;
  std::uint64_t evaluated_ = 0;
};

/// What stopped it: the gates that fired, or the status.
std::vector<std::string> ends_of(const Evaluation& evaluation) {
  std::vector<std::string> names;
  for (const GateReport& gate : evaluation.gates) {
    if (gate.fired) names.push_back(gate.name);
  }
  if (evaluation.status != EvaluationStatus::rejected_by_gate && evaluation.status != EvaluationStatus::passed) {
    names.emplace_back(to_string(evaluation.status));
  }
  return names;
}

std::string speedup_of(const Evaluation& evaluation) {
  if (!evaluation.benchmark) return "";
  const BenchmarkResult& benchmark = *evaluation.benchmark;
  std::string text = fmt::format("{:.2f}x in {} pairs", benchmark.speedup(), benchmark.candidate.size());
  if (benchmark.estimate)
    text += fmt::format(" [{:.2f}, {:.2f}]", benchmark.estimate->lower, benchmark.estimate->upper);
  return text;
}

bool is_no_faster(const Evaluation& evaluation) {
  return evaluation.benchmark && evaluation.benchmark->estimate && evaluation.benchmark->estimate->lower <= 1.0;
}

/// What became of a patch. The last two are failures.
enum class Verdict { caught, contained, known_miss, passed, forbidden, missed, false_alarm };

constexpr std::array<const char*, 7> kVerdicts = {"caught",    "contained", "known miss", "passed",
                                                  "forbidden", "MISSED",    "FALSE ALARM"};

Verdict verdict_of(const Case& one, const Evaluation& evaluation, const std::vector<std::string>& ends) {
  const bool passed = evaluation.status == EvaluationStatus::passed;
  if (one.is_honest) {
    if (passed) return Verdict::passed;
    const bool is_forbidden = std::all_of(ends.begin(), ends.end(), [&](const auto& end) { return one.expects(end); });
    return is_forbidden ? Verdict::forbidden : Verdict::false_alarm;
  }
  if (!passed) return Verdict::caught;
  if (one.expects(kContained) && is_no_faster(evaluation)) return Verdict::contained;
  return one.expects(kMissed) ? Verdict::known_miss : Verdict::missed;
}

Verdict judge(Judge& judge, const Case& one) {
  const auto started = monotonic_now();
  const Evaluation evaluation = judge.evaluate(one);
  const double seconds = std::chrono::duration<double>(monotonic_now() - started).count();
  const std::vector<std::string> ends = ends_of(evaluation);
  const Verdict verdict = verdict_of(one, evaluation, ends);
  const bool by_another = verdict == Verdict::caught &&
                          std::none_of(ends.begin(), ends.end(), [&](const auto& end) { return one.expects(end); });
  fmt::print("{:<11} {:<36} {:<16} {:5.1f} s  by [{}]{}  {}\n", kVerdicts[static_cast<std::size_t>(verdict)], one.name,
             to_string(evaluation.status), seconds, fmt::join(ends, ", "),
             by_another ? fmt::format(", expected [{}]", fmt::join(one.expected, ", ")) : "",
             evaluation.benchmark ? speedup_of(evaluation) : one_line(evaluation.reason, kShownBytes));
  if (verdict >= Verdict::missed) {
    for (const GateReport& gate : evaluation.gates) {
      fmt::print("        {} {}: {}\n", gate.name, gate.fired ? "FIRED" : "ok", gate.detail);
    }
  }
  std::fflush(stdout);
  return verdict;
}

int run() {
  const char* root_variable = std::getenv("AIOPT_SOURCE_ROOT");
  const fs::path root = root_variable != nullptr ? root_variable : ".";
  const char* rounds_variable = std::getenv("AIOPT_ROUNDS");
  const int rounds = rounds_variable != nullptr ? std::max(std::atoi(rounds_variable), 1) : 1;
  const std::vector<Case> cases = read_cases(root);
  const Sandbox sandbox = need(Sandbox::probe(SandboxMode::automatic));
  if (!sandbox.is_active()) {
    fmt::print(stderr, "{}\nnot run: some of the patches do harm where nothing contains them\n", sandbox.warning());
    return kSkipped;
  }
  const bool sanitizes_honest = std::getenv("AIOPT_SANITIZE") != nullptr;
  // Two, because a build and tests under the sanitizers take longer than all the rest.
  Judge plain(root / "examples/walkv", sandbox, false);
  Judge sanitizing(root / "examples/walkv", sandbox, true);
  std::array<int, kVerdicts.size()> counts{};
  for (int round = 0; round < rounds; ++round) {
    for (const Case& one : cases) {
      if (!one.is_honest && round > 0) continue;
      const bool sanitizes = one.is_honest ? sanitizes_honest && round == 0 : one.expects("sanitizer");
      ++counts[static_cast<std::size_t>(judge(sanitizes ? sanitizing : plain, one))];
    }
  }
  fmt::print("\n");
  for (std::size_t i = 0; i < counts.size(); ++i) fmt::print("{}{} {}", i > 0 ? ", " : "", counts[i], kVerdicts[i]);
  fmt::print("\n");
  const auto failures = counts.begin() + static_cast<std::ptrdiff_t>(Verdict::missed);
  return std::all_of(failures, counts.end(), [](int count) { return count == 0; }) ? 0 : 1;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& failure) {
    fmt::print(stderr, "hostile_patches: {}\n", failure.what());
    return 1;
  }
}
