/// From stacks to blockers.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "profile/bperf_report.hpp"
#include "profile/perf_script.hpp"
#include "profile/profile_fixture.hpp"
#include "profile/sampled_stacks.hpp"

using namespace aiopt;

namespace {

StackFrame in_kernel(const std::string& function) {
  return {{function, "", 0}, "[kernel]", false};
}

StackFrame in_libc(const std::string& function) {
  return {{function, "", 0}, "/usr/lib/x86_64-linux-gnu/libc.so.6", false};
}

StackFrame in_program(const std::string& function, int line = 0) {
  return {{function, line > 0 ? "/src/kv/" + function + ".cc" : "", line}, "/src/kv/kv", false};
}

SampledStack waiting(WaitClass wait, std::uint64_t samples, std::vector<StackFrame> frames) {
  SampledStack stack;
  stack.wait = wait;
  stack.samples = samples;
  stack.frames = std::move(frames);
  return stack;
}

/// Of a single stack.
Blocker blocker_of(std::vector<StackFrame> frames) {
  SampledStacks stacks;
  stacks.stacks.push_back(waiting(WaitClass::io, 4, std::move(frames)));
  const OffCpuProfile profile = summarize(stacks);
  REQUIRE(profile.top_blockers.size() == 1);
  return profile.top_blockers[0];
}

}  // namespace

TEST_CASE("the blocker is the innermost function of the program's own code") {
  const Blocker blocker = blocker_of({in_kernel("__schedule"), in_kernel("io_schedule"), in_kernel("folio_wait_bit"),
                                      in_kernel("do_syscall_64"), in_libc("fsync"), in_program("kv::Wal::sync", 47),
                                      in_program("main", 9)});
  CHECK(blocker.place == CodePlace{"kv::Wal::sync", "/src/kv/kv::Wal::sync.cc", 47});
  CHECK(blocker.kernel_function == "folio_wait_bit");
  CHECK(blocker.kind == WaitClass::io);
  CHECK(blocker.share == 1.0);
}

TEST_CASE("wrappers that were inlined or linked in are not the program's own code") {
  const auto name = [](const std::vector<StackFrame>& frames) { return blocker_of(frames).place.function; };
  const StackFrame own = in_program("kv::Wal::append");
  CHECK(name({in_program("__lll_lock_wait"), in_program("pthread_mutex_lock"), in_program("std::mutex::lock"),
              in_program("std::lock_guard<std::mutex>::lock_guard"), own}) == "kv::Wal::append");
  CHECK(name({in_program("void std::__invoke_impl<void, kv::Pool::run()::{lambda()#1}>"), own}) == "kv::Wal::append");
  CHECK(name({in_program("__gnu_cxx::__exchange_and_add"), in_program("fsync@plt"), own}) == "kv::Wal::append");
  CHECK(name({in_program("__libc_write"), in_program("__GI___clock_nanosleep"), in_program("operator new"), own}) ==
        "kv::Wal::append");
  CHECK(name({in_program("__glibcxx_rwlock_wrlock"), own}) == "kv::Wal::append");  // Of std::shared_mutex.
  CHECK(name({{{"tbb::detail::wait", "", 0}, "/usr/lib/libtbb.so.12", false}, own}) == "kv::Wal::append");
  // Like wrappers, but not them.
  CHECK(name({in_program("kv::read"), own}) == "kv::read");
  CHECK(name({in_program("stdx::wait"), own}) == "stdx::wait");
  CHECK(name({in_program("kv::Box<std::string>::operator new"), own}) == "kv::Box<std::string>::operator new");
  CHECK(name({in_program("start"), own}) == "start");
  CHECK(name({{{"work", "", 0}, "/src/kv/libcache.so", false}, own}) == "work");
}

TEST_CASE("the lambda that a thread runs is the program's own, inlined into std::thread or not") {
  const std::string run =
      "std::thread::_State_impl<std::thread::_Invoker<std::tuple<kv::Pool::start(int)::{lambda(int)#2}, int> > "
      ">::_M_run";
  CHECK(blocker_of({in_libc("fsync"),
                    in_program(run),
                    {{"libstdc++.so.6.0.30+0xd44a3", "", 0}, "/usr/lib/libstdc++.so.6.0.30", false}})
            .place.function == "kv::Pool::start(int)::{lambda(int)#2}::operator()");
  const std::string call =
      "std::thread::_State_impl<std::thread::_Invoker<std::tuple<void (kv::Pool::*)(), kv::Pool*> > >::_M_run";
  CHECK(blocker_of({in_libc("fsync"),
                    in_program(call),
                    {{"libstdc++.so.6.0.30+0xd44a3", "", 0}, "/usr/lib/libstdc++.so.6.0.30", false}})
            .place.function == "fsync");
}

TEST_CASE("where no code of the program is on the stack, the library's outermost function stands in") {
  CHECK(blocker_of({in_kernel("ext4_sync_file"), in_libc("fsync")}).place.function == "fsync");
  CHECK(blocker_of({in_kernel("futex_do_wait"), in_libc("__futex_abstimed_wait"), in_libc("pthread_cond_wait"),
                    in_libc("start_thread"), in_libc("__clone3"), in_program("_start")})
            .place.function == "pthread_cond_wait");
  CHECK(blocker_of({in_kernel("__schedule"), in_kernel("do_nanosleep"), {}}).place.function == "do_nanosleep");
}

TEST_CASE("stacks of the same function, class and kernel function are one blocker, with the line that waits most") {
  SampledStacks stacks;
  stacks.source = "perf";
  stacks.lost = 3;
  const auto append = [](int line) { return StackFrame{{"append", "wal.cc", line}, "/src/kv/kv", false}; };
  stacks.stacks = {
      waiting(WaitClass::io, 10, {in_kernel("jbd2_log_wait_commit"), append(40), in_program("a")}),
      waiting(WaitClass::io, 15, {in_kernel("jbd2_log_wait_commit"), append(47), in_program("a")}),
      waiting(WaitClass::io, 8, {in_kernel("jbd2_log_wait_commit"), append(40), in_program("b")}),
      waiting(WaitClass::lock, 5, {in_kernel("futex_do_wait"), append(40)}),
      waiting(WaitClass::io, 2, {in_kernel("folio_wait_bit"), append(40)}),
      waiting(WaitClass::other, 100, {in_kernel("futex_do_wait"), in_program("idle_worker")}),
      waiting(WaitClass::scheduling, 0, {in_program("never")}),
      waiting(WaitClass::scheduling, 1, {}),
  };
  stacks.stacks[5].is_idle = true;
  SampledStack running;
  running.samples = 59;
  running.frames = {in_program("compress")};
  stacks.stacks.push_back(running);

  const OffCpuProfile profile = summarize(stacks);
  CHECK(profile.source == "perf");
  CHECK(profile.lost == 3);
  CHECK(profile.samples == 200);
  CHECK(profile.off_cpu_samples == 141);
  CHECK(profile.idle_samples == 100);
  CHECK(profile.ratio == doctest::Approx(0.41));
  CHECK(profile.ratio_with_idle == doctest::Approx(0.705));
  CHECK(profile.by_class == std::array<std::uint64_t, kWaitClasses>{35, 5, 1, 0});
  REQUIRE(profile.top_blockers.size() == 3);
  CHECK(profile.top_blockers[0].place == CodePlace{"append", "wal.cc", 40});
  CHECK(profile.top_blockers[0].kernel_function == "jbd2_log_wait_commit");
  CHECK(profile.top_blockers[0].share == doctest::Approx(0.33));
  CHECK(profile.top_blockers[1].kind == WaitClass::lock);
  CHECK(profile.top_blockers[1].share == doctest::Approx(0.05));
  CHECK(profile.top_blockers[2].kernel_function == "folio_wait_bit");
  CHECK(summarize(stacks, 1).top_blockers.size() == 1);
  CHECK(summarize(stacks, 0).by_class == profile.by_class);
}

TEST_CASE("no samples, or idle ones alone, make no ratio") {
  CHECK(summarize({}).ratio == 0.0);
  SampledStacks stacks;
  stacks.stacks.push_back(waiting(WaitClass::lock, 7, {}));
  stacks.stacks[0].is_idle = true;
  const OffCpuProfile profile = summarize(stacks);
  CHECK(profile.ratio == 0.0);
  CHECK(profile.ratio_with_idle == 1.0);
  CHECK(profile.top_blockers.empty());
}

TEST_CASE("a report of bperf shows its blockers with the shares that it prints") {
  const OffCpuProfile profile = summarize(*parse_bperf_report(profile_fixture("bperf_report.txt")));
  CHECK(profile.ratio == doctest::Approx(0.8344).epsilon(1e-3));
  REQUIRE(profile.top_blockers.size() == 4);
  CHECK(profile.top_blockers[0].place.function == "futex_wait_queue_me");
  CHECK(profile.top_blockers[0].kernel_function == "futex_wait_queue_me");
  CHECK(profile.top_blockers[0].share == doctest::Approx(0.4107).epsilon(1e-3));
  CHECK(profile.top_blockers[3].place.function == "compress_block");
  CHECK(profile.top_blockers[3].kind == WaitClass::scheduling);
}

TEST_CASE("in a real recording the program's own functions are the blockers") {
  const OffCpuProfile profile = summarize(*parse_perf_script(profile_fixture("perf_switch_events.txt"), "kv"));
  REQUIRE_FALSE(profile.top_blockers.empty());
  // perf followed frame pointers, which lose the caller of the C library's fsync and lock.
  CHECK(profile.top_blockers[0].place.function == "main::{lambda()#1}::operator()");
  CHECK(profile.top_blockers[0].kernel_function == "futex_do_wait");
}

TEST_CASE("the busiest lines are the innermost of interest on which threads ran, outside of the kernel") {
  SampledStacks stacks;
  stacks.tells_kernel = true;
  const auto running = [&](std::uint64_t samples, std::vector<StackFrame> frames) {
    stacks.stacks.push_back({{}, false, std::move(frames), "kv", samples});
  };
  running(3, {in_program("crc", 12), in_program("append", 40)});
  running(4, {in_program("crc", 12), in_program("check", 50)});
  running(5, {in_program("compare", 7)});
  running(6, {{{"memcpy", "/usr/include/string.h", 9}, "/src/kv/kv", true}, in_program("copy", 3)});
  running(100, {in_kernel("copy_from_user"), in_libc("write"), in_program("append", 41)});
  running(100, {in_libc("malloc")});
  running(100, {in_program("stripped")});
  stacks.stacks.push_back(waiting(WaitClass::lock, 100, {in_program("put", 35)}));
  const auto is_ours = [](const CodePlace& place) { return place.file.starts_with("/src/kv/"); };
  const auto lines = busiest_lines(stacks, 2, is_ours);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].place == CodePlace{"crc", "/src/kv/crc.cc", 12});
  CHECK(lines[0].share == doctest::Approx(7.0 / 418.0));
  CHECK(lines[1].place == CodePlace{"copy", "/src/kv/copy.cc", 3});
  CHECK(busiest_lines(stacks, 9, is_ours).size() == 3);
  CHECK(busiest_lines({}, 9, is_ours).empty());

  stacks.tells_kernel = false;
  const auto unsure = busiest_lines(stacks, 2, is_ours);
  REQUIRE(unsure.size() == 2);
  CHECK(unsure[0].place == lines[0].place);
  CHECK(unsure[0].share == 0.0);
}
