/// The public interfaces' destructors, and the names of the enumerators.

#include <array>
#include <utility>

#include <aiopt/chat_client.hpp>
#include <aiopt/emitter.hpp>
#include <aiopt/evaluator.hpp>
#include <aiopt/event_sink.hpp>
#include <aiopt/fitness.hpp>
#include <aiopt/selection.hpp>

namespace aiopt {

Archive::~Archive() = default;
ChatClient::~ChatClient() = default;
Emitter::~Emitter() = default;
Evaluator::~Evaluator() = default;
EventSink::~EventSink() = default;
FitnessFunction::~FitnessFunction() = default;
SelectionStrategy::~SelectionStrategy() = default;

namespace {

constexpr std::array<std::string_view, 10> kEvaluationStatusNames = {
    "passed",    "patch_rejected", "build_failed",     "tests_failed", "benchmark_failed",
    "timed_out", "crashed",        "rejected_by_gate", "no_reply",     "quarantined",
};
constexpr std::array<std::string_view, 8> kStageNames = {"apply",   "build",  "test",   "benchmark",
                                                         "off_cpu", "causal", "verify", "sanitize"};
constexpr std::array<std::string_view, 5> kStageStatusNames = {"passed", "failed", "timed_out", "crashed", "skipped"};

}  // namespace

std::string_view to_string(EvaluationStatus status) {
  return kEvaluationStatusNames.at(static_cast<std::size_t>(status));
}

std::string_view to_string(Stage stage) {
  return kStageNames.at(static_cast<std::size_t>(stage));
}

std::string_view to_string(StageStatus status) {
  return kStageStatusNames.at(static_cast<std::size_t>(status));
}

}  // namespace aiopt
