/// Sampled stacks for other tools: folded stacks for flame graphs, JSON for speedscope.

#pragma once

#include <string>
#include <string_view>

#include "profile/sampled_stacks.hpp"

namespace aiopt {

/// Folded stacks, which flamegraph.pl and inferno-flamegraph read: "thread;outermost;...;innermost samples", one line
/// a stack, sorted, equal ones added up. As stackcollapse-perf.pl has it, functions of the kernel end in "_[k]",
/// inlined ones in "_[i]", and what is unknown is "[unknown]"; a semicolon in a name becomes a colon. The innermost
/// frame of a wait is its class: "io_[w]", "lock_[w]", "scheduling_[w]", "other_[w]", "idle_[w]"; so `grep _[w]` is the
/// off-CPU flame graph, and `grep -v` the one of the CPU.
std::string to_folded(const SampledStacks& stacks);

/// The "sampled" type of https://www.speedscope.app/file-format-schema.json: a profile for each thread's name, weights
/// in ns of the thread's life; the innermost frame of a wait is its class, "[io]". `name` stands above it.
std::string to_speedscope(const SampledStacks& stacks, std::string_view name);

}  // namespace aiopt
