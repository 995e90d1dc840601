/// Unwinding, naming, classes.

#include "profile/offcpu_stacks.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "profile/perf_record.hpp"
#include "profile/symbolizer.hpp"
#include "profile/unwinder.hpp"
#include "profile/wait_rules.hpp"

namespace aiopt {
namespace {

static_assert(Unwinder::kRegisters == kUserRegisters, "they are recorded as the unwinder wants them");

struct NamedStack {
  std::vector<StackFrame> frames;
  std::vector<std::string> kernel_functions;  ///< Innermost first, as are the user's.
  std::vector<std::string> user_functions;
};

/// Names all stacks of one address space; those of all share the files.
class StackNamer {
 public:
  StackNamer(const std::vector<Mapping>& mappings, const std::shared_ptr<CodeObjects>& objects,
             const KernelSymbols& kernel)
      : symbolizer_(mappings, objects), unwinder_(mappings, objects), kernel_(kernel) {}

  NamedStack name(const RawStack& stack) {
    NamedStack named;
    if (!stack.kernel_function.empty()) add_kernel(stack.kernel_function, named);
    for (const std::uint64_t address : stack.kernel_chain) add_kernel(kernel_.name_at(address), named);
    for (const std::uint64_t address : user_addresses(stack)) {
      for (const StackFrame& frame : symbolizer_.frames(address)) {
        named.frames.push_back(frame);
        named.user_functions.push_back(frame.place.function);
      }
    }
    return named;
  }

 private:
  static void add_kernel(std::string_view function, NamedStack& named) {
    if (function.empty()) return;  // /proc/kallsyms hides them.
    StackFrame frame;
    frame.place.function = function;
    frame.object = "[kernel]";
    named.frames.push_back(std::move(frame));
    named.kernel_functions.emplace_back(function);
  }

  std::vector<std::uint64_t> user_addresses(const RawStack& stack) {
    const std::uint64_t sp = stack.registers.size() > kStackPointer ? stack.registers[kStackPointer] : 0;
    return unwinder_.unwind({stack.registers, sp, stack.dump}, stack.user_chain);
  }

  Symbolizer symbolizer_;
  Unwinder unwinder_;
  const KernelSymbols& kernel_;
};

/// By StackId. Address spaces one after another: each needs memory of its own.
std::vector<NamedStack> name_all(const OffCpuRecording& recording, const KernelSymbols& kernel,
                                 const std::shared_ptr<CodeObjects>& objects) {
  std::map<std::uint32_t, std::vector<StackId>> by_space;
  for (StackId id = 1; id < recording.stacks.size(); ++id) by_space[recording.stacks[id].address_space].push_back(id);
  std::vector<NamedStack> named(recording.stacks.size());
  for (const auto& [space, ids] : by_space) {
    const auto mappings = recording.address_spaces.find(space);
    if (mappings == recording.address_spaces.end()) continue;
    StackNamer namer(mappings->second, objects, kernel);
    for (const StackId id : ids) named[id] = namer.name(recording.stacks[id]);
  }
  return named;
}

std::optional<WaitClass> class_of(const RecordedWait& wait, const NamedStack& stack) {
  if (wait.activity == ThreadActivity::running) return std::nullopt;
  return class_of_wait(stack.kernel_functions, wait.activity == ThreadActivity::scheduling);
}

}  // namespace

NamedRecording name_stacks(const OffCpuRecording& recording, const KernelSymbols& kernel, const IdleRules& rules) {
  const auto objects = std::make_shared<CodeObjects>();
  const std::vector<NamedStack> named = name_all(recording, kernel, objects);
  NamedRecording result;
  result.notes = objects->notes();
  result.stacks.source = recording.source;
  result.stacks.tells_kernel = recording.sees_kernel && !kernel.empty();
  result.stacks.period_ns = recording.period_ns;
  result.stacks.lost = recording.lost;
  using Key = std::tuple<StackId, std::optional<WaitClass>, bool, std::string>;
  std::map<Key, std::uint64_t> samples;
  for (const RecordedWait& wait : recording.waits) {
    if (wait.samples == 0) continue;
    const NamedStack& stack = named[wait.stack];
    const std::optional<WaitClass> kind = class_of(wait, stack);
    const auto idle = idle_reason({kind.value_or(WaitClass::other), wait, stack.user_functions}, rules);
    if (idle) result.idle_samples[*idle] += wait.samples;
    if (kind && stack.frames.empty()) result.unnamed_samples += wait.samples;
    samples[{wait.stack, kind, idle.has_value(), recording.threads[wait.thread].name}] += wait.samples;
  }
  for (const auto& [key, count] : samples) {
    const auto& [id, kind, is_idle, thread] = key;
    result.stacks.stacks.push_back({kind, is_idle, named[id].frames, thread, count});
  }
  return result;
}

}  // namespace aiopt
