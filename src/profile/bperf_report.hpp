/// What `bperf report --stdio` prints, parsed into stacks.

#pragma once

#include <string_view>

#include <aiopt/result.hpp>

#include "profile/sampled_stacks.hpp"

namespace aiopt {

/// Reads the report of bperf (Ahn et al., OSDI 2024), of before and after scheduler frames were cut, and that of stock
/// perf, which knows no class; call chains (-g) become frames where they are printed, the same share of their entry
/// that the tree says. Shares become samples of 1 ms by the event count, which bperf weights, unlike its number of
/// samples; without one by that number; without either, 10,000 samples are assumed, the precision of the shares.
///
/// Of several events a task or CPU clock's is read alone: no other one makes blocked samples. What is missing from
/// 100 % because the report was cut counts as time on a CPU, of which such tails mostly consist.
///
/// Also {"total_samples", "off_cpu_samples", "top_off_cpu_stacks": [{"func", "samples", "pct"}]}: waits of the class
/// `other`, as it names none. Errors: no entry at all; JSON in which a number is missing; a binary file.
Result<SampledStacks> parse_bperf_report(std::string_view text);

}  // namespace aiopt
