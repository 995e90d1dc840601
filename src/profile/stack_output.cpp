/// Writers of folded stacks and of speedscope's JSON.

#include "profile/stack_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace aiopt {
namespace {

using SpeedscopeJson = nlohmann::ordered_json;

/// Neither of the two that divide a folded line may be in a name, nor a line end.
std::string folded_name(std::string_view name) {
  std::string text = name.empty() ? "[unknown]" : valid_utf8(name);
  for (char& c : text) {
    if (c == ';') c = ':';
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return text;
}

std::string folded_frame(const StackFrame& frame) {
  std::string text = folded_name(frame.place.function);
  if (frame.object == "[kernel]") return text + "_[k]";
  return frame.is_inlined ? text + "_[i]" : text;
}

/// "io"; "idle" for a wait that is. Empty if the thread ran.
std::string_view wait_name(const SampledStack& stack) {
  if (!stack.wait) return "";
  return stack.is_idle ? "idle" : to_string(*stack.wait);
}

/// Numbers frames in the order in which they first come.
class FrameTable {
 public:
  std::size_t index_of(const std::string& name, const std::string& file, int line) {
    const auto [found, is_new] = indices_.try_emplace({name, file, line}, indices_.size());
    if (is_new) {
      SpeedscopeJson frame = {{"name", name.empty() ? "[unknown]" : valid_utf8(name)}};
      if (!file.empty()) frame["file"] = valid_utf8(file);
      if (line > 0) frame["line"] = line;
      frames_.push_back(std::move(frame));
    }
    return found->second;
  }

  SpeedscopeJson take() { return std::move(frames_); }

 private:
  std::map<std::tuple<std::string, std::string, int>, std::size_t> indices_;
  SpeedscopeJson frames_ = SpeedscopeJson::array();
};

struct ThreadSamples {
  SpeedscopeJson samples = SpeedscopeJson::array();
  SpeedscopeJson weights = SpeedscopeJson::array();
  std::uint64_t total_ns = 0;
};

SpeedscopeJson outermost_first(const SampledStack& stack, FrameTable& table) {
  SpeedscopeJson sample = SpeedscopeJson::array();
  for (auto frame = stack.frames.rbegin(); frame != stack.frames.rend(); ++frame) {
    sample.push_back(table.index_of(frame->place.function, frame->place.file, frame->place.line));
  }
  if (stack.wait) sample.push_back(table.index_of(fmt::format("[{}]", wait_name(stack)), "", 0));
  return sample;
}

}  // namespace

std::string to_folded(const SampledStacks& stacks) {
  std::map<std::string, std::uint64_t> lines;
  for (const SampledStack& stack : stacks.stacks) {
    std::string line = folded_name(stack.thread);
    for (auto frame = stack.frames.rbegin(); frame != stack.frames.rend(); ++frame) line += ';' + folded_frame(*frame);
    if (stack.wait) line += fmt::format(";{}_[w]", wait_name(stack));
    lines[std::move(line)] += stack.samples;
  }
  std::string text;
  for (const auto& [line, samples] : lines) text += fmt::format("{} {}\n", line, samples);
  return text;
}

std::string to_speedscope(const SampledStacks& stacks, std::string_view name) {
  FrameTable table;
  std::map<std::string, ThreadSamples> threads;
  for (const SampledStack& stack : stacks.stacks) {
    ThreadSamples& thread = threads[stack.thread];
    const std::uint64_t weight = stack.samples * stacks.period_ns;
    thread.samples.push_back(outermost_first(stack, table));
    thread.weights.push_back(weight);
    thread.total_ns += weight;
  }
  SpeedscopeJson profiles = SpeedscopeJson::array();
  for (auto& [thread, samples] : threads) {
    profiles.push_back({{"type", "sampled"},
                        {"name", thread.empty() ? "[unknown]" : valid_utf8(thread)},
                        {"unit", "nanoseconds"},
                        {"startValue", 0},
                        {"endValue", samples.total_ns},
                        {"samples", std::move(samples.samples)},
                        {"weights", std::move(samples.weights)}});
  }
  const SpeedscopeJson file = {{"$schema", "https://www.speedscope.app/file-format-schema.json"},
                               {"name", valid_utf8(name)},
                               {"exporter", "aiopt"},
                               {"activeProfileIndex", 0},
                               {"shared", {{"frames", table.take()}}},
                               {"profiles", std::move(profiles)}};
  return file.dump();
}

}  // namespace aiopt
