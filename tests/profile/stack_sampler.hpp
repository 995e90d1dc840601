/// Samples of a program's own stack, each time that it is switched out, as perf_event_open(2) gives them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace aiopt {

struct SampledSwitch {
  std::vector<std::uint64_t> chain;  ///< The user's, by frame pointers.
  std::vector<std::uint64_t> registers;
  std::uint64_t sp = 0;
  std::vector<std::byte> stack;
};

struct SwitchedRun {
  std::vector<SampledSwitch> switches;  ///< Of the first thread.
  std::string out;                      ///< Its stdout.
};

/// Runs it and waits for its end. Empty: the kernel does not let this user sample context switches.
std::optional<SwitchedRun> sample_switches(const std::vector<std::string>& arguments, std::uint32_t stack_bytes);

}  // namespace aiopt
