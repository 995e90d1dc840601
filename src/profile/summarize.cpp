/// From stacks to ratios, classes and blockers.

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "profile/sampled_stacks.hpp"
#include "profile/wait_rules.hpp"

namespace aiopt {
namespace {

constexpr std::string_view kKernelObject = "[kernel]";

/// Libraries that wait on behalf of whoever called them, by the beginning of their files' names.
constexpr auto kWaitingLibraries = std::to_array<std::string_view>({
    "libc.so",  "libc-2.",  "libc.musl", "ld-musl", "libpthread", "libstdc++",  "libc++",   "libm.so",
    "libm-2.",  "libmvec",  "ld-linux",  "ld-2.",   "ld.so",      "librt.so",   "librt-2.", "libdl.so",
    "libdl-2.", "libgcc_s", "libtbb",    "libgomp", "libatomic",  "linux-vdso", "[vdso]",   "[vsyscall]",
});

/// Functions of the C library by the names that programs call, for stacks without objects and static programs.
/// Leading underscores are taken off before.
constexpr auto kWaitingFunctions = std::to_array<std::string_view>({
    "accept",
    "accept4",
    "calloc",
    "clock_nanosleep",
    "close",
    "cond_timedwait",
    "connect",
    "copy_file_range",
    "creat",
    "epoll_pwait",
    "epoll_wait",
    "fallocate",
    "fallocate64",
    "fclose",
    "fcntl",
    "fcntl64",
    "fdatasync",
    "fflush",
    "fgets",
    "flock",
    "fopen",
    "fopen64",
    "fprintf",
    "fputs",
    "fread",
    "free",
    "fsync",
    "ftruncate",
    "ftruncate64",
    "futex_wait",
    "fwrite",
    "getc",
    "getline",
    "io_getevents",
    "io_uring_enter",
    "ioctl",
    "link",
    "malloc",
    "mkdir",
    "mmap",
    "mmap64",
    "mprotect",
    "msync",
    "munmap",
    "nanosleep",
    "open",
    "open64",
    "openat",
    "openat64",
    "operator delete",
    "operator new",
    "pause",
    "poll",
    "posix_fadvise",
    "posix_fadvise64",
    "posix_fallocate",
    "posix_fallocate64",
    "ppoll",
    "pread",
    "pread64",
    "preadv",
    "preadv2",
    "preadv64",
    "printf",
    "pselect",
    "putc",
    "puts",
    "pwrite",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "pwritev64",
    "read",
    "readv",
    "realloc",
    "recv",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "rename",
    "renameat",
    "renameat2",
    "rmdir",
    "sched_yield",
    "select",
    "sem_clockwait",
    "sem_timedwait",
    "sem_wait",
    "semop",
    "semtimedop",
    "send",
    "sendfile",
    "sendfile64",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "sigsuspend",
    "sigtimedwait",
    "sigwait",
    "sigwaitinfo",
    "sleep",
    "splice",
    "sync",
    "sync_file_range",
    "syncfs",
    "syscall",
    "truncate",
    "truncate64",
    "unlink",
    "unlinkat",
    "usleep",
    "vfprintf",
    "wait",
    "wait3",
    "wait4",
    "waitid",
    "waitpid",
    "write",
    "writev",
});

constexpr auto kWaitingPrefixes = std::to_array<std::string_view>({
    "std::",
    "gnu_cxx::",
    "pthread_",
    "lll_lock_wait",
    "lll_mutex_lock",
    "libc_",
    "GI_",
    "futex_abstimed_wait",
    "syscall_cancel",
    "int_malloc",
    "int_free",
    "glibcxx_rwlock_",
    "gthread_",
    "nptl_",
    "internal_syscall_cancel",
});

/// They start threads and programs: every stack has them, and none of them waits.
constexpr auto kStarters = std::to_array<std::string_view>({
    "libc_start_main",
    "libc_start_call_main",
    "libc_start_main_impl",
    "start_thread",
    "clone",
    "clone3",
    "execute_native_thread_routine",
    "GI_clone",
    "GI_clone3",
    "thread_start",
    "dl_start_user",
});

/// Without the return type that a demangled template begins with, and without leading underscores.
std::string_view bare_name(std::string_view function) {
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < function.size(); ++i) {
    const char c = function[i];
    if (c == '<' || c == '(' || c == '{' || c == '[') ++depth;
    if ((c == '>' || c == ')' || c == '}' || c == ']') && depth > 0) --depth;
    const bool is_operator = i >= 8 && function.substr(i - 8, 8) == "operator";
    if (c == ' ' && depth == 0 && !is_operator) begin = i + 1;
  }
  function.remove_prefix(begin);
  while (function.starts_with('_')) function.remove_prefix(1);
  return function;
}

/// Without what perf and linkers put behind it: "fsync@plt", "fsync@@GLIBC_2.2.5".
std::string_view unversioned(std::string_view name) {
  return name.substr(0, name.find('@'));
}

bool starts_with_any(std::string_view name, std::span<const std::string_view> prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return name.starts_with(prefix); });
}

bool is_named(std::string_view name, std::span<const std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

std::string_view file_name(const StackFrame& frame) {
  return std::string_view(frame.object).substr(frame.object.rfind('/') + 1);
}

bool is_waiting_library(const StackFrame& frame) {
  return starts_with_any(file_name(frame), kWaitingLibraries);
}

bool is_unknown(const StackFrame& frame) {
  return frame.place.function.empty() || frame.place.function == "[unknown]";
}

bool is_starter(const StackFrame& frame) {
  if (frame.place.function == "_start") return true;  // Not so a program's own start().
  const std::string_view name = unversioned(bare_name(frame.place.function));
  return is_named(name, kStarters) || name.starts_with("std::thread::") || name.starts_with("std::__invoke");
}

/// The program's own: neither the kernel's, nor one of a library that only waits, nor such a library's function that
/// was inlined or linked in.
bool is_own(const StackFrame& frame) {
  if (frame.object == kKernelObject || is_unknown(frame)) return false;
  if (is_waiting_library(frame)) return false;
  const std::string_view name = unversioned(bare_name(frame.place.function));
  return !is_named(name, kWaitingFunctions) && !starts_with_any(name, kWaitingPrefixes) && !is_starter(frame);
}

std::string kernel_function_of(const SampledStack& stack) {
  std::vector<std::string> functions;
  for (const StackFrame& frame : stack.frames) {
    if (frame.object == kKernelObject && !is_unknown(frame)) functions.push_back(frame.place.function);
  }
  return sleeping_function(functions);
}

/// "main::{lambda()#1}::operator()" of the
/// std::thread::_State_impl<std::thread::_Invoker<std::tuple<main::{lambda()#1}> > >::_M_run that it was inlined into;
/// empty for anything else. Unwinding by frame pointers leaves the caller of a system call's wrapper out, so that this
/// is often all that is left of a thread's own code.
std::string lambda_of_thread(const StackFrame& frame) {
  constexpr std::string_view kTuple = "std::tuple<";
  const std::string_view name = bare_name(frame.place.function);
  const std::size_t tuple = name.find(kTuple);
  if (!name.starts_with("std::thread::_State_impl<") || tuple == std::string_view::npos) return "";
  const std::string_view arguments = name.substr(tuple + kTuple.size());
  int depth = 0;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const char c = arguments[i];
    if (depth == 0 && (c == ',' || c == '>')) {
      const std::string_view callable = arguments.substr(0, i);
      return callable.ends_with('}') || callable.find("{lambda") != std::string_view::npos
                 ? std::string(callable) + "::operator()"
                 : "";
    }
    if (c == '<' || c == '(' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == '}') --depth;
  }
  return "";
}

/// "libstdc++.so.6.0.30+0xd44a3": all that is known of it is that it is the library's.
bool is_nameless_in_library(const StackFrame& frame) {
  const std::string_view file = file_name(frame);
  return is_waiting_library(frame) && frame.place.function.starts_with(file) &&
         std::string_view(frame.place.function).substr(file.size()).starts_with("+0x");
}

/// Empty function if nothing is known.
CodePlace blocker_of(const SampledStack& stack, const std::string& kernel_function) {
  const auto own = std::ranges::find_if(stack.frames, is_own);
  if (own != stack.frames.end()) return own->place;
  for (const StackFrame& frame : stack.frames) {
    std::string lambda = lambda_of_thread(frame);
    if (!lambda.empty()) return {std::move(lambda), frame.place.file, frame.place.line};
  }
  // A library's thread, or a stack that could not be unwound: what the library was asked for says most.
  for (auto frame = stack.frames.rbegin(); frame != stack.frames.rend(); ++frame) {
    const bool says_nothing = is_unknown(*frame) || is_starter(*frame) || is_nameless_in_library(*frame);
    if (frame->object != kKernelObject && !says_nothing) return frame->place;
  }
  return {kernel_function, "", 0};
}

using BlockerKey = std::tuple<std::string, WaitClass, std::string>;  ///< Function, class, kernel function.
using SourceLine = std::pair<std::string, int>;
using SamplesByLine = std::map<SourceLine, std::uint64_t>;

/// Of the standard library's headers, inlined into the program, and of others that are the system's.
bool is_of_system_header(const StackFrame& frame) {
  return frame.place.file.starts_with("/usr/");
}

/// From the direct caller of the blocker outwards, the program's own.
std::vector<CodePlace> callers_in(const SampledStack& stack) {
  constexpr std::size_t kMostCallers = 8;
  std::vector<CodePlace> callers;
  bool is_blocker = true;
  for (const StackFrame& frame : stack.frames) {
    if (!is_own(frame) || is_of_system_header(frame)) continue;
    if (!is_blocker && callers.size() < kMostCallers) callers.push_back(frame.place);
    is_blocker = false;
  }
  return callers;
}

/// The stacks of one blocker.
struct Waits {
  SamplesByLine lines;
  const SampledStack* largest = nullptr;
};

Blocker blocker_from(const BlockerKey& key, const Waits& waits, std::uint64_t busy_samples) {
  const SamplesByLine& lines = waits.lines;
  std::uint64_t samples = 0;
  for (const auto& [line, count] : lines) samples += count;
  const auto largest = std::ranges::max_element(lines, {}, [](const auto& entry) { return entry.second; });
  Blocker blocker;
  std::tie(blocker.place.function, blocker.kind, blocker.kernel_function) = key;
  std::tie(blocker.place.file, blocker.place.line) = largest->first;
  blocker.callers = callers_in(*waits.largest);
  blocker.share = static_cast<double>(samples) / static_cast<double>(busy_samples);
  return blocker;
}

double ratio_of(std::uint64_t part, std::uint64_t all) {
  return all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
}

}  // namespace

OffCpuProfile summarize(const SampledStacks& stacks, std::size_t top) {
  OffCpuProfile profile;
  profile.source = stacks.source;
  profile.lost = stacks.lost;
  std::map<BlockerKey, Waits> blockers;
  for (const SampledStack& stack : stacks.stacks) {
    profile.samples += stack.samples;
    if (!stack.wait || stack.samples == 0) continue;
    profile.off_cpu_samples += stack.samples;
    if (stack.is_idle) {
      profile.idle_samples += stack.samples;
      continue;
    }
    profile.by_class.at(static_cast<std::size_t>(*stack.wait)) += stack.samples;
    const std::string kernel_function = kernel_function_of(stack);
    const CodePlace place = blocker_of(stack, kernel_function);
    if (place.function.empty()) continue;
    Waits& waits = blockers[{place.function, *stack.wait, kernel_function}];
    waits.lines[{place.file, place.line}] += stack.samples;
    if (waits.largest == nullptr || stack.samples > waits.largest->samples) waits.largest = &stack;
  }
  const std::uint64_t busy_samples = profile.samples - profile.idle_samples;
  profile.ratio = ratio_of(profile.off_cpu_samples - profile.idle_samples, busy_samples);
  profile.ratio_with_idle = ratio_of(profile.off_cpu_samples, profile.samples);
  for (const auto& [key, waits] : blockers) profile.top_blockers.push_back(blocker_from(key, waits, busy_samples));
  // The map's order decides between equals, so that the same samples give the same list.
  std::ranges::stable_sort(profile.top_blockers, std::ranges::greater(), &Blocker::share);
  if (profile.top_blockers.size() > top) profile.top_blockers.resize(top);
  return profile;
}

std::vector<BusyLine> busiest_lines(const SampledStacks& stacks, std::size_t top,
                                    const std::function<bool(const CodePlace&)>& is_of_interest) {
  std::map<std::pair<std::string, int>, BusyLine> by_place;
  double all = 0.0;
  for (const SampledStack& stack : stacks.stacks) {
    if (!stack.is_idle) all += static_cast<double>(stack.samples);
    if (stack.wait || stack.frames.empty() || stack.frames.front().object == kKernelObject) continue;
    const auto frame = std::ranges::find_if(
        stack.frames, [&](const StackFrame& one) { return one.place.line > 0 && is_of_interest(one.place); });
    if (frame == stack.frames.end()) continue;
    BusyLine& line = by_place[{frame->place.file, frame->place.line}];
    line.place = frame->place;
    line.share += static_cast<double>(stack.samples);
  }
  std::vector<BusyLine> lines;
  for (auto& [place, line] : by_place) lines.push_back({std::move(line.place), line.share / all});
  std::ranges::stable_sort(lines, std::ranges::greater(), &BusyLine::share);
  if (lines.size() > top) lines.resize(top);
  if (!stacks.tells_kernel) {
    for (BusyLine& line : lines) line.share = 0.0;
  }
  return lines;
}

}  // namespace aiopt
