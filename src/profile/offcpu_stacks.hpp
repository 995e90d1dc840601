/// From a recording to stacks with names: what comes after the target has ended.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "profile/idle_rule.hpp"
#include "profile/kernel_symbols.hpp"
#include "profile/offcpu_recording.hpp"
#include "profile/sampled_stacks.hpp"

namespace aiopt {

struct NamedRecording {
  SampledStacks stacks;  ///< Class and idleness of each: class_of_wait(), idle_reason().
  std::map<IdleReason, std::uint64_t> idle_samples;
  std::uint64_t unnamed_samples = 0;  ///< Of waits without any stack.
  std::vector<std::string> notes;     ///< What a reader should know: "... has changed since it ran".
};

/// Unwinds each distinct stack once and names its frames, in this process; files are read where the target had them.
/// It takes some 5 us a stack, and what the debug information of each program and library takes to be read once.
NamedRecording name_stacks(const OffCpuRecording& recording, const KernelSymbols& kernel, const IdleRules& rules = {});

}  // namespace aiopt
