/// Reports of bperf and of perf, with call chains and without.

#include <doctest/doctest.h>

#include <string>

#include "profile/bperf_report.hpp"
#include "profile/profile_fixture.hpp"

using namespace aiopt;

namespace {

SampledStacks report_of(const std::string& text) {
  Result<SampledStacks> report = parse_bperf_report(text);
  REQUIRE_MESSAGE(report.has_value(), (report ? "" : report.error().message));
  return *std::move(report);
}

/// "io 2342 kvtest: wait_on_page_bit[kernel] < main"
std::string described(const SampledStack& stack) {
  std::string text = std::string(stack.wait ? to_string(*stack.wait) : "cpu") + " " + std::to_string(stack.samples);
  text += " " + stack.thread + ":";
  for (const StackFrame& frame : stack.frames) {
    text += (&frame == &stack.frames.front() ? " " : " < ") + frame.place.function + frame.object;
  }
  return text;
}

std::uint64_t total_of(const SampledStacks& report) {
  std::uint64_t total = 0;
  for (const SampledStack& stack : report.stacks) total += stack.samples;
  return total;
}

}  // namespace

TEST_CASE("a report of bperf gives classes by its letters and samples by its event count") {
  const SampledStacks report = report_of(profile_fixture("bperf_report.txt"));
  CHECK(report.source == "bperf");
  REQUIRE(report.stacks.size() == 7);
  CHECK(described(report.stacks[0]) == "lock 4305 kvtest: futex_wait_queue_me[kernel]");
  CHECK(described(report.stacks[1]) == "io 2343 kvtest: wait_on_page_bit[kernel]");
  CHECK(described(report.stacks[2]) == "other 1457 kvtest: jbd2_log_wait_commit[kernel]");
  CHECK(described(report.stacks[3]) == "scheduling 642 kvtest: compress_blockkvtest");
  CHECK(described(report.stacks[4]) == "cpu 504 kvtest: compress_blockkvtest");
  CHECK(described(report.stacks[5]) == "cpu 136 kvtest: copy_user_enhanced_fast_string[kernel]");
  // 10.45 % were cut off: a tail of small entries, time on a CPU.
  CHECK(described(report.stacks[6]) == "cpu 1095 :");
  CHECK(total_of(report) == 10482);
}

TEST_CASE("an older report without any header stands for ten thousand samples") {
  const SampledStacks report = report_of(profile_fixture("bperf_report_older.txt"));
  REQUIRE(report.stacks.size() == 6);
  CHECK(described(report.stacks[0]) == "lock 4873 kvtest: pthread_cond_waitlibpthread-2.30.so");
  CHECK(described(report.stacks[1]) == "other 1502 kvtest: fsynclibpthread-2.30.so");
  CHECK(described(report.stacks[2]) == "io 1140 kvtest: fsynclibpthread-2.30.so");
  CHECK(total_of(report) == 10000);
}

TEST_CASE("without an event count the number of samples stands in") {
  const SampledStacks report =
      report_of("# Samples: 2K of event 'task-clock'\n   75,00%  kv  kv  [L] f\n   25.00%  kv  kv  [.] g\n");
  CHECK(described(report.stacks.at(0)) == "lock 1500 kv: fkv");
  CHECK(total_of(report) == 2000);
}

TEST_CASE("a number of samples, a command with a blank and a symbol with brackets do not confuse the columns") {
  const SampledStacks report = report_of(
      "    60.00%     123  kv test  /src/my kv  [I] kv::at[abi:cxx11]\n    40.00%  kv libkv.so [.] operator[] (x) \n");
  CHECK(described(report.stacks.at(0)) == "io 6000 kv test: kv::at[abi:cxx11]/src/my kv");
  CHECK(described(report.stacks.at(1)) == "cpu 4000 kv: operator[] (x)libkv.so");
}

TEST_CASE("the callers under an entry are its frames, innermost first") {
  const SampledStacks report = report_of(profile_fixture("perf_report_callers.txt"));
  CHECK(total_of(report) == 15);
  REQUIRE(report.stacks.size() == 6);
  CHECK(described(report.stacks[0]) == "cpu 10 kv: kv::Compactor::compresskv < __libc_start_call_main");
  const SampledStack& mapped = report.stacks[2];
  CHECK(mapped.frames.size() == 11);
  CHECK(mapped.frames.at(9).place.function == "entry_SYSCALL_64_after_hwframe");
  CHECK(mapped.frames.at(9).object == "[kernel]");
  CHECK(mapped.frames.at(10).place.function == "__mmap");
  CHECK(mapped.frames.at(10).object == "");
  // An address without a name.
  CHECK(report.stacks[3].frames.back().place.function == "");
}

TEST_CASE("where children are shown, an entry counts with its own share, and chains that go on below it do not") {
  const SampledStacks report = report_of(profile_fixture("perf_report_children.txt"));
  CHECK(total_of(report) == 15);
  std::string compress;
  for (const SampledStack& stack : report.stacks) {
    CHECK(stack.samples > 0);
    if (stack.frames.front().place.function == "kv::Compactor::compress") compress += described(stack) + "\n";
  }
  CHECK(compress == "cpu 10 kv: kv::Compactor::compresskv < __libc_start_call_main\n");
}

TEST_CASE("a tree of call chains is taken apart into its paths") {
  const SampledStacks report = report_of(
      "# Samples: 1K of event 'task-clock'\n"
      "# Event count (approx.): 1000000000\n"
      "   100.00%  kv       [kernel.vmlinux]  [I] wait_on_page_bit\n"
      "            |\n"
      "            ---wait_on_page_bit\n"
      "               ext4_sync_file\n"
      "               do_syscall_64\n"
      "               fsync\n"
      "               |          \n"
      "               |--70.00%--kv::Wal::append\n"
      "               |          kv::put\n"
      "               |          |          \n"
      "               |          |--50.00%--kv::batch\n"
      "               |          |          main\n"
      "               |          |          \n"
      "               |           --20.00%--kv::single\n"
      "               |                     main\n"
      "               |          \n"
      "                --30.00%--kv::Manifest::save\n"
      "                          main\n"
      "\n");
  const std::string kernel = "wait_on_page_bit[kernel] < ext4_sync_file[kernel] < do_syscall_64[kernel] < fsync < ";
  REQUIRE(report.stacks.size() == 3);
  CHECK(described(report.stacks[0]) == "io 500 kv: " + kernel + "kv::Wal::append < kv::put < kv::batch < main");
  CHECK(described(report.stacks[1]) == "io 200 kv: " + kernel + "kv::Wal::append < kv::put < kv::single < main");
  CHECK(described(report.stacks[2]) == "io 300 kv: " + kernel + "kv::Manifest::save < main");
}

TEST_CASE("of several events the clock's report is read") {
  const SampledStacks report = report_of(
      "# Samples: 5K of event 'cycles'\n# Event count (approx.): 123456789\n   100.00%  kv  kv  [.] spin\n\n"
      "# Samples: 2K of event 'task-clock'\n# Event count (approx.): 4000000000\n   100.00%  kv  kv  [L] wait\n");
  REQUIRE(report.stacks.size() == 1);
  CHECK(described(report.stacks[0]) == "lock 4000 kv: waitkv");
}

TEST_CASE("a JSON report gives its functions, and the rest without one") {
  const SampledStacks report = report_of(profile_fixture("seed_bperf.json"));
  REQUIRE(report.stacks.size() == 4);
  CHECK(described(report.stacks[0]) == "other 12000 : kv::Wal::append");
  CHECK(described(report.stacks[1]) == "other 6000 : pthread_cond_wait");
  CHECK(described(report.stacks[2]) == "other 3000 :");
  CHECK(described(report.stacks[3]) == "cpu 9000 :");
}

TEST_CASE("what is no report is an error that says why") {
  const auto why = [](const std::string& text) {
    const Result<SampledStacks> report = parse_bperf_report(text);
    return report ? std::string("read") : report.error().message;
  };
  CHECK(why("").find("none of its lines") != std::string::npos);
  CHECK(why("PERFILE2").find("perf.data") != std::string::npos);
  CHECK(why("{\"total_samples\": 3").find("JSON") != std::string::npos);
  CHECK(why("{\"total_samples\": \"3\"}").find("\"total_samples\"") != std::string::npos);
  CHECK(why("{\"total_samples\": 3, \"off_cpu_samples\": 4}").find("\"off_cpu_samples\"") != std::string::npos);
  CHECK(why("{\"total_samples\": 3, \"off_cpu_samples\": 1, \"top_off_cpu_stacks\": [4]}").find("\"func\"") !=
        std::string::npos);
  CHECK(why("{\"total_samples\": 3, \"off_cpu_samples\": 1, \"top_off_cpu_stacks\": [{\"func\": \"f\"}]}")
            .find("\"samples\"") != std::string::npos);
  CHECK(why("# Event count (approx.): 9e99\n   50.00%  kv  kv  [L] f\n").find("event count") != std::string::npos);
}
