/// Files of profilers, damaged: whatever is in them, reading ends soon and takes little memory.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include <aiopt/rng.hpp>

#include "base/text.hpp"
#include "core/profile_json.hpp"
#include "profile/bperf_report.hpp"
#include "profile/coz_profile.hpp"
#include "profile/perf_script.hpp"
#include "profile/profile_fixture.hpp"
#include "profile/stack_output.hpp"

using namespace aiopt;

namespace {

constexpr std::array<const char*, 20> kFixtures = {
    "coz022.coz",
    "coz_mixed.coz",
    "head.jsonl",
    "ours_c1_sleepline.coz",
    "bcoz_line.coz",
    "bcoz_subclass.coz",
    "seed_speedup.coz",
    "bperf_report.txt",
    "bperf_report_older.txt",
    "bperf_script.txt",
    "seed_bperf.json",
    "perf_sched_task.txt",
    "perf_sched_system_wide.txt",
    "perf_sched_record.txt",
    "perf_switch_events.txt",
    "perf_srcline.txt",
    "perf_report_children.txt",
    "perf_report_callers.txt",
    "perf_off_cpu.txt",
    "perf_inlined.txt",
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string_view line : split_lines(text)) lines.emplace_back(line);
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

std::string cut(const std::string& text, Rng& rng) {
  const std::size_t begin = rng.index(text.size());
  return rng.index(2) == 0 ? text.substr(0, begin) : text.substr(begin);
}

std::string reordered(const std::string& text, Rng& rng) {
  std::vector<std::string> lines = lines_of(text);
  for (std::size_t swaps = 1 + rng.index(lines.size()); swaps > 0; --swaps) {
    std::swap(lines[rng.index(lines.size())], lines[rng.index(lines.size())]);
  }
  return joined(lines);
}

std::string with_odd_numbers(std::string text, Rng& rng) {
  constexpr std::array<const char*, 10> kOdd = {"18446744073709551615",
                                                "99999999999999999999999",
                                                "-1",
                                                "0",
                                                "nan",
                                                "1e308",
                                                "-1e999",
                                                "inf",
                                                "0x7fffffffffffffff",
                                                "4294967296"};
  for (std::size_t changes = 1 + rng.index(20); changes > 0; --changes) {
    const std::size_t begin = text.find_first_of("0123456789", rng.index(text.size()));
    if (begin == std::string::npos) continue;
    const std::size_t end = std::min(text.find_first_not_of("0123456789", begin), text.size());
    text.replace(begin, end - begin, kOdd[rng.index(kOdd.size())]);
  }
  return text;
}

std::string with_long_lines(const std::string& text, Rng& rng) {
  std::vector<std::string> lines = lines_of(text);
  std::string& line = lines[rng.index(lines.size())];
  const std::size_t at = rng.index(line.size() + 1);
  const char filler = "a \t(<[|-9"[rng.index(9)];
  line.insert(at, std::string(50'000 + rng.index(50'000), filler));
  return joined(lines);
}

std::string with_binary(std::string text, Rng& rng) {
  for (std::size_t changes = 1 + rng.index(100); changes > 0; --changes) {
    text[rng.index(text.size())] = static_cast<char>(rng.index(256));
  }
  return text;
}

std::string with_commas(std::string text, Rng&) {
  std::ranges::replace(text, '.', ',');
  return text;
}

std::string with_repeated_lines(const std::string& text, Rng& rng) {
  std::vector<std::string> lines = lines_of(text);
  const std::string line = lines[rng.index(lines.size())];
  lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(rng.index(lines.size())), 500, line);
  return joined(lines);
}

std::string damaged(std::string text, Rng& rng) {
  using Damage = std::string (*)(std::string, Rng&);
  constexpr std::array<Damage, 7> kDamages = {
      [](std::string t, Rng& r) { return cut(t, r); },
      [](std::string t, Rng& r) { return reordered(t, r); },
      [](std::string t, Rng& r) { return with_odd_numbers(std::move(t), r); },
      [](std::string t, Rng& r) { return with_long_lines(t, r); },
      [](std::string t, Rng& r) { return with_binary(std::move(t), r); },
      [](std::string t, Rng& r) { return with_commas(std::move(t), r); },
      [](std::string t, Rng& r) { return with_repeated_lines(t, r); },
  };
  for (std::size_t times = 1 + rng.index(3); times > 0 && !text.empty(); --times) {
    text = kDamages[rng.index(kDamages.size())](std::move(text), rng);
  }
  return text;
}

std::size_t bytes_of(const SampledStacks& stacks) {
  std::size_t bytes = 0;
  for (const SampledStack& stack : stacks.stacks) {
    bytes += sizeof stack + stack.thread.size();
    for (const StackFrame& frame : stack.frames) {
      bytes += sizeof frame + frame.place.function.size() + frame.place.file.size() + frame.object.size();
    }
  }
  return bytes;
}

void check_stacks(const Result<SampledStacks>& stacks, const std::string& text) {
  if (!stacks) {
    CHECK_FALSE(stacks.error().message.empty());
    return;
  }
  CHECK(bytes_of(*stacks) < (1u << 20) + 64 * text.size());
  const OffCpuProfile profile = summarize(*stacks);
  CHECK(profile.ratio >= 0.0);
  CHECK(profile.ratio <= 1.0);
  CHECK(profile.ratio_with_idle <= 1.0);
  CHECK(off_cpu_from_json(off_cpu_to_json(profile)).has_value());
  CHECK_FALSE(to_speedscope(*stacks, "damaged").empty());
  const std::string folded = to_folded(*stacks);
  CHECK(std::ranges::count(folded, '\n') <= static_cast<std::ptrdiff_t>(stacks->stacks.size()));
}

void check_experiments(const Result<CausalExperiments>& profile) {
  if (!profile) return;
  std::size_t experiments = 0;
  for (const CausalRun& run : profile->runs) {
    for (const CausalExperiment& experiment : run.experiments) {
      ++experiments;
      const bool is_share = experiment.virtual_speedup >= 0.0 && experiment.virtual_speedup <= 1.0;
      if (!is_share) FAIL("a virtual speedup of ", experiment.virtual_speedup);
    }
  }
  const std::string text = to_coz_text(*profile);
  const Result<CausalExperiments> again = parse_coz(text);
  REQUIRE(again.has_value());
  CHECK(to_coz_text(*again) == text);
  CHECK(static_cast<std::size_t>(std::ranges::count(text, '\n')) >= experiments);
}

/// Every reader gets every file: a user hands over the wrong one.
void check_readers(const std::string& text) {
  const std::clock_t begin = std::clock();  // CPU time: the machine may be busy.
  check_experiments(parse_coz(text));
  check_stacks(parse_bperf_report(text), text);
  check_stacks(parse_perf_script(text), text);
  check_stacks(parse_perf_script(text, "kv"), text);
  // A tenth of a second in an optimised build; sanitizers take twenty times as long.
  CHECK(std::clock() - begin < 5 * CLOCKS_PER_SEC);
}

}  // namespace

TEST_CASE("damaged files of profilers are read or refused, never worse") {
  for (std::size_t fixture = 0; fixture < kFixtures.size(); ++fixture) {
    CAPTURE(kFixtures[fixture]);
    const std::string whole = profile_fixture(kFixtures[fixture]);
    check_readers(whole);
    const std::string text = whole.substr(0, 6000);  // A few of each kind of line: the time goes with the length.
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      CAPTURE(seed);
      Rng rng(1000 * fixture + seed);
      check_readers(damaged(text, rng));
    }
  }
}

TEST_CASE("a tree of call chains cannot fill the memory") {
  // Each path holds the frames of all above it: the product of the two.
  std::string text = "   100.00%  kv  kv  [L] f\n            ---f\n";
  for (int i = 0; i < 500; ++i) text += "               " + std::string(900, 'x') + "\n";
  for (int i = 0; i < 3000; ++i) text += "               |--0.03%--y\n";
  const Result<SampledStacks> report = parse_bperf_report(text);
  REQUIRE(report.has_value());
  CHECK(bytes_of(*report) < (256u << 20));
}
