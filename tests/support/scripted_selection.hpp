/// ScriptedSelection: a strategy that does what the test says.

#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include <aiopt/selection.hpp>

namespace aiopt {

class ScriptedSelection : public SelectionStrategy {
 public:
  using Script = std::function<std::vector<CandidateId>(const Archive&, std::size_t, Rng&)>;

  /// Always the same parent.
  explicit ScriptedSelection(CandidateId parent)
      : script_([parent](const Archive&, std::size_t count, Rng&) { return std::vector<CandidateId>(count, parent); }) {
  }
  explicit ScriptedSelection(Script script) : script_(std::move(script)) {}

  std::string_view name() const override { return "scripted"; }
  std::vector<CandidateId> select(const Archive& archive, std::size_t count, Rng& rng) override {
    return script_(archive, count, rng);
  }

 private:
  Script script_;
};

}  // namespace aiopt
