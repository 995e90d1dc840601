/// Sets of CPUs: which may be used, and lists of them as taskset(1) writes them.

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <aiopt/result.hpp>

namespace aiopt {

/// The CPUs that the calling thread may run on (sched_getaffinity(2)), ascending; empty if the kernel does not tell.
std::vector<int> usable_cpus();

/// "0-2,5" or "0-6:2" (every second one) as CPU numbers, ascending, each once. Whether the machine has them is not
/// looked at. Errors: invalid_argument.
Result<std::vector<int>> parse_cpu_list(std::string_view text);

/// {0, 1, 2, 5} as "0-2,5"; in any order, twice or not.
std::string cpu_list_text(std::vector<int> cpus);

}  // namespace aiopt
