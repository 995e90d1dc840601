/// Sets of CPUs: which may be used, and lists of them as taskset(1) writes them.

#include "base/cpu_set.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "base/text.hpp"

namespace aiopt {
namespace {

/// The kernel's own limit (NR_CPUS) is 8192 at most.
constexpr int kMostCpus = 8192;

struct CpuSetDeleter {
  void operator()(cpu_set_t* set) const { CPU_FREE(set); }
};

/// A number at the front of `text`, taken off it.
std::optional<int> take_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0 || number >= kMostCpus || text.front() == '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// Adds "3", "0-2" or "0-6:2". @return Whether it is one of these.
bool add_range(std::string_view text, std::set<int>& cpus) {
  const std::optional<int> first = take_number(text);
  if (!first) return false;
  std::optional<int> last = first;
  std::optional<int> stride = 1;
  if (take(text, '-')) {
    last = take_number(text);
    if (take(text, ':')) stride = take_number(text);
  }
  if (!text.empty() || !last || *last < *first || !stride || *stride == 0) return false;
  for (int cpu = *first; cpu <= *last; cpu += *stride) cpus.insert(cpu);
  return true;
}

}  // namespace

std::vector<int> usable_cpus() {
  std::vector<int> cpus;
  // The call fails with EINVAL while the set is smaller than the kernel's own.
  for (int size = CPU_SETSIZE; size <= 16 * kMostCpus; size *= 2) {
    const std::unique_ptr<cpu_set_t, CpuSetDeleter> set(CPU_ALLOC(static_cast<std::size_t>(size)));
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(size));
    if (!set) return cpus;
    CPU_ZERO_S(bytes, set.get());
    if (::sched_getaffinity(0, bytes, set.get()) != 0) {
      if (errno == EINVAL) continue;
      return cpus;
    }
    for (int cpu = 0; cpu < size; ++cpu) {
      if (CPU_ISSET_S(static_cast<std::size_t>(cpu), bytes, set.get())) cpus.push_back(cpu);
    }
    return cpus;
  }
  return cpus;
}

Result<std::vector<int>> parse_cpu_list(std::string_view text) {
  std::set<int> cpus;
  std::string_view rest = text;
  for (bool more = true; more;) {
    const std::size_t end = rest.find(',');
    if (!add_range(trim(rest.substr(0, end)), cpus)) {
      return Error{Error::Code::invalid_argument,
                   fmt::format("'{}' is no list of CPUs such as 0-2,5", one_line(text, 80))};
    }
    more = end != std::string_view::npos;
    if (more) rest.remove_prefix(end + 1);
  }
  return std::vector<int>(cpus.begin(), cpus.end());
}

std::string cpu_list_text(std::vector<int> cpus) {
  std::sort(cpus.begin(), cpus.end());
  cpus.erase(std::unique(cpus.begin(), cpus.end()), cpus.end());
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += last == i ? fmt::format("{}", cpus[i]) : fmt::format("{}-{}", cpus[i], cpus[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace aiopt
